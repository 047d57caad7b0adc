#include "connection/address_limits.hpp"
#include "connection/loop.hpp"
#include "connection/proxy_header_reader.hpp"

#include <new>

namespace dwell::inline v0 {
namespace {

/// The server hears how high the numbers are that connections get, roughly.
constexpr int told_descriptors = 16;
/// Descriptors are short: so many idle connections leave before accepting is tried again.
constexpr std::uint32_t evicted_for_descriptors = 16;
/// All are at work, and none says when it is idle again: asking a hundred times a second costs
/// little.
constexpr duration until_one_is_idle{10};

/// A connection on its way to another loop. When that ends first, so does the connection.
class handover {
 public:
  handover(loop& to, const accepted& fresh) noexcept : io_{&to.io()}, fresh_{fresh} {}
  handover(handover&& other) noexcept : io_{other.io_}, fresh_{other.fresh_} {
    other.fresh_.descriptor = -1;
  }
  handover& operator=(handover&&) = delete;
  ~handover() {
    if (fresh_.descriptor < 0) return;
    stream unwanted{.descriptor = fresh_.descriptor};
    io_->release(unwanted, dwell::release::reset);
  }
  void operator()(loop& there) {
    const accepted taken = fresh_;
    fresh_.descriptor = -1;
    there.adopt(taken);
  }

 private:
  engine* io_;
  accepted fresh_;
};

}  // namespace

// ── letting in ──

/// Nobody is evicted before the connection that needs the place is there: the last accept of a
/// batch finds none. So there is one eviction a batch, since a second could count on the same idle
/// connection.
admission loop::reserve(bool certain) {
  if (will_evict_) return admission::later;
  if (pressure_.own_table && !owner_->has_room(*this, certain)) return admission::later;
  const gate now = pressure_.accepting;
  if (now == gate::refusing) return admission::refused;
  if (now == gate::closed) {
    accept(false);  // also when a pause of another kind has ended meanwhile
    return admission::later;
  }
  if (owner_->admit()) return admission::free_place;
  if (policy_ == when_full::refuse) return admission::refused;
  if (policy_ == when_full::evict_idle && longest_idle() != nullptr) {
    will_evict_ = true;
    return admission::idle_leaves;
  }
  if (now == gate::impatient) return admission::refused;
  if (!certain) return admission::later;  // the listener will say whether there was another
  accept(false);  // also when all loops were told already, and a pause has ended meanwhile
  owner_->wait_for_room();
  if (policy_ == when_full::evict_idle) accept_again_after(until_one_is_idle);
  return admission::later;
}

void loop::unreserve(admission unused) {
  if (unused == admission::free_place) owner_->readmit();
  will_evict_ = false;
}

/// Carries out the terms. False: there is no place after all.
bool loop::take_place(admission terms) {
  if (terms == admission::free_place) return true;
  if (terms == admission::refused) return false;
  will_evict_ = false;
  if (!make_room()) return false;
  owner_->admit_over_limit();
  return true;
}

void loop::on_accept(const accepted& fresh) {
  if (!may_come(fresh)) return unreserve(fresh.terms);
  if (!take_place(fresh.terms)) return refuse(fresh);
  if (fresh.descriptor - pressure_.told_descriptor >= told_descriptors ||
      pressure_.told_descriptor - fresh.descriptor >= told_descriptors) {
    owner_->saw_descriptor(pressure_.told_descriptor = fresh.descriptor);
  }
  loop* const to = owner_->deal(*this, *services_[fresh.service]->of);
  if (to == nullptr || to == this) return adopt(fresh);
  try {
    to->mail()->order(handover{*to, fresh});
  } catch (const std::bad_alloc&) {  // it was reset on its way
    owner_->readmit();
  }
}

/// Serves what has come with the connection before the kernel's set hears of it: many end right
/// here.
void loop::adopt(const accepted& fresh) {
  slot* const c = take_in(fresh);
  if (c == nullptr) return;
  if (c->filtered) {
    advance(*c);  // into the handshake
  } else {
    open(*c);
  }
  if (!c->is_released() && c->io.wants_input) on_received(c->io, io_->receive(c->io));
  if (c->is_released() || io_->enroll(c->io)) return;
  decide(*c, close_reason::overload, close_method::abort);
  step(*c, lifecycle_event::abort);
}

/// With memory for its session and its deadlines; null: there is none.
slot* loop::make_slot(hosted_service& hosted, const socket_address& peer) noexcept {
  slot* c = nullptr;
  try {
    const auto [index, made] = slots_.emplace(hosted, peer, ++last_generation_, io_->now());
    c = &made;
    c->io.slot = index;
    counters_.slots = slots_.size();
    reaper_.grow(index + 1);
    if (hosted.of->proxies) {
      await_proxy_header(*c);
    } else if (hosted.of->filters) {
      c->rare = std::make_unique<uncommon>(uncommon{.filter = hosted.of->filters->make(index_)});
      c->filtered = true;
    }
    if (const std::size_t size = c->handler().session_size(); size != 0) {
      c->session = pool_->take(size);
    }
    return c;
  } catch (const std::bad_alloc&) {
    if (c != nullptr) slots_.erase(c->io.slot);
    counters_.slots = slots_.size();
    return nullptr;
  }
}

slot* loop::take_in(const accepted& fresh) {
  hosted_service& hosted = *services_[fresh.service];
  slot* const c = make_slot(hosted, fresh.peer);
  if (c == nullptr) {
    turn_away(fresh);
    owner_->readmit();
    return nullptr;
  }
  c->io.descriptor = fresh.descriptor;
  c->io.is_tcp = !c->options().listen.is_unix();
  c->io.corked = hosted.of->corked;
  c->io.no_time_wait = hosted.of->no_time_wait;
  c->has_address_counted = hosted.of->addresses != nullptr && !hosted.of->proxies &&
                           hosted.of->addresses->counts(c->peer);
  hosted.counters.opened.add();
  return c;
}

void loop::open(slot& c, const std::function<void(void*)>& make_session) {
  bool welcome = false;
  enter(c);
  guarded(c, [&] {
    if (make_session) {
      make_session(c.session);
    } else if (c.session != nullptr) {
      c.handler().create_session(c.session);
    }
    c.opened = true;
    welcome = c.handler().on_open(c, c.session);
  });
  if (!welcome) close(c, close_reason::overload);
  leave(c);
}

void loop::for_each_stream(void (*call)(engine&, stream&)) {
  slots_.visit(0, slab<slot>::end, [&](std::uint32_t, slot& c) {
    if (!c.is_released()) call(*io_, c.io);
  });
  outgoing_.visit(0, slab<outgoing*>::end, [&](std::uint32_t, outgoing* o) {
    if (o->io.descriptor >= 0) call(*io_, o->io);
  });
}

void loop::on_accept_failed(int error) {
  counters_.accept_failed.add();
  owner_->log_accept_failed(error, io_->now());
  const bool relieved = policy_ == when_full::evict_idle && evict(evicted_for_descriptors);
  owner_->pause_accepting(*this, relieved);
}

}  // namespace dwell::inline v0
