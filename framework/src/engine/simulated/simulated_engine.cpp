#include "engine/simulated/simulated_engine.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <poll.h>
#include <stdexcept>
#include <unistd.h>

namespace dwell::inline v0 {
namespace {

constexpr std::size_t batch_size = 128;
constexpr std::size_t accept_budget = 64;
constexpr int first_descriptor = 3;
constexpr std::uint64_t worth_a_stall = 100;
constexpr int default_syn_retries = 6;  // net.ipv4.tcp_syn_retries

/// stream::registered: what the set holds.
enum interest : std::uint8_t { present = 1, input = 2, output = 4, peer_fin = 8 };

std::uint32_t number_of(const tcp_connection& c, side at) noexcept {
  return 2 * c.index + static_cast<std::uint32_t>(at);
}
int descriptor_of(const tcp_connection& c, side at) noexcept {
  return first_descriptor + static_cast<int>(number_of(c, at));
}

}  // namespace

simulated_engine::simulated_engine(block_pool& pool, network& net, std::uint64_t epoch)
    : engine{pool}, network_{&net}, epoch_{epoch}, host_{net.add_host(*this)} {
  stamp();
}

simulated_engine::~simulated_engine() { network_->remove_host(host_); }

simulated_engine::end simulated_engine::numbered(std::uint32_t number) const {
  return {&(*network_)[number / 2], static_cast<side>(number % 2)};
}

simulated_engine::end simulated_engine::of(const stream& what) const {
  return numbered(static_cast<std::uint32_t>(what.descriptor - first_descriptor));
}

// ── turns ──

bool simulated_engine::has_io() const {
  return !ready_.empty() || (accepting_ && std::any_of(listeners_.begin(), listeners_.end(),
                                                       [this](const listening& l) {
                                                         return network_->has_queued(l.number);
                                                       }));
}

bool simulated_engine::has_work() const {
  return !is_frozen() && (woken_.load(std::memory_order_acquire) || has_io() || is_time());
}

std::optional<std::uint64_t> simulated_engine::due() const {
  if (is_frozen()) return frozen_until_;
  if (!armed_) return {};
  return *armed_ - std::min(epoch_, *armed_);
}

void simulated_engine::stamp() {
  now_ = epoch_ + network_->now();
  const std::uint64_t late = armed_ && now_ > *armed_ ? now_ - *armed_ : 0;
  stalled_for_ = late > worth_a_stall ? late : 0;
  if (stalled_for_ != 0) armed_ = now_;
}

simulated_engine::turn simulated_engine::choose_turn() {
  std::array<turn, 3> candidates{};
  std::size_t count = 0;
  if (has_io()) candidates[count++] = turn::io;
  if (is_time()) candidates[count++] = turn::time;
  if (woken_.load(std::memory_order_acquire)) candidates[count++] = turn::wake;
  return candidates[network_->random().below(count)];
}

void simulated_engine::run_turn() {
  stamp();
  const turn chosen = choose_turn();
  events().on_turn_begin();
  switch (chosen) {
    case turn::io: run_io(); break;
    case turn::time:
      armed_.reset();
      if (stalled_for_ != 0) run_io();  // what came during the stall counts before any deadline
      events().on_time();
      break;
    case turn::wake:
      woken_.store(false, std::memory_order_release);
      events().on_wake();
      break;
  }
  events().on_turn_end();
}

void simulated_engine::arm(std::uint64_t due) {
  if (!armed_ || due < *armed_) armed_ = due;
}

// ── readiness ──

void simulated_engine::notice(tcp_connection& what, side at) {
  const bool client = at == side::client;
  if (client ? what.caller->noticed : what.noticed) return;
  if (client) {
    what.caller->noticed = true;
  } else {
    what.noticed = true;
  }
  ready_.push_back(number_of(what, at));
}

void simulated_engine::run_io() {
  random_numbers& random = network_->random();
  const std::size_t count = std::min(ready_.size(), batch_size);
  for (std::size_t i = 0; i < count; ++i) {
    std::swap(ready_[i], ready_[i + random.below(ready_.size() - i)]);
    const end which = numbered(ready_[i]);
    if (which.at == side::client) {
      which.c->caller->noticed = false;
    } else {
      which.c->noticed = false;
    }
  }
  batch_.assign(ready_.begin(), ready_.begin() + static_cast<std::ptrdiff_t>(count));
  ready_.erase(ready_.begin(), ready_.begin() + static_cast<std::ptrdiff_t>(count));

  const std::size_t accept_after = random.below(count + 1);
  for (std::size_t i = 0; i <= count; ++i) {
    if (i == accept_after) {
      for (std::size_t l = 0; l < listeners_.size(); ++l) accept_from(listeners_[l]);
    }
    if (i < count) tell(numbered(batch_[i]));
  }
}

/// Level-triggered, and interest follows want: what comes although nobody wants it is asked for no
/// more.
void simulated_engine::tell(const end& which) {
  tcp_connection& c = *which.c;
  const bool client = which.at == side::client;
  stream* s = client ? events().find(c.caller->slot, c.caller->generation)
                     : events().find(c.slot, c.generation);
  if (s == nullptr || (s->registered & present) == 0) return;
  int asked = POLLHUP | POLLERR;
  if ((s->registered & input) != 0) asked |= POLLIN;
  if ((s->registered & output) != 0) asked |= POLLOUT;
  if ((s->registered & peer_fin) != 0) asked |= POLLRDHUP;
  const int ready = network_->readiness(c, which.at) & asked;
  if (ready == 0) return;
  ++wakeups_;
  notice(c, which.at);
  if (s->connecting) return events().on_connected(*s, (ready & (POLLHUP | POLLERR)) != 0);
  if ((ready & ~POLLOUT) != 0) {
    if (s->wants_input) {
      events().on_received(*s, receive(*s));
    } else if ((ready & (POLLHUP | POLLERR)) != 0) {
      s->registered = 0;
      events().on_hangup(*s);
    } else {
      const bool first = (s->registered & input) != 0;
      s->registered &= static_cast<std::uint8_t>(~(input | peer_fin));
      if (first) s->registered |= peer_fin;
      if ((ready & POLLRDHUP) != 0) events().on_peer_fin(*s);
    }
  }
  if ((ready & POLLOUT) != 0 && s->descriptor >= 0 && s->wants_output) events().on_writable(*s);
}

bool simulated_engine::watch(stream& what) noexcept {
  if (!what.enrolled) return true;
  std::uint8_t wanted = present;
  if (what.wants_input) wanted |= input;
  if (what.wants_output) wanted |= output;
  if (what.registered == 0 && !what.wants_input) wanted |= peer_fin;
  const bool missing = (wanted & ~what.registered) != 0;
  const bool would_spin = (what.registered & output) != 0 && !what.wants_output;
  if (!missing && !would_spin) return true;
  if (network_->random().chance(network_->faults.watch_failures)) return false;
  what.registered = static_cast<std::uint8_t>(wanted | (what.registered & (input | peer_fin)));
  const auto [c, at] = of(what);
  if (at == side::client) {
    c->caller->slot = what.slot;
    c->caller->generation = what.generation;
  } else {
    c->slot = what.slot;
    c->generation = what.generation;
    c->host = host_;
  }
  notice(*c, at);
  return true;
}

// ── listeners ──

endpoint simulated_engine::listen(std::uint32_t service, const listener_options& options) {
  if (options.inherited >= 0) {
    throw std::invalid_argument{"listen: a descriptor is the kernel's, and here is none"};
  }
  const std::uint16_t number = network_->listen(host_, options);
  listeners_.push_back({number, service});
  return network_->endpoint_of(number);
}

void simulated_engine::accept_queued() {
  for (const listening& each : listeners_) {
    while (accept_from(each)) {
    }
  }
}

void simulated_engine::close_listeners() {
  for (const listening& l : listeners_) network_->close_listener(l.number);
  listeners_.clear();
}

/// In two phases, as on the kernel: accept a batch, then serve each. True when the queue may hold
/// more.
bool simulated_engine::accept_from(const listening& where) {
  if (!accepting_ || !network_->has_queued(where.number)) return false;
  const listening from = where;
  fresh_.clear();
  while (fresh_.size() < accept_budget && accepting_) {
    const admission terms = events().reserve(fresh_.empty());
    if (terms == admission::later) break;
    if (!network_->has_queued(from.number)) {  // EAGAIN
      events().unreserve(terms);
      break;
    }
    ++wakeups_;
    if (network_->random().chance(network_->faults.accept_failures)) {
      events().unreserve(terms);
      events().on_accept_failed(network_->faults.accept_error);
      break;
    }
    const tcp_connection& came = *network_->accept(from.number);
    fresh_.push_back(
        {descriptor_of(came, side::server), from.service, network::address_of(came.index), terms});
  }
  for (const accepted& each : fresh_) events().on_accept(each);
  return !fresh_.empty();
}

// ── streams ──

outgoing_socket simulated_engine::connect(stream& fresh, const raw_address& to,
                                          const outgoing_options& how) noexcept {
  if (network_->random().chance(network_->faults.connect_failures)) {
    return {.error = network_->faults.connect_error};
  }
  const std::uint16_t port = socket_address::from(to.storage).to_endpoint().port;
  tcp_connection& c =
      network_->connect_from(host_, port, how.syn_retries.value_or(default_syn_retries));
  if (how.user_timeout != off) {
    c.caller->user_timeout = static_cast<std::uint64_t>(how.user_timeout.count());
  }
  fresh.descriptor = descriptor_of(c, side::client);
  return {.descriptor = fresh.descriptor};
}

int simulated_engine::connect_result(const stream& which, const raw_address&,
                                     bool in_error) noexcept {
  if (!in_error) return 0;
  const auto [c, at] = of(which);
  return std::exchange((*c)[at].error, std::int16_t{0});
}

received simulated_engine::receive(stream& from) noexcept {
  const auto [c, at] = of(from);
  random_numbers& random = network_->random();
  std::size_t size = input_buffer_size;
  if (random.chance(network_->faults.short_reads)) size = 1 + random.below(16);
  const std::ptrdiff_t count = network_->receive(*c, at, {input_buffer(), size});
  received result;
  if (count > 0) {
    result.what = received::outcome::data;
    result.more = network_->readable(*c, at) > 0;
    result.data = {input_buffer(), static_cast<std::size_t>(count)};
  } else if (count == 0) {
    result.what = received::outcome::end;
  } else if (count != -EAGAIN) {
    result.what = received::outcome::failed;
    result.error = static_cast<int>(-count);
  }
  return result;
}

bool simulated_engine::has_input(const stream& which) noexcept {
  const auto [c, at] = of(which);
  return network_->readable(*c, at) > 0;
}

sent simulated_engine::send(stream& to, std::span<const iovec> data, after_this follows) noexcept {
  const bool more = follows != after_this::anything;
  const auto [c, at] = of(to);
  const std::ptrdiff_t count = network_->send(*c, at, data, more);
  if (count >= 0) return {static_cast<std::size_t>(count), 0};
  return {0, count == -EAGAIN ? 0 : static_cast<int>(-count)};
}

sent_file simulated_engine::send_file(stream& to, int file, std::uint64_t offset,
                                      std::size_t count) noexcept {
  std::array<std::byte, 16'384> part;
  sent_file all;
  while (all.count < count) {
    const std::size_t wanted = std::min(part.size(), count - all.count);
    const ssize_t got = ::pread(file, part.data(), wanted, static_cast<off_t>(offset + all.count));
    if (got <= 0) {
      all.unreadable = all.count == 0;  // else the next call finds it so
      return all;
    }
    const auto size = static_cast<std::size_t>(got);
    const iovec whole{part.data(), size};
    const after_this follows = all.count + size < count ? after_this::file : after_this::anything;
    const sent now = send(to, {&whole, 1}, follows);
    all.count += now.count;
    if (all.count == 0) all.error = now.error;
    if (now.count < size) return all;
  }
  return all;
}

void simulated_engine::cork(stream& what, bool on) noexcept {
  what.corked = on;
  const auto [c, at] = of(what);
  network_->cork(*c, at, on);
}

void simulated_engine::shutdown_send(stream& what) noexcept {
  const auto [c, at] = of(what);
  network_->shutdown_send(*c, at);
}

std::uint32_t simulated_engine::unacknowledged(const stream& what) noexcept {
  const auto [c, at] = of(what);
  return network_->unacknowledged(*c, at);
}

std::optional<tcp_facts> simulated_engine::facts(const stream& what) noexcept {
  const auto [c, at] = of(what);
  return tcp_facts{.state = network_->state_of(*c, at),
                   .rtt = std::chrono::milliseconds{2 * network_->faults.delay},
                   .send_window = network_->send_window(*c, at)};
}

endpoint simulated_engine::local_endpoint(const stream& what) const {
  const auto [c, at] = of(what);
  if (at == side::client) return network::address_of(c->index).to_endpoint();
  return network_->endpoint_of(c->listener);
}

void simulated_engine::release(stream& what, dwell::release how) noexcept {
  const auto [c, at] = of(what);
  if (at == side::server) {
    c->released = true;
    c->released_at = static_cast<std::uint32_t>(network_->now());
  }
  (*c)[at].no_time_wait = how == dwell::release::fin_without_time_wait;
  if (how == dwell::release::reset) {
    network_->reset(*c, at);
  } else {
    network_->close(*c, at);
  }
  what.descriptor = -1;
  what.registered = 0;
}

}  // namespace dwell::inline v0
