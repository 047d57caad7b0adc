// Connections that we make: on their way, arrived, and held by whoever awaits them.
#include "connection/awaited_session.hpp"
#include "connection/loop.hpp"
#include "connection/loop_coroutine.hpp"

#include <utility>

namespace dwell::inline v0 {

// ── services that do not listen ──

hosted_service& loop::hosting(const service& what, std::shared_ptr<const void> owner) {
  for (kept_service& each : hosted_) {
    if (each.hosted.of == &what) return each.hosted;
  }
  hosted_service& made = hosted_.emplace_back(*this, what, std::move(owner)).hosted;
  made.next = outbound_.load(std::memory_order_relaxed);
  outbound_.store(&made, std::memory_order_release);
  return made;
}

hosted_service& loop::hosting_awaited(
    const service_options& options,
    const std::function<void(const connection&, const close_record&)>* on_close) {
  const auto same = [&](const service_options& there) {
    return there.deadlines == options.deadlines && there.close == options.close &&
           there.limits == options.limits && there.socket == options.socket &&
           there.name == options.name;
  };
  for (const awaited_service& each : awaited_services_) {
    if (each.on_close == on_close && same(each.what.options)) return hosting(each.what);
  }
  static const handler awaited = handler::of(std::make_shared<awaited_handler>());
  awaited_service& made = awaited_services_.emplace_back(awaited_service{
      on_close,
      service{.index = 0, .options = options, .what = awaited, .outbound = true, .awaited = true}});
  if (on_close != nullptr) {
    made.what.options.on_close = [on_close](const connection& peer, const close_record& record) {
      (*on_close)(peer, record);
    };
  }
  return hosting(made.what);
}

// ── on their way ──

bool loop::enlist(outgoing& which) {
  if (ending_ || mail_ended_) return false;
  const auto [index, made] = outgoing_.emplace(&which);
  which.io.slot = index | outgoing_slots;
  renew(which);
  which.io.connecting = true;
  which.io.wants_output = true;
  return true;
}

void loop::delist(outgoing& which) noexcept { outgoing_.erase(which.io.slot & ~outgoing_slots); }

void loop::renew(outgoing& which) noexcept {
  which.io.generation = static_cast<std::uint32_t>(++last_generation_);
}

void loop::on_connected(stream& which, bool in_error) {
  (*outgoing_.find(which.slot & ~outgoing_slots))->on_ready(in_error);
}

/// Its session begins as an accepted connection's does.
slot* loop::take_connected(outgoing& arrived, hosted_service& hosted, const raw_address& peer,
                           const std::function<void(void*)>& start) {
  slot* const c = make_outbound(arrived, hosted, peer);
  if (c == nullptr) return nullptr;
  counters_.connected.add();
  open(*c, start);
  return c;
}

/// What the kernel's set has of the descriptor becomes the connection's; null: no memory.
slot* loop::make_outbound(outgoing& arrived, hosted_service& hosted,
                          const raw_address& peer) noexcept {
  slot* const c = make_slot(hosted, socket_address::from(peer.storage));
  if (c == nullptr) return nullptr;
  c->io.descriptor = std::exchange(arrived.io.descriptor, -1);
  c->io.is_tcp = arrived.io.is_tcp;
  c->io.registered = arrived.io.registered;
  c->io.enrolled = arrived.io.enrolled;
  c->io.wants_output = true;  // as registered: whatever is wanted next replaces it
  c->outbound = true;
  c->awaited = hosted.of->awaited;
  hosted.counters.opened.add();
  return c;
}

// ── their handshakes ──

slot* loop::take_unsecured(outgoing& arrived, hosted_service& hosted, const raw_address& peer,
                           std::unique_ptr<stream_filter> filter) {
  auto rare =
      std::make_unique<uncommon>(uncommon{.filter = std::move(filter), .waiting = &arrived});
  slot* const c = make_outbound(arrived, hosted, peer);
  if (c == nullptr) return nullptr;
  c->rare = std::move(rare);
  c->filtered = true;
  return c;
}

void loop::start_handshake(slot& c) {
  advance(c);
  if (!c.is_released()) on_raw(c, {}, false);
  if (!c.is_released()) advance(c);
}

void loop::open_secured(slot& c, const std::function<void(void*)>& start) {
  counters_.connected.add();
  open(c, start);
}

void loop::give_up_handshake(slot& c) noexcept {
  c.rare->waiting = nullptr;
  close(c, close_reason::finished, close_method::abort);
}

void loop::tell_not_secured(slot& c) {
  if (!c.filtered || c.rare->waiting == nullptr) return;
  const stream_filter& filter = c.filter();
  std::exchange(c.rare->waiting, nullptr)
      ->on_not_secured(c.why, filter.failure(), filter.distrusts());
}

// ── whoever awaits them ──

slot* loop::find_even_released(connection_id id) noexcept {
  slot* const c = slots_.find(id.slot);
  return c != nullptr && c->generation() == id.generation ? c : nullptr;
}

void loop::let_go(slot& c) noexcept {
  awaited_session& self = awaited_session::of(c);
  self.owned = false;
  self.read_wait.forget();
  self.write_wait.forget();
  if (!c.is_released()) return close(c, close_reason::finished);
  c.frame_outlives = false;
  free_unless_outlived(c);
}

// ── coroutines of the loop ──

void loop::start_coroutine(unique_function<task<>()> body) {
  if (ending_) return;
  auto owned = std::make_unique<loop_coroutine>(*this, std::move(body), coroutines_.size());
  loop_coroutine& made = *coroutines_.emplace_back(std::move(owned));
  run_coroutine(made, [&made] { made.begin(); });
}

void loop::forget_if_ended(loop_coroutine& which) noexcept {
  if (!which.has_ended()) return;
  const std::size_t place = which.place;
  std::swap(coroutines_[place], coroutines_.back());
  coroutines_[place]->place = place;
  const std::unique_ptr<loop_coroutine> ended = std::move(coroutines_.back());
  coroutines_.pop_back();
}

/// What coroutines wait for ends, and so does what is on its way.
void loop::end_coroutines() {
  // From the last one: the place of one that ends is taken by one that has been told.
  for (std::size_t i = coroutines_.size(); i > 0;) {
    loop_coroutine& each = *coroutines_[--i];
    run_coroutine(each, [&each] { each.end(); });
  }
  std::vector<std::pair<std::uint32_t, outgoing*>> unfinished;
  outgoing_.visit(0, slab<outgoing*>::end, [&](std::uint32_t index, outgoing* each) {
    unfinished.emplace_back(index, each);
  });
  for (const auto& [index, each] : unfinished) {
    outgoing** const there = outgoing_.find(index);
    if (there != nullptr && *there == each) each->on_loop_end();
  }
}

}  // namespace dwell::inline v0
