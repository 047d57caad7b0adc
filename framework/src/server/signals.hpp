#pragma once

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>

#include <csignal>
#include <functional>
#include <map>

namespace dwell::inline v0 {

/// Signals belong to the thread that runs loop 0; threads made inside this scope take none.
class no_signals {
 public:
  no_signals() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~no_signals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  no_signals(const no_signals&) = delete;
  no_signals& operator=(const no_signals&) = delete;

 private:
  sigset_t before_;
};

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
