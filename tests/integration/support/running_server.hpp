#pragma once

#include <dwell/dwell.hpp>

#include "support/close_log.hpp"
#include "support/raw_client.hpp"

#include <cstdint>
#include <memory>

namespace spdlog {
class logger;
}

namespace dwell {

/// Says nothing.
std::shared_ptr<spdlog::logger> quiet_logger();

/// `options`, quiet unless it has a logger.
server_options quietly(server_options options = {});

/// 127.0.0.1 and a port of the kernel's choice, unless `options` says where.
service_options on_loopback(service_options options = {});

/// What a connection's bytes travel in. Tests that must hold in both take one.
enum class wire : std::uint8_t { plain, tls };

/// `options`, with TLS and the test's certificate if asked for.
service_options over(wire which, service_options options);

/// A server that runs on threads of its own until the end of the scope, with its close records.
class running_server {
 public:
  running_server(service_options service, handler what, server_options options = {});

  dwell::server& operator*() noexcept { return server_; }
  dwell::server* operator->() noexcept { return &server_; }
  const dwell::server* operator->() const noexcept { return &server_; }
  const endpoint& where() const noexcept { return where_; }
  /// As the service speaks: over TLS where it does.
  raw_client connect(raw_client_options how = {}) const {
    if (over_tls_ && !how.tls) how.tls.emplace();
    return raw_client{where_, how};
  }
  const close_log& records() const noexcept { return records_; }
  bool wait_for_live(std::uint64_t count) const {
    return eventually([&] { return server_.counts().live == count; });
  }

 private:
  close_log records_;
  bool over_tls_;
  dwell::server server_;
  endpoint where_;
};

}  // namespace dwell
