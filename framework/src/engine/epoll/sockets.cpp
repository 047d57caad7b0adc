#include "engine/epoll/epoll_engine.hpp"
#include "net/close_sequence.hpp"
#include "net/raw_calls.hpp"

#include <cerrno>
#include <csignal>
#include <ctime>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace dwell::inline v0 {
namespace {

/// sendfile(2) has no MSG_NOSIGNAL. Where SIGPIPE would end the process, it is blocked for the
/// call, and taken back when it has come. A server's own threads need nothing of it.
class without_sigpipe {
 public:
  without_sigpipe() noexcept {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    if (!kills()) return;
    on_ = true;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  without_sigpipe(const without_sigpipe&) = delete;
  without_sigpipe& operator=(const without_sigpipe&) = delete;
  ~without_sigpipe() {
    if (on_) pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  /// After a call that did not do all it was asked: part of it may have, before the signal came.
  void take_back() const noexcept {
    if (!on_) return;
    const int kept = errno;
    constexpr timespec at_once{};
    while (sigtimedwait(&pipe_, nullptr, &at_once) < 0 && errno == EINTR) {
    }
    errno = kept;
  }

 private:
  /// As it is when the thread first asks.
  static bool kills() noexcept {
    static thread_local const bool does = [] {
      struct sigaction action {};
      sigset_t blocked;
      sigemptyset(&blocked);
      ::sigaction(SIGPIPE, nullptr, &action);
      pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
      return action.sa_handler != SIG_IGN && sigismember(&blocked, SIGPIPE) == 0;
    }();
    return does;
  }

  sigset_t pipe_;
  sigset_t before_;
  bool on_ = false;
};

/// Errors of sendfile(2) that are the file's.
bool is_of_file(int error) noexcept {
  return error == EIO || error == EINVAL || error == EBADF || error == EOVERFLOW ||
         error == ENOSYS || error == ESPIPE;
}

}  // namespace

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

// Past the wrappers of glibc, as net/raw_calls.hpp says why.

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

bool epoll_engine::has_input(const stream& which) noexcept {
  std::byte next;
  return ::syscall(SYS_recvfrom, which.descriptor, &next, 1, MSG_PEEK | MSG_DONTWAIT, nullptr,
                   nullptr) > 0;
}

sent epoll_engine::send(stream& to, std::span<const iovec> data, after_this follows) noexcept {
  const int flags = MSG_NOSIGNAL | (follows == after_this::anything ? 0 : MSG_MORE);
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

sent_file epoll_engine::send_file(stream& to, int file, std::uint64_t offset,
                                  std::size_t count) noexcept {
  auto at = static_cast<off_t>(offset);
  ssize_t sent;
  {
    const without_sigpipe scope;
    do {
      sent = ::sendfile(to.descriptor, file, &at, count);
    } while (sent < 0 && errno == EINTR);
    if (sent != static_cast<ssize_t>(count)) scope.take_back();
  }
  if (sent > 0) return {.count = static_cast<std::size_t>(sent)};
  if (sent == 0 || is_of_file(errno)) return {.unreadable = true};
  if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) return {};
  return {.error = errno};
}

void epoll_engine::cork(stream& what, bool on) noexcept {
  set_cork(what.descriptor, on);
  what.corked = on;
}

void epoll_engine::shutdown_send(stream& what) noexcept { raw_shutdown(what.descriptor, SHUT_WR); }

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
      raw_close(what.descriptor);
      break;
    case dwell::release::fin_without_time_wait:
      if (!what.no_time_wait) set_no_time_wait(what.descriptor);
      raw_close(what.descriptor);
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
