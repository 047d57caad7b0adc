#pragma once

#include <dwell/dwell.hpp>

#include "client.hpp"

#include <gtest/gtest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace dwell::testing {

inline server_options quiet_options() {
  return {.logger = std::make_shared<spdlog::logger>(
              "test", std::make_shared<spdlog::sinks::null_sink_mt>())};
}

/// A server on the loopback with a thread of its own, and the records of its connections.
class served {
 public:
  explicit served(handler what, service_options options = {}) : server_{quiet_options()} {
    serve(std::move(what), std::move(options));
    server_.start();
  }
  /// Without a thread.
  served(asio::io_context& host, handler what, service_options options = {})
      : server_{host, quiet_options()} {
    serve(std::move(what), std::move(options));
  }

  blocking_client connect(int receive_buffer = 0) const {
    return blocking_client{where_, receive_buffer};
  }
  const endpoint& where() const { return where_; }
  dwell::server& server() { return server_; }
  server_counts counts() const { return server_.counts(); }

  /// Waits for as many.
  std::vector<close_record> records(std::size_t count) {
    eventually([&] { return copy().size() >= count; });
    return copy();
  }
  close_record record() {
    const auto all = records(1);
    EXPECT_EQ(all.size(), 1U);
    return all.empty() ? close_record{} : all.front();
  }
  bool forgets_everything() const {
    return eventually([&] { return counts().live == 0 && counts().waiting_for_frames == 0; });
  }

 private:
  void serve(handler what, service_options options) {
    options.listen = {.address = "127.0.0.1"};
    options.on_close = [this](const connection&, const close_record& record) {
      const std::lock_guard lock{mutex_};
      records_.push_back(record);
    };
    where_ = server_.serve(std::move(options), std::move(what));
  }
  std::vector<close_record> copy() {
    const std::lock_guard lock{mutex_};
    return records_;
  }

  std::mutex mutex_;
  std::vector<close_record> records_;
  dwell::server server_;
  endpoint where_;
};

}  // namespace dwell::testing
