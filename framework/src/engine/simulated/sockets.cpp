// What an application asks of its end, as the system calls do it.
#include "engine/simulated/byte_transfer.hpp"
#include "engine/simulated/network.hpp"

#include <algorithm>
#include <cstring>
#include <poll.h>
#include <utility>

namespace dwell::inline v0 {

std::uint32_t network::receive_buffer(const tcp_connection& c, side at) const noexcept {
  if (at == side::client) return default_receive_buffer;
  const auto& set = listeners_[c.listener].options.socket.receive_buffer;
  return set ? static_cast<std::uint32_t>(*set) : default_receive_buffer;
}

std::uint32_t network::send_buffer(const tcp_connection& c, side at) const noexcept {
  if (at == side::client) return default_send_buffer;
  const auto& set = listeners_[c.listener].options.socket.send_buffer;
  return set ? static_cast<std::uint32_t>(*set) : default_send_buffer;
}

std::size_t network::readable(const tcp_connection& c, side at) const noexcept {
  const auto& in = c[other(at)].out;
  return in ? in->unread.size() : 0;
}

std::uint32_t network::buffered(const tcp_connection& c, side at) const noexcept {
  const auto& out = c[at].out;
  return out ? out->unacknowledged + static_cast<std::uint32_t>(out->unsent.size()) : 0;
}

std::uint32_t network::room(const tcp_connection& c, side at) const noexcept {
  return send_buffer(c, at) - std::min(send_buffer(c, at), buffered(c, at));
}

std::uint32_t network::unacknowledged(const tcp_connection& c, side at) const noexcept {
  const std::uint8_t state = c[at].state;
  const bool fin = state == TCP_FIN_WAIT1 || state == TCP_CLOSING || state == TCP_LAST_ACK;
  return buffered(c, at) + (fin ? 1 : 0);
}

std::uint32_t network::send_window(const tcp_connection& c, side at) const noexcept {
  return c[at].out ? c[at].out->window : receive_buffer(c, other(at));
}

std::uint8_t network::state_of(const tcp_connection& c, side at) const noexcept {
  const std::uint8_t state = c[at].state;
  return state == TCP_TIME_WAIT && c[at].held ? std::uint8_t{TCP_CLOSE} : state;
}

short network::readiness(const tcp_connection& c, side at) const noexcept {
  const tcp_end& end = c[at];
  if (end.state == TCP_SYN_SENT) return 0;
  const bool closed = state_of(c, at) == TCP_CLOSE;
  int ready = 0;
  if (readable(c, at) > 0 || end.fin_received || end.error != 0 || closed) ready |= POLLIN;
  if (end.fin_received || closed) ready |= POLLRDHUP;
  if ((end.fin_received && end.fin_queued) || closed) ready |= POLLHUP;
  if (end.error != 0) ready |= POLLERR;
  if (room(c, at) >= send_buffer(c, at) / 3 || end.fin_queued || closed) ready |= POLLOUT;
  return static_cast<short>(ready);
}

std::ptrdiff_t network::receive(tcp_connection& c, side at, std::span<std::byte> into) {
  tcp_end& end = c[at];
  if (const std::size_t count = std::min(readable(c, at), into.size()); count > 0) {
    tcp_flow& in = *c[other(at)].out;
    std::byte* place = into.data();
    take_bytes(in.unread, count, [&](std::span<const std::byte> part) {
      std::memcpy(place, part.data(), part.size());
      place += part.size();
    });
    const std::uint32_t whole = receive_buffer(c, at);
    const auto window = whole - static_cast<std::uint32_t>(in.unread.size());
    if (in.advertised < whole && (in.advertised < whole / 2 || in.unread.empty()) &&
        end.needs_reset()) {
      in.advertised = window;
      segment update;
      update.is_acknowledgement = true;
      update.window = window;
      put_on_wire(c, at, std::move(update));
    }
    tidy(c, other(at));
    return static_cast<std::ptrdiff_t>(count);
  }
  if (end.fin_received) return 0;
  if (end.error != 0) return -std::exchange(end.error, std::int16_t{0});
  return end.state == TCP_CLOSE ? 0 : -EAGAIN;
}

std::ptrdiff_t network::send(tcp_connection& c, side at, std::span<const iovec> data, bool more) {
  tcp_end& end = c[at];
  if (end.error != 0) return -std::exchange(end.error, std::int16_t{0});
  if (end.fin_queued || end.state == TCP_CLOSE) return -EPIPE;
  std::size_t left = room(c, at);
  if (left > 0 && random_.chance(faults.short_writes)) left = random_.below(left);
  std::ptrdiff_t taken = 0;
  for (const iovec& part : data) {
    const std::size_t count = std::min(part.iov_len, left);
    if (count == 0) continue;
    flow_from(c, at).unsent.append(pool_, {static_cast<const std::byte*>(part.iov_base), count});
    taken += static_cast<std::ptrdiff_t>(count);
    left -= count;
  }
  if (taken == 0) return -EAGAIN;
  transmit(c, at, end.corked || more);
  return taken;
}

void network::shutdown_send(tcp_connection& c, side at) {
  if (queue_fin(c, at)) notify(c, at);  // both sides shut: HUP
}

void network::cork(tcp_connection& c, side at, bool on) {
  c[at].corked = on;
  if (!on) transmit(c, at, false);
}

void network::close(tcp_connection& c, side at) {
  tcp_end& end = c[at];
  if (!end.held) return;
  const bool unread = readable(c, at) > 0;
  end.held = false;
  drop_unread(c, at);
  if (unread && end.state != TCP_CLOSE && end.state != TCP_TIME_WAIT) {
    send_reset(c, at);
  } else if (end.state == TCP_FIN_WAIT2) {
    end.since = now32();
    if (end.no_time_wait) send_reset(c, at);
  } else if (end.state == TCP_SYN_SENT) {
    enter(c, at, TCP_CLOSE);
  } else {
    queue_fin(c, at);
  }
  tidy(c, at);
}

void network::reset(tcp_connection& c, side at) {
  tcp_end& end = c[at];
  if (!end.held) return;
  end.held = false;
  drop_unread(c, at);
  const bool fin_waits = (end.state == TCP_CLOSING || end.state == TCP_LAST_ACK) && !end.fin_sent;
  if (end.needs_reset() || fin_waits) {
    send_reset(c, at);
  } else if (end.state != TCP_TIME_WAIT) {
    enter(c, at, TCP_CLOSE);  // in SYN_SENT too: its SYN is answered with our reset
  }
  tidy(c, at);
}

void network::vanish(tcp_connection& c) { c.vanished = true; }

}  // namespace dwell::inline v0
