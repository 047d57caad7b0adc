#pragma once

#include "result.hpp"

#include <optional>

namespace load {

/// Looks for the highest rate that is sustained: four times the last one until one is not, then
/// between the two, until they are within 12 % of each other.
class rate_search {
 public:
  /// `start` is taken to be sustained until told otherwise; nothing over `most` is tried.
  rate_search(double start, double most) noexcept : start_{start}, most_{most} {}

  /// The rate to try next; nullopt: it is over.
  std::optional<double> next() const noexcept;
  void tell(double rate, bool sustained) noexcept;
  /// nullopt: none was.
  std::optional<double> highest() const noexcept { return sustained_; }

 private:
  double start_;
  double most_;
  std::optional<double> sustained_;
  std::optional<double> too_much_;
};

/// Whether nearly all that was due was answered, without errors, and with a p99 of at most `p99`.
bool sustains(const run_result& result, nanoseconds p99);

}  // namespace load
