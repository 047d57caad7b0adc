#include "engine/epoll/poller.hpp"

#include "net/raw_calls.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

namespace dwell::inline v0 {
namespace {

// stream::registered. `present` tells an empty interest from not being in the set.
constexpr std::uint8_t present = 1;
constexpr std::uint8_t input = 2;
constexpr std::uint8_t output = 4;
constexpr std::uint8_t peer_fin = 8;

std::uint32_t to_events(std::uint8_t interest) noexcept {
  std::uint32_t events = 0;
  if ((interest & input) != 0) events |= EPOLLIN;
  if ((interest & output) != 0) events |= EPOLLOUT;
  if ((interest & peer_fin) != 0) events |= EPOLLRDHUP;
  return events;
}

}  // namespace

poller::poller() : set_{epoll_create1(EPOLL_CLOEXEC)} {
  if (set_ < 0) throw std::system_error{errno, std::generic_category(), "epoll_create1"};
}

poller::~poller() {
  if (set_ >= 0) ::close(set_);
}

void poller::renew() {
  const int fresh = epoll_create1(EPOLL_CLOEXEC);
  if (fresh < 0) return;           // the old one works, only with ghosts
  ::dup3(fresh, set_, O_CLOEXEC);  // the number stays, which other descriptor tables have as well
  ::close(fresh);
}

std::span<const epoll_event> poller::poll() noexcept {
  const int count = static_cast<int>(
      ::syscall(SYS_epoll_pwait, set_, ready_.data(), ready_.size(), 0, nullptr, 0));
  return {ready_.data(), static_cast<std::size_t>(std::max(0, count))};
}

bool poller::watch(stream& what) noexcept {
  std::uint8_t wanted = present;
  if (what.wants_input) wanted |= input;
  if (what.wants_output) wanted |= output;
  const bool missing = (wanted & ~what.registered) != 0;
  const bool would_spin = (what.registered & output) != 0 && !what.wants_output;
  if (!missing && !would_spin) return true;

  if (what.registered == 0 && !what.wants_input) wanted |= peer_fin;
  // Input that is no longer wanted stays registered until it comes.
  wanted = static_cast<std::uint8_t>(wanted | (what.registered & (input | peer_fin)));
  const int operation = (what.registered & present) != 0 ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (!control(operation, what.descriptor, to_events(wanted), what.slot, what.generation)) {
    return false;
  }
  what.registered = wanted;
  return true;
}

bool poller::mute(stream& what, std::uint32_t events) noexcept {
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
    control(EPOLL_CTL_DEL, what.descriptor, 0, what.slot, what.generation);
    what.registered = 0;
    return true;
  }
  const bool first = (what.registered & input) != 0;
  what.registered &= static_cast<std::uint8_t>(~(input | peer_fin));
  if (first) what.registered |= peer_fin;
  control(EPOLL_CTL_MOD, what.descriptor, to_events(what.registered), what.slot, what.generation);
  return false;
}

void poller::watch_listener(int descriptor, std::uint32_t index, bool on) noexcept {
  const std::uint32_t events = on ? std::uint32_t{EPOLLIN} : 0;
  if (!control(EPOLL_CTL_MOD, descriptor, events, listener_slot, index)) {
    control(EPOLL_CTL_ADD, descriptor, events, listener_slot, index);
  }
}

bool poller::control(int operation, int descriptor, std::uint32_t events, std::uint32_t slot,
                     std::uint32_t generation) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.u64 = std::uint64_t{generation} << 32U | slot;
  return ::syscall(SYS_epoll_ctl, set_, operation, descriptor, &event) == 0;
}

}  // namespace dwell::inline v0
