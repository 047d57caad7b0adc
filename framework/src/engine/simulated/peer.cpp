#include "engine/simulated/peer.hpp"

#include <array>
#include <utility>

namespace dwell::inline v0 {

peer_data& simulated_peer::data() {
  if (!state().data) state().data = std::make_unique<peer_data>();
  return *state().data;
}

void simulated_peer::send(std::string_view bytes) {
  if (is_over() || state().shutdown_asked || state().close_asked) return;
  if (network_->random().chance(network_->faults.resets)) return reset();
  data().outgoing.append(bytes);
  flush();
}

void simulated_peer::shutdown_send() {
  if (is_over()) return;
  state().shutdown_asked = true;
  flush();
}

void simulated_peer::close() {
  if (is_over()) return;
  state().close_asked = true;
  flush();
}

void simulated_peer::reset() { network_->reset(*connection_, side::client); }

void simulated_peer::vanish() { network_->vanish(*connection_); }

void simulated_peer::read(bool on) {
  state().reads = on;
  if (on && !is_over()) read_all();
}

std::string_view simulated_peer::received() const noexcept {
  return state().data ? std::string_view{state().data->received} : std::string_view{};
}

std::string simulated_peer::take_received() {
  return state().data ? std::exchange(state().data->received, {}) : std::string{};
}

void simulated_peer::run_turn() {
  state().turn_scheduled = false;
  if (is_over() || connection_->vanished || !flush()) return;
  if (state().reads) read_all();
}

/// False when that was the end.
bool simulated_peer::flush() {
  if (state().data && !state().data->outgoing.empty()) {
    peer_data& d = *state().data;
    while (d.outgoing_done < d.outgoing.size()) {
      iovec rest{d.outgoing.data() + d.outgoing_done, d.outgoing.size() - d.outgoing_done};
      const std::ptrdiff_t taken = network_->send(*connection_, side::client, {&rest, 1});
      if (taken == -EAGAIN) return true;
      if (taken < 0) {
        d.outgoing.clear();
        d.outgoing_done = 0;
        lose(taken);
        return false;
      }
      d.outgoing_done += static_cast<std::size_t>(taken);
    }
    d.outgoing.clear();
    d.outgoing_done = 0;
  }
  if (state().close_asked) {
    network_->close(*connection_, side::client);
    return false;
  }
  if (state().shutdown_asked) network_->shutdown_send(*connection_, side::client);
  return true;
}

void simulated_peer::read_all() {
  if (network_->random().chance(network_->faults.resets) &&
      network_->readable(*connection_, side::client) > 0) {
    return reset();
  }
  while (!is_over() && read_once()) {
  }
}

bool simulated_peer::read_once() {
  if (state().got_end) return false;
  std::array<std::byte, 16 * 1024> room;
  const std::ptrdiff_t count = network_->receive(*connection_, side::client, room);
  if (count == -EAGAIN) return false;
  if (count < 0) {
    lose(count);
    return false;
  }
  if (count == 0) {
    state().got_end = true;
    if (state().closes_at_end) close();
    return false;
  }
  peer_data& d = data();
  d.received.append(reinterpret_cast<const char*>(room.data()), static_cast<std::size_t>(count));
  if (d.received.size() >= d.closes_after) {
    close();
    return false;
  }
  return true;
}

void simulated_peer::lose(std::ptrdiff_t error) {
  state().error = static_cast<std::int16_t>(-error);
  network_->close(*connection_, side::client);
}

}  // namespace dwell::inline v0
