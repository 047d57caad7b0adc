#include <dwell/connection/connection.hpp>

#include "connection/loop.hpp"
#include "deadline/validate.hpp"

#include <algorithm>
#include <limits>

namespace dwell::inline v0 {
namespace {

loop& host(const connection& peer) noexcept { return *as_slot(peer).service->host; }

}  // namespace

connection_id connection::id() const noexcept { return host(*this).id_of(as_slot(*this)); }
dwell::server& connection::server() const noexcept { return host(*this).owner().facade(); }
const service_options& connection::options() const noexcept { return as_slot(*this).options(); }
endpoint connection::peer_endpoint() const { return as_slot(*this).peer.to_endpoint(); }
std::optional<endpoint> connection::proxy_endpoint() const {
  const auto& rare = as_slot(*this).rare;
  if (!rare || !rare->came_by_proxy()) return std::nullopt;
  return rare->proxy.to_endpoint();
}
endpoint connection::local_endpoint() const {
  return native_handle() < 0 ? endpoint{} : host(*this).io().local_endpoint(as_slot(*this).io);
}
int connection::native_handle() const noexcept { return as_slot(*this).io.descriptor; }

bool connection::is_open() const noexcept { return !as_slot(*this).decided; }

std::optional<close_reason> connection::reason() const noexcept {
  const slot& c = as_slot(*this);
  if (c.decided) return c.why;
  if (c.input_ended) return close_reason::peer_closed;
  return std::nullopt;
}

dwell::phase connection::phase() const noexcept { return as_slot(*this).clock.current(); }

duration connection::age() const noexcept {
  return duration{static_cast<std::int64_t>(host(*this).io().now() - as_slot(*this).opened_at)};
}
duration connection::idle_for() const noexcept {
  return duration{host(*this).io().now_tick() - as_slot(*this).last_activity};
}
std::optional<duration> connection::time_left() const noexcept {
  return host(*this).time_left(as_slot(*this));
}
std::chrono::steady_clock::time_point connection::now() const noexcept {
  const auto now = static_cast<std::int64_t>(host(*this).io().now());
  return std::chrono::steady_clock::time_point{std::chrono::milliseconds{now}};
}
std::chrono::sys_seconds connection::date() const noexcept { return host(*this).io().date(); }
std::uint64_t connection::received() const noexcept { return as_slot(*this).received_bytes; }
std::uint64_t connection::sent() const noexcept { return as_slot(*this).sent_bytes; }
std::size_t connection::queued() const noexcept { return host(*this).queued(as_slot(*this)); }
bool connection::is_writable() const noexcept {
  return as_slot(*this).accepts_output() && !as_slot(*this).above_high;
}
std::uint64_t connection::exchanges() const noexcept { return as_slot(*this).finished_exchanges; }

const tls_facts* connection::tls() const noexcept {
  const slot& c = as_slot(*this);
  return c.filtered ? c.filter().facts() : nullptr;
}

bool connection::send(bytes data) noexcept { return host(*this).send(as_slot(*this), data); }
bool connection::send_file(file_part what) noexcept {
  return host(*this).send_file(as_slot(*this), std::move(what));
}
void connection::shutdown_send() noexcept { host(*this).half_close(as_slot(*this)); }

void connection::pause() noexcept { as_slot(*this).paused = true; }
void connection::resume() noexcept { host(*this).resume(as_slot(*this)); }

void connection::yield() noexcept {
  as_slot(*this).yielded = true;
  host(*this).mark(as_slot(*this), pending_work::redeliver);
}

owed connection::owe() noexcept {
  slot& c = as_slot(*this);
  if (c.owed == std::numeric_limits<std::uint16_t>::max()) return {};  // the others speak for it
  ++c.owed;
  return owed{host(*this).mail(), id()};
}

owed& owed::operator=(owed&& other) noexcept {
  std::swap(where_, other.where_);
  std::swap(id_, other.id_);
  return *this;
}

owed::~owed() {
  if (where_ == nullptr) return;
  if (loop* const here = loop::current(); here != nullptr && here->mail() == where_) {
    if (slot* const c = here->find(id_)) here->release_owed(*c);
    return;
  }
  where_->order([id = id_](loop& there) {
    if (slot* const c = there.find(id)) there.release_owed(*c);
  });
}

void connection::set_deadline(dwell::phase which, duration value) noexcept {
  slot& c = as_slot(*this);
  if (c.is_released()) return;
  if (!c.rare) c.rare.reset(new (std::nothrow) uncommon{});
  if (!c.rare) return;
  if (!c.rare->overrides) c.rare->overrides.reset(new (std::nothrow) deadlines{c.limits()});
  if (!c.rare->overrides) return;
  const duration bounded = value == off ? off : std::clamp(value, duration{1}, longest_deadline);
  switch (which) {
    case phase::handshake: c.rare->overrides->handshake = bounded; break;
    case phase::idle: c.rare->overrides->idle = bounded; break;
    case phase::read: c.rare->overrides->read = bounded; break;
    case phase::handle: c.rare->overrides->handle = bounded; break;
    case phase::write: c.rare->overrides->write = bounded; break;
    case phase::close: c.rare->overrides->close = bounded; break;
  }
  host(*this).deadlines_changed(c);
}

void connection::close(close_reason reason) noexcept { host(*this).close(as_slot(*this), reason); }
void connection::close(close_reason reason, close_method method) noexcept {
  host(*this).close(as_slot(*this), reason, method);
}

void connection::delimits_messages() noexcept { as_slot(*this).delimits = true; }

void connection::message_started() noexcept {
  slot& c = as_slot(*this);
  c.message_open = true;
  c.answering = false;
  // A pipelined message starts while the phase is still that of the one before it.
  c.clock.next_message(host(*this).io().now_tick());
}

void connection::message_received() noexcept {
  slot& c = as_slot(*this);
  c.message_open = false;
  c.answering = true;
}

void connection::message_awaited() noexcept {
  as_slot(*this).message_open = as_slot(*this).answering = false;
}

void connection::answer_goes_on() noexcept {
  as_slot(*this).clock.answer_goes_on(host(*this).io().now_tick());
}

bool connection::exchange_finished() noexcept {
  return host(*this).finish_exchange(as_slot(*this));
}
bool connection::last_exchange(bool more_came) noexcept {
  return host(*this).shall_announce_end(as_slot(*this), more_came);
}
void connection::announced_close() noexcept { as_slot(*this).announced = true; }

}  // namespace dwell::inline v0
