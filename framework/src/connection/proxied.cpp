// Connections of a service with PROXY protocol, up to the end of the header.
#include "connection/address_limits.hpp"
#include "connection/loop.hpp"
#include "connection/proxy_header_reader.hpp"

#include <algorithm>
#include <utility>

namespace dwell::inline v0 {
namespace {

void count_header(slot& c, proxy_header_result what) noexcept {
  c.counters().proxy_headers[static_cast<std::size_t>(what)].add();
}

bool let_in_by_address(slot& c, std::uint64_t now) noexcept {
  address_limits* const limits = c.service->of->addresses;
  if (limits == nullptr) return true;
  if (!limits->admit(c.peer, now)) {
    c.counters().over_address_limit.add();
    return false;
  }
  c.has_address_counted = limits->counts(c.peer);
  return true;
}

/// The header's own deadline makes way for the service's.
void end_header_deadline(slot& c) noexcept {
  deadlines& now = *c.rare->overrides;
  now.handshake = c.options().deadlines.handshake;
  if (now == c.options().deadlines) c.rare->overrides.reset();  // or somebody has set another
}

}  // namespace

proxy_header_reader::taken proxy_header_reader::read(bytes raw) {
  const std::size_t before = held_.size();
  bytes header = raw;
  if (before != 0) {
    const bytes more = raw.first(std::min(raw.size(), proxy_header::longest - before));
    held_.insert(held_.end(), more.begin(), more.end());
    header = bytes{held_};
  }
  const proxy_header found = read_proxy_header(header);
  if (found.now == proxy_header::progress::incomplete) {
    if (before == 0) held_.assign(raw.begin(), raw.end());
    failure_ = "the header is not whole";
    return {found.now, raw.size()};
  }
  client_ = found.client;
  failure_ = found.failure;
  return {found.now, found.size - std::min(found.size, before)};
}

/// False: refused. Behind a proxy its client is looked at once it is known, and anybody but a proxy
/// could say that it is somebody: not a byte of it is read.
bool loop::may_come(const accepted& fresh) {
  hosted_service& hosted = *services_[fresh.service];
  const service& of = *hosted.of;
  if (of.proxies) {
    if (of.proxies->contains(fresh.peer)) return true;
    constexpr auto untrusted = static_cast<std::size_t>(proxy_header_result::untrusted);
    hosted.counters.proxy_headers[untrusted].add();
    owner_->log_untrusted(of, fresh.peer, io_->now());
  } else {
    if (of.addresses == nullptr || of.addresses->admit(fresh.peer, io_->now())) return true;
    hosted.counters.over_address_limit.add();
  }
  hosted.counters.refused.add();  // before the client can know
  stream unwanted{.descriptor = fresh.descriptor};
  io_->release(unwanted, dwell::release::reset);
  return false;
}

void await_proxy_header(slot& c) {
  c.rare = std::make_unique<uncommon>();
  c.rare->overrides = std::make_unique<deadlines>(c.options().deadlines);
  c.rare->overrides->handshake = c.options().proxy_protocol->deadline;
  c.rare->filter = std::make_unique<proxy_header_reader>();
  c.rare->awaits_proxy_header = true;
  c.filtered = true;
}

void loop::on_proxy_header(slot& c, bytes raw, bool more) {
  if (c.decided) return on_input(c, raw, more);  // discarded
  auto& reader = static_cast<proxy_header_reader&>(c.filter());
  const auto [now, size] = reader.read(raw);
  if (now == proxy_header::progress::incomplete) return;
  if (now == proxy_header::progress::malformed) {
    count_header(c, proxy_header_result::malformed);
    return close(c, close_reason::protocol_error);
  }
  if (const auto& client = reader.client()) {
    count_header(c, proxy_header_result::client);
    c.rare->proxy = std::exchange(c.peer, *client);
    if (!let_in_by_address(c, io_->now())) {
      return close(c, close_reason::overload, close_method::abort);
    }
  } else {
    count_header(c, proxy_header_result::own);
  }
  end_header_deadline(c);
  c.rare->awaits_proxy_header = false;
  c.clock.enter(phase::idle, io_->now_tick());
  c.last_activity = io_->now_tick();
  c.nearer_deadline = true;
  const bytes rest = raw.subview(size);
  if (filter_maker* const filters = c.service->of->filters.get()) {
    c.rare->filter = filters->make(index_);
    return rest.empty() ? update_deadline(c) : on_raw(c, rest, more);
  }
  c.rare->filter.reset();
  c.filtered = false;
  c.drop_rare_if_empty();
  open(c);
  if (rest.empty() || c.is_released()) return;
  if (!c.decided && !may_read(c)) return c.kept.append(*pool_, rest);  // on_open has paused it
  on_input(c, rest, more);
}

}  // namespace dwell::inline v0
