#include "deadline/phase_clock.hpp"

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using dwell::phase;
using dwell::phase_clock;
using dwell::tick;

constexpr dwell::deadlines limits{
    .idle = 60s, .read = 10s, .handle = 30s, .write = 20s, .close = dwell::off};
const tick start{0U - 5'000U};  // all of this crosses the wrap

TEST(phase_clock, each_byte_restarts_idle) {
  phase_clock clock{phase::idle, start};
  EXPECT_EQ(clock.due(limits), start + 60s);
  clock.progress(start + 7s);
  EXPECT_EQ(clock.due(limits), start + 67s);
}

TEST(phase_clock, bytes_do_not_postpone_read_and_handle) {
  for (const phase absolute : {phase::handshake, phase::read, phase::handle, phase::close}) {
    phase_clock clock{absolute, start};
    clock.progress(start + 7s);
    EXPECT_EQ(clock.since(), start) << to_string(absolute);
  }
}

TEST(phase_clock, entering_the_same_phase_again_does_not_restart_it) {
  phase_clock clock{phase::read, start};
  clock.enter(phase::read, start + 9s);
  EXPECT_EQ(clock.due(limits), start + 10s);
}

TEST(phase_clock, read_is_that_of_one_message) {
  phase_clock clock{phase::read, start};
  clock.next_message(start + 3s);
  EXPECT_EQ(clock.due(limits), start + 13s);
  clock.enter(phase::write, start + 5s);
  clock.next_message(start + 6s);
  clock.enter(phase::read, start + 7s);
  EXPECT_EQ(clock.due(limits), start + 16s);
}

TEST(phase_clock, a_fresh_phase_starts_when_entered) {
  phase_clock clock{phase::idle, start};
  clock.enter(phase::read, start + 1s);
  EXPECT_EQ(clock.due(limits), start + 11s);
  clock.enter(phase::handle, start + 2s);
  EXPECT_EQ(clock.due(limits), start + 32s);
  clock.enter(phase::write, start + 3s);
  EXPECT_EQ(clock.due(limits), start + 23s);
  clock.enter(phase::idle, start + 4s);
  EXPECT_EQ(clock.due(limits), start + 64s);
}

TEST(phase_clock, handle_stops_while_the_peer_is_slow_to_read) {
  phase_clock clock{phase::handle, start};
  clock.enter(phase::write, start + 10s);
  clock.progress(start + 25s);  // the peer took some: the write deadline starts anew
  EXPECT_EQ(clock.due(limits), start + 45s);
  clock.enter(phase::handle, start + 40s);
  EXPECT_EQ(clock.due(limits), start + 60s) << "10 s used, 20 s left";
  clock.enter(phase::write, start + 50s);
  clock.enter(phase::handle, start + 55s);
  EXPECT_EQ(clock.due(limits), start + 65s) << "20 s used, 10 s left";
}

TEST(phase_clock, idle_stops_while_output_is_on_its_way) {
  phase_clock clock{phase::idle, start};
  clock.enter(phase::write, start + 50s);
  clock.enter(phase::idle, start + 55s);
  EXPECT_EQ(clock.due(limits), start + 65s);
}

TEST(phase_clock, read_goes_on_while_output_is_on_its_way) {
  phase_clock clock{phase::read, start};
  clock.enter(phase::write, start + 4s);
  clock.enter(phase::read, start + 9s);
  EXPECT_EQ(clock.due(limits), start + 10s);
}

TEST(phase_clock, only_the_phase_before_write_is_resumed) {
  phase_clock clock{phase::handle, start};
  clock.enter(phase::write, start + 10s);
  clock.enter(phase::idle, start + 12s);
  clock.enter(phase::handle, start + 13s);
  EXPECT_EQ(clock.due(limits), start + 43s);
}

TEST(phase_clock, a_gap_of_the_loop_is_given_back_to_handle_only) {
  phase_clock handling{phase::handle, start};
  handling.stretch(3s);
  EXPECT_EQ(handling.due(limits), start + 33s);
  phase_clock reading{phase::read, start};
  reading.stretch(3s);
  EXPECT_EQ(reading.due(limits), start + 10s);
}

TEST(phase_clock, a_deadline_that_is_off_is_never_due) {
  EXPECT_EQ((phase_clock{phase::close, start}).due(limits), std::nullopt);
}

}  // namespace
