#pragma once

#include <dwell/dwell.hpp>

#include <array>
#include <atomic>
#include <chrono>

// One connection that exchanges a byte each millisecond, on a loop and thread of its own, and knows
// the longest it had to wait for its answer.
class pinger {
 public:
  enum class period { opening, quiet, reaping };

  explicit pinger(dwell::endpoint to);
  ~pinger();

  void enter(period next) { now_ = static_cast<std::size_t>(next); }
  double worst_ms(period in) const;
  bool lives() const { return lives_; }

 private:
  dwell::task<> work();

  dwell::endpoint to_;
  std::atomic<std::size_t> now_{0};
  std::atomic<bool> over_{false}, lives_{true};
  std::array<std::atomic<std::int64_t>, 3> worst_{};  // ns
  dwell::client loop_;
};
