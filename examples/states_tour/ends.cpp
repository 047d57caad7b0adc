#include "ends.hpp"

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <memory>
#include <netinet/in.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace {

/// Used up only where something is wrong.
constexpr std::chrono::seconds patience{20};

/// Long enough for somebody who looks at each step.
constexpr std::chrono::hours for_the_tour{24};

sockaddr_in address_of(const char* address, std::uint16_t port) {
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  ::inet_pton(AF_INET, address, &where.sin_addr);
  return where;
}

dwell::server_options quiet() {
  return {.logger = std::make_shared<spdlog::logger>(
              "quiet", std::make_shared<spdlog::sinks::null_sink_mt>())};
}

}  // namespace

dwell_server::dwell_server(std::uint16_t port) : server_{quiet()} {
  server_.serve(options(port), handler());
  server_.start();
}

dwell::service_options dwell_server::options(std::uint16_t port) {
  return {.listen = {.address = networks::server_address, .port = port},
          .deadlines = {.idle = dwell::off,
                        .handle = dwell::off,
                        .write = for_the_tour,
                        .close = for_the_tour},
          .on_close = [this](const dwell::connection&, const dwell::close_record&) {
            const std::lock_guard lock{mutex_};
            open_.reset();
            changed_.notify_all();
          }};
}

dwell::callbacks<> dwell_server::handler() {
  return {.on_open =
              [this](dwell::connection& peer, dwell::no_session&) {
                const std::lock_guard lock{mutex_};
                open_ = peer.id();
                changed_.notify_all();
                return true;
              },
          // Dwell would close after the peer's FIN; so it waits to be told.
          .on_peer_closed = [](dwell::connection&, dwell::no_session&) {}};
}

void dwell_server::await(const char* what, const std::function<bool()>& condition) {
  std::unique_lock lock{mutex_};
  if (!changed_.wait_for(lock, patience, condition)) {
    throw std::runtime_error{std::string{"the server's connection was not "} + what};
  }
}

void dwell_server::await_open() {
  await("accepted", [&] { return open_.has_value(); });
}

void dwell_server::await_closed() {
  await("closed", [&] { return !open_; });
}

void dwell_server::tell(std::function<void(dwell::connection&)> what) {
  await_open();
  bool done = false;
  server_.post(*open_, [&, this](dwell::connection& peer) {
    what(peer);
    const std::lock_guard lock{mutex_};
    done = true;
    changed_.notify_all();
  });
  await("reached", [&] { return done; });
}

void dwell_server::forget() {
  {
    const std::lock_guard lock{mutex_};
    if (!open_) return;
    server_.post(*open_, [](dwell::connection& peer) {
      peer.close(dwell::close_reason::finished, dwell::close_method::abort);
    });
  }
  await_closed();
}

plain_end::plain_end(const network& where, const char* address, std::uint16_t port)
    : descriptor_{where.make_socket(SOCK_NONBLOCK)} {
  sockaddr_in bound = address_of(address, port);
  socklen_t size = sizeof bound;
  if (::bind(descriptor_, reinterpret_cast<sockaddr*>(&bound), size) != 0) {
    throw std::system_error{errno, std::generic_category(), "bind"};
  }
  ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&bound), &size);
  port_ = ntohs(bound.sin_port);
}

plain_end::~plain_end() { reset(); }

void plain_end::connect(const char* address, std::uint16_t port) const {
  const sockaddr_in where = address_of(address, port);
  if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0 &&
      errno != EINPROGRESS) {
    throw std::system_error{errno, std::generic_category(), "connect"};
  }
}

void plain_end::shutdown_send() const { ::shutdown(descriptor_, SHUT_WR); }

void plain_end::close() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

void plain_end::reset() {
  if (descriptor_ < 0) return;
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close();
}
