#pragma once

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>

#include <functional>
#include <map>

namespace dwell::inline v0 {

/// SIGINT, SIGTERM and what the user asked for, heard on loop 0 while run() runs.
class process_signals {
 public:
  explicit process_signals(asio::io_context& on) : set_{on} {}

  void add(int signal_number, std::function<void()> action) {
    set_.add(signal_number);
    actions_[signal_number] = std::move(action);
  }
  void listen() {
    set_.async_wait([this](const std::error_code& error, int signal_number) {
      if (error) return;
      actions_[signal_number]();
      listen();
    });
  }
  void stop() { set_.cancel(); }

 private:
  asio::signal_set set_;
  std::map<int, std::function<void()>> actions_;
};

}  // namespace dwell::inline v0
