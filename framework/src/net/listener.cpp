#include "net/listener.hpp"

#include "net/connection_options.hpp"
#include "net/socket_address.hpp"

#include <cerrno>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>

namespace dwell::inline v0 {
namespace {

class unique_descriptor {
 public:
  explicit unique_descriptor(int descriptor) noexcept : descriptor_{descriptor} {}
  unique_descriptor(const unique_descriptor&) = delete;
  unique_descriptor& operator=(const unique_descriptor&) = delete;
  ~unique_descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  int get() const noexcept { return descriptor_; }
  int release() noexcept { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

void set_bind_options(int descriptor, int family, const listener_options& options) {
  const socket_options& socket = options.socket;
  const auto set_one = [descriptor](int option, const char* name, int value) {
    set_socket_option(descriptor, SOL_SOCKET, option, name, value);
  };
  if (family == AF_UNIX) return;
  set_one(SO_REUSEADDR, "SO_REUSEADDR", socket.reuse_address ? 1 : 0);
  if (family == AF_INET6) {
    set_socket_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, "IPV6_V6ONLY", socket.v6only ? 1 : 0);
  }
  if (options.joins) set_one(SO_REUSEPORT, "SO_REUSEPORT", 1);
}

/// What accepted sockets inherit.
void set_inheritable_options(int descriptor, int family, const listener_options& options) {
  const socket_options& socket = options.socket;
  set_buffers(descriptor, socket);
  if (family == AF_UNIX) return;
  set_tcp_options(descriptor, socket, options.user_timeout);
  const auto set_tcp = [descriptor](int option, const char* name, auto value) {
    set_tcp_option(descriptor, option, name, static_cast<int>(value));
  };
  if (options.no_time_wait) set_tcp(TCP_LINGER2, "TCP_LINGER2", -1);
  if (socket.defer_accept) {
    set_tcp(TCP_DEFER_ACCEPT, "TCP_DEFER_ACCEPT (s)", socket.defer_accept->count());
  }
  if (options.cork) set_tcp(TCP_CORK, "TCP_CORK", 1);
}

/// A socket file that nobody listens on is what a killed server left behind: binding may replace
/// it.
void remove_stale_socket(const raw_address& address, const std::string& path) {
  struct stat about {};
  if (::lstat(path.c_str(), &about) != 0 || !S_ISSOCK(about.st_mode)) return;
  const unique_descriptor probe{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (probe.get() < 0) return;
  if (::connect(probe.get(), address.get(), address.length) != 0 && errno == ECONNREFUSED) {
    ::unlink(path.c_str());
  }
}

std::string advice(int error, const endpoint& where) {
  switch (error) {
    case EADDRINUSE:
      return where.is_unix()
                 ? "; another server listens there, or the file is no socket: use another path"
                 : "; another server listens there: stop it, or use another port";
    case EACCES:
      return where.is_unix() ? "; use a directory you may write to"
                             : "; use a port above 1023 or grant CAP_NET_BIND_SERVICE";
    case EADDRNOTAVAIL: return "; no interface has this address: see `ip address`";
    case EAFNOSUPPORT: return "; this kernel has no such address family";
    case EBADF: return "; nobody has passed it to this process";
    case ENOTSOCK:
    case EINVAL: return "; a stream socket that listens is needed";
    default: return {};
  }
}

/// Says what failed, why, and what to do, in this order; std::system_error alone would end with the
/// why.
class listen_error final : public std::system_error {
 public:
  listen_error(int error, const endpoint& where)
      : std::system_error{error, std::generic_category()},
        text_{"cannot listen on " + to_string(where) + ": " + code().message() +
              advice(error, where)} {}
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

[[noreturn]] void fail_at(int error, const endpoint& where) { throw listen_error{error, where}; }

unique_descriptor open_socket(const endpoint& where, raw_address& address) {
  const auto open = [&] {
    return ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  };
  int descriptor = open();
  if (descriptor < 0 && errno == EAFNOSUPPORT && where.address.empty()) {
    address = to_raw_address({"0.0.0.0", where.port});
    descriptor = open();
  }
  if (descriptor < 0) fail_at(errno, where);
  return unique_descriptor{descriptor};
}

}  // namespace

endpoint where_listens(int descriptor) {
  const endpoint named{"fd:" + std::to_string(descriptor), 0};
  const auto asked = [&](int option) {
    int value = 0;
    socklen_t size = sizeof value;
    if (::getsockopt(descriptor, SOL_SOCKET, option, &value, &size) != 0) fail_at(errno, named);
    return value;
  };
  if (asked(SO_TYPE) != SOCK_STREAM || asked(SO_ACCEPTCONN) == 0) fail_at(EINVAL, named);
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound), &length) != 0) {
    fail_at(errno, named);
  }
  return to_endpoint(bound, length);
}

namespace {

/// Whoever opened it has chosen its address and backlog; what accepted sockets inherit is ours.
std::pair<int, endpoint> take_over_listener(const listener_options& options) {
  unique_descriptor socket{options.inherited};
  const int flags = ::fcntl(socket.get(), F_GETFL);
  if (flags < 0 || ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0 ||
      ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC) != 0) {
    fail_at(errno, options.where);
  }
  set_inheritable_options(socket.get(), options.where.is_unix() ? AF_UNIX : AF_INET, options);
  endpoint where = where_listens(socket.get());
  return {socket.release(), std::move(where)};
}

}  // namespace

std::pair<int, endpoint> open_listener(const listener_options& options) {
  if (options.inherited >= 0) return take_over_listener(options);
  const endpoint& where = options.where;
  raw_address address = to_raw_address(where);
  unique_descriptor socket = open_socket(where, address);
  set_bind_options(socket.get(), address.family(), options);
  set_inheritable_options(socket.get(), address.family(), options);
  if (where.is_unix()) remove_stale_socket(address, where.address.substr(5));
  if (::bind(socket.get(), address.get(), address.length) != 0) fail_at(errno, where);
  // The first of several listeners binds without SO_REUSEPORT, so that a port another process uses
  // is refused, and lets the others in afterwards.
  if (options.shared && !options.joins) {
    set_socket_option(socket.get(), SOL_SOCKET, SO_REUSEPORT, "SO_REUSEPORT", 1);
  }
  if (::listen(socket.get(), options.socket.backlog) != 0) fail_at(errno, where);

  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound), &length) != 0) {
    fail_at(errno, where);
  }
  return {socket.release(), to_endpoint(bound, length)};
}

}  // namespace dwell::inline v0
