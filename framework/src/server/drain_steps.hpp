#pragma once

#include <dwell/server/drain_progress.hpp>

#include <mutex>

namespace dwell::inline v0 {

/// Which step a drain is in, and since when, for any thread to ask. Times are the loops' clock.
class drain_steps {
 public:
  /// False: it is there already, or further. `bound`: the step's; nullopt: none.
  bool enter(drain_step next, std::uint64_t now, std::optional<duration> bound) noexcept;
  drain_step step() const noexcept;
  /// What was open, and had been counted, when it began.
  void began_with(std::uint64_t connections, std::uint64_t crossed) noexcept;
  /// Completes `figures`, which are of now and since the server's start.
  drain_progress complete(drain_progress figures, std::uint64_t now) const noexcept;

 private:
  mutable std::mutex changing_;
  drain_step step_ = drain_step::none;
  std::uint64_t began_ = 0;
  std::uint64_t since_ = 0;  // the step
  std::optional<duration> bound_;
  std::uint64_t at_start_ = 0;
  std::uint64_t crossed_before_ = 0;
};

}  // namespace dwell::inline v0
