// For LD_PRELOAD: the kernel as it may be on stream sockets, and seldom is. A receive brings one
// byte, a send takes one to seven; with DWELL_CLOCK_JUMPS=1 the wall clock is a day ahead every
// second time it is asked. Programs that DWELL_SHORT_IO_IN does not name, where it is set, go on as
// always.
#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <dlfcn.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

namespace {

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

bool is_meant() {
  const char* const names = std::getenv("DWELL_SHORT_IO_IN");
  return names == nullptr || std::strstr(names, program_invocation_short_name) != nullptr;
}

bool is_stream(int descriptor) {
  static const bool meant = is_meant();
  if (!meant) return false;
  int type = 0, domain = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return false;
  size = sizeof domain;
  return type == SOCK_STREAM &&
         ::getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
         (domain == AF_INET || domain == AF_INET6);
}

std::size_t few() {
  static thread_local unsigned turn = 0;
  return 1 + turn++ % 7;
}

}  // namespace

extern "C" {

// What Dwell's engine calls; see epoll_engine::receive().
long syscall(long number, ...) noexcept {
  va_list rest;
  va_start(rest, number);
  long a[6];
  for (long& each : a) each = va_arg(rest, long);
  va_end(rest);
  const auto descriptor = static_cast<int>(a[0]);
  const auto size = static_cast<std::size_t>(a[2]);
  if (number == SYS_recvfrom && size > 1 && is_stream(descriptor)) a[2] = 1;
  if (number == SYS_sendto && size > 7 && is_stream(descriptor)) a[2] = static_cast<long>(few());
  static auto* const real = next<long(long, long, long, long, long, long, long)>("syscall");
  return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

ssize_t recv(int descriptor, void* into, std::size_t size, int flags) {
  static auto* const real = next<ssize_t(int, void*, std::size_t, int)>("recv");
  const bool peeks = (flags & (MSG_PEEK | MSG_WAITALL)) != 0;
  return real(descriptor, into, size > 1 && !peeks && is_stream(descriptor) ? 1 : size, flags);
}

ssize_t send(int descriptor, const void* from, std::size_t size, int flags) {
  static auto* const real = next<ssize_t(int, const void*, std::size_t, int)>("send");
  return real(descriptor, from, size > 7 && is_stream(descriptor) ? few() : size, flags);
}

ssize_t sendmsg(int descriptor, const msghdr* message, int flags) {
  static auto* const real = next<ssize_t(int, const msghdr*, int)>("sendmsg");
  if (message->msg_control != nullptr || message->msg_iovlen == 0 || !is_stream(descriptor)) {
    return real(descriptor, message, flags);
  }
  for (std::size_t i = 0; i < message->msg_iovlen; ++i) {
    iovec first = message->msg_iov[i];
    if (first.iov_len == 0) continue;
    const std::size_t part = few();
    if (first.iov_len > part) first.iov_len = part;
    msghdr shortened = *message;
    shortened.msg_iov = &first;
    shortened.msg_iovlen = 1;
    return real(descriptor, &shortened, flags);
  }
  return real(descriptor, message, flags);
}

ssize_t sendfile(int to, int from, off_t* offset, std::size_t count) noexcept {
  static auto* const real = next<ssize_t(int, int, off_t*, std::size_t)>("sendfile");
  return real(to, from, offset, count > 7 && is_stream(to) ? few() : count);
}

int clock_gettime(clockid_t which, timespec* now) noexcept {
  static auto* const real = next<int(clockid_t, timespec*)>("clock_gettime");
  static const bool jumps = std::getenv("DWELL_CLOCK_JUMPS") != nullptr;
  const int result = real(which, now);
  static thread_local unsigned turn = 0;
  if (result == 0 && jumps && which == CLOCK_REALTIME && turn++ % 2 == 1) now->tv_sec += 86'400;
  return result;
}

}  // extern "C"
