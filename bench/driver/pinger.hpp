#pragma once
#include "clock.hpp"
#include "target.hpp"

#include <atomic>
#include <thread>
#include <vector>

// Sends one byte a millisecond over a connection of its own and times the echo. Has its own thread,
// at real-time priority where that is allowed, so that it measures the server and not the driver.
class pinger {
 public:
  explicit pinger(const target& to);  // throws std::runtime_error when it cannot connect
  ~pinger() { stop(); }
  pinger(const pinger&) = delete;
  pinger& operator=(const pinger&) = delete;

  void stop();

  // The rest only after stop(). The longest round trip that began in the window; 0 if none did.
  nanoseconds worst_between(nanoseconds from, nanoseconds to) const;
  std::size_t samples() const { return samples_.size(); }
  bool broken() const { return broken_; }  // the server closed it
  bool real_time() const { return real_time_; }

 private:
  struct sample {
    nanoseconds sent, answered;
  };

  void run();

  int fd_;
  std::vector<sample> samples_;
  std::atomic<bool> stopping_{false};
  bool broken_ = false;
  bool real_time_ = false;
  std::thread thread_;
};
