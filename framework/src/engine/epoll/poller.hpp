#pragma once

#include "engine/engine.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <sys/epoll.h>

namespace dwell::inline v0 {

/// An epoll set and what is in it. Level-triggered; interest follows want, lazily where that spares
/// a call.
class poller {
 public:
  static constexpr std::size_t batch = 128;
  /// event.data of listener `n` is {listener_slot, n}.
  static constexpr std::uint32_t listener_slot = 0xffff'ffff;

  poller();
  ~poller();
  poller(const poller&) = delete;
  poller& operator=(const poller&) = delete;

  int descriptor() const noexcept { return set_; }
  /// What is ready now; never waits.
  std::span<const epoll_event> poll() noexcept;

  bool watch(stream& what) noexcept;
  /// An input event came that nobody wants: interest shrinks, so that it does not come again. True:
  /// the peer has hung up, and the stream has left the set, because HUP and ERR cannot be masked.
  bool mute(stream& what, std::uint32_t events) noexcept;

  void watch_listener(int descriptor, std::uint32_t index, bool on) noexcept;

  /// Makes a new, empty set; for when the old one is haunted (see epoll_engine).
  void renew();

  static std::uint32_t slot_of(const epoll_event& event) noexcept {
    return static_cast<std::uint32_t>(event.data.u64);
  }
  static std::uint32_t generation_of(const epoll_event& event) noexcept {
    return static_cast<std::uint32_t>(event.data.u64 >> 32U);
  }

 private:
  bool control(int operation, int descriptor, std::uint32_t events, std::uint32_t slot,
               std::uint32_t generation) noexcept;

  int set_;
  std::array<epoll_event, batch> ready_;
};

}  // namespace dwell::inline v0
