#include "engine/epoll/epoll_engine.hpp"
#include "net/close_sequence.hpp"

#include <cerrno>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace dwell::inline v0 {

bool epoll_engine::watch(stream& what) noexcept { return !what.enrolled || poller_.watch(what); }

outgoing_socket epoll_engine::connect(stream& fresh, const raw_address& to,
                                      const outgoing_options& how) noexcept {
  const outgoing_socket made = begin_connect(to, how);
  fresh.descriptor = made.descriptor;
  fresh.is_tcp = to.family() != AF_UNIX;
  return made;
}

int epoll_engine::connect_result(const stream& which, const raw_address& to,
                                 bool in_error) noexcept {
  return end_connect(which.descriptor, to, in_error);
}

// recv() and send() of glibc are cancellation points: in a process with threads each call costs two
// locked instructions more than the kernel asks for. Nobody cancels a loop.

received epoll_engine::receive(stream& from) noexcept {
  ssize_t count;
  do {
    count = ::syscall(SYS_recvfrom, from.descriptor, input_buffer(), input_buffer_size, 0, nullptr,
                      nullptr);
  } while (count < 0 && errno == EINTR);
  if (count > 0) {
    const auto size = static_cast<std::size_t>(count);
    return {.what = received::outcome::data,
            .more = size == input_buffer_size,
            .data = bytes{input_buffer(), size}};
  }
  if (count == 0) return {.what = received::outcome::end};
  if (errno == EAGAIN) return {.what = received::outcome::would_block};
  return {.what = received::outcome::failed, .error = errno};
}

sent epoll_engine::send(stream& to, std::span<const iovec> data, after_this follows) noexcept {
  const int flags = MSG_NOSIGNAL | (follows == after_this::fin ? MSG_MORE : 0);
  ssize_t count;
  do {
    if (data.size() == 1) {
      count = ::syscall(SYS_sendto, to.descriptor, data[0].iov_base, data[0].iov_len, flags,
                        nullptr, 0);
    } else {
      msghdr message{};
      message.msg_iov = const_cast<iovec*>(data.data());
      message.msg_iovlen = data.size();
      count = ::sendmsg(to.descriptor, &message, flags);
    }
  } while (count < 0 && errno == EINTR);
  if (count >= 0) return {.count = static_cast<std::size_t>(count)};
  // ENOBUFS and ENOMEM pass: the bytes stay queued, and the write deadline bounds the wait.
  if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) return {};
  return {.error = errno};
}

void epoll_engine::cork(stream& what, bool on) noexcept {
  set_cork(what.descriptor, on);
  what.corked = on;
}

void epoll_engine::shutdown_send(stream& what) noexcept { ::shutdown(what.descriptor, SHUT_WR); }

std::uint32_t epoll_engine::unacknowledged(const stream& what) noexcept {
  int count = 0;
  if (::ioctl(what.descriptor, SIOCOUTQ, &count) != 0) return 0;
  return static_cast<std::uint32_t>(count);
}

std::optional<tcp_facts> epoll_engine::facts(const stream& what) noexcept {
  return read_tcp_facts(what.descriptor);
}

endpoint epoll_engine::local_endpoint(const stream& what) const {
  sockaddr_storage address;
  socklen_t length = sizeof address;
  if (::getsockname(what.descriptor, reinterpret_cast<sockaddr*>(&address), &length) != 0)
    return {};
  return to_endpoint(address, length);
}

void epoll_engine::release(stream& what, dwell::release how) noexcept {
  switch (how) {
    case dwell::release::fin:
      if (what.no_time_wait) allow_time_wait(what.descriptor);
      ::close(what.descriptor);
      break;
    case dwell::release::fin_without_time_wait:
      if (!what.no_time_wait) set_no_time_wait(what.descriptor);
      ::close(what.descriptor);
      break;
    case dwell::release::reset: close_with_reset(what.descriptor); break;
  }
  what.descriptor = -1;
}

bool epoll_engine::can_avoid_time_wait() const noexcept {
  static const bool works = no_time_wait_works();
  return works;
}

}  // namespace dwell::inline v0
