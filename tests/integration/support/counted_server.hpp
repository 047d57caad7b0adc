#pragma once

#include <dwell/dwell.hpp>

#include "support/close_log.hpp"
#include "support/raw_client.hpp"

#include <asio/io_context.hpp>

#include <atomic>
#include <cstdint>
#include <thread>

namespace dwell {

/// A server embedded in an io_context whose turns are counted: each handler that ran is one. A loop
/// that spins counts hundreds of thousands a second; one that sleeps, none.
class counted_server {
 public:
  counted_server(service_options service, handler what, server_options options = {});
  counted_server(const counted_server&) = delete;
  counted_server& operator=(const counted_server&) = delete;
  ~counted_server();

  dwell::server& operator*() noexcept { return server_; }
  dwell::server* operator->() noexcept { return &server_; }
  const endpoint& where() const noexcept { return where_; }
  raw_client connect(const raw_client_options& how = {}) const { return raw_client{where_, how}; }
  const close_log& records() const noexcept { return records_; }

  std::uint64_t turns() const noexcept { return turns_; }
  /// Waits until the loop has had nothing to do for 50 ms; then counts its turns from 0.
  void count_from_here();

 private:
  void run();

  close_log records_;
  asio::io_context context_{1};
  dwell::server server_;
  endpoint where_;
  std::atomic<std::uint64_t> turns_{0};
  std::atomic<bool> over_{false};
  std::thread thread_;
};

}  // namespace dwell
