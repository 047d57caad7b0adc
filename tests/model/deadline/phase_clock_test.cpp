#include "deadline/phase_clock.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <optional>
#include <random>

namespace {

using dwell::duration;
using dwell::phase;
using dwell::tick;

constexpr std::array phases{phase::handshake, phase::idle,  phase::read,
                            phase::handle,    phase::write, phase::close};

// The same rules, by counting milliseconds instead of moving a start.
class counted {
 public:
  explicit counted(phase first) : current_{first}, before_write_{first} {}

  void pass(std::int64_t length) {
    elapsed_ += length;
    if (current_ == phase::write && !stops(before_write_)) suspended_ += length;
  }
  void enter(phase next) {
    if (next == current_) return;
    if (next == phase::write) {
      before_write_ = current_;
      suspended_ = elapsed_;
      elapsed_ = 0;
    } else {
      elapsed_ = current_ == phase::write && before_write_ == next ? suspended_ : 0;
    }
    current_ = next;
  }
  void progress() {
    if (stops_on_progress()) elapsed_ = 0;
  }
  void next_message() {
    if (current_ == phase::read) elapsed_ = 0;
    if (current_ == phase::write && before_write_ == phase::read) suspended_ = 0;
  }
  void answer_goes_on() {
    if (current_ == phase::handle) elapsed_ = 0;
    if (current_ == phase::write && before_write_ == phase::handle) suspended_ = 0;
  }
  void stretch(std::int64_t gap) {
    if (current_ == phase::handle) elapsed_ -= gap;
  }
  phase current() const { return current_; }
  std::int64_t elapsed() const { return elapsed_; }

 private:
  static bool stops(phase which) { return which == phase::idle || which == phase::handle; }
  bool stops_on_progress() const { return current_ == phase::idle || current_ == phase::write; }

  phase current_;
  phase before_write_;  // as `suspended_`, for `write` only
  std::int64_t elapsed_ = 0;
  std::int64_t suspended_ = 0;
};

TEST(phase_clock_model, counts_what_the_phases_promise) {
  dwell::deadlines limits;
  limits.close = dwell::off;
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random{seed};
    tick now{seed % 2 == 0 ? 0U - 60'000U : seed * 1'000'003U};
    const phase first = phases[random() % phases.size()];
    dwell::phase_clock clock{first, now};
    counted model{first};
    for (int step = 0; step < 500; ++step) {
      const auto length = static_cast<std::int64_t>(random() % 3'000);
      now = now + duration{length};
      model.pass(length);
      switch (random() % 10) {
        case 0:
          clock.progress(now);
          model.progress();
          break;
        case 1: {
          const std::int64_t gap = length / 2;
          clock.stretch(duration{gap});
          model.stretch(gap);
          break;
        }
        case 2:
          clock.next_message(now);
          model.next_message();
          break;
        case 9:
          clock.answer_goes_on(now);
          model.answer_goes_on();
          break;
        case 3:
        case 4:  // often to write and back
          clock.enter(phase::write, now);
          model.enter(phase::write);
          break;
        default: {
          const phase next = phases[random() % phases.size()];
          clock.enter(next, now);
          model.enter(next);
        }
      }
      ASSERT_EQ(clock.current(), model.current());
      ASSERT_EQ(now - clock.since(), model.elapsed());
      const duration limit = limits.of(model.current());
      const std::optional<tick> due = clock.due(limits);
      ASSERT_EQ(due.has_value(), limit != dwell::off);
      if (due) {
        ASSERT_EQ(*due - now, limit.count() - model.elapsed());
      }
    }
  }
}

}  // namespace
