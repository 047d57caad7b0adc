#include "net/close_sequence.hpp"

#include "net/raw_calls.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dwell::inline v0 {

void set_cork(int descriptor, bool on) noexcept {
  const int value = on ? 1 : 0;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_CORK, &value, sizeof value);
}

bool set_no_time_wait(int descriptor) noexcept {
  const int never = -1;
  return ::setsockopt(descriptor, IPPROTO_TCP, TCP_LINGER2, &never, sizeof never) == 0;
}

void allow_time_wait(int descriptor) noexcept {
  const int system_wide = 0;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_LINGER2, &system_wide, sizeof system_wide);
}

bool no_time_wait_works() noexcept {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
  if (probe < 0) return false;
  int value = 0;
  socklen_t length = sizeof value;
  const bool works = set_no_time_wait(probe) &&
                     ::getsockopt(probe, IPPROTO_TCP, TCP_LINGER2, &value, &length) == 0 &&
                     value < 0;
  ::close(probe);
  return works;
}

void close_with_reset(int descriptor) noexcept {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  raw_close(descriptor);
}

}  // namespace dwell::inline v0
