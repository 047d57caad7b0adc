#include "deadline/reap_pacer.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>

namespace {

using dwell::reap_pacer;

TEST(reap_pacer, unlimited_never_waits) {
  reap_pacer pace{reap_pacer::unlimited};
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(pace.wait(7), 0U);
}

TEST(reap_pacer, spreads_a_crowd_evenly) {
  for (const std::uint64_t rate : {1U, 7U, 1'000U, 3'000U, 1'000'000U}) {
    SCOPED_TRACE(rate);
    reap_pacer pace{rate};
    std::map<std::uint64_t, std::uint64_t> in_second;
    for (std::uint64_t i = 0; i < 5 * rate; ++i) ++in_second[pace.wait(1'000) / 1'000];
    for (const auto& [second, count] : in_second) {
      EXPECT_NEAR(static_cast<double>(count), static_cast<double>(rate),
                  1 + static_cast<double>(rate) / 1'000)
          << second;
    }
  }
}

TEST(reap_pacer, whoever_comes_after_a_pause_does_not_wait_and_saves_up_nothing) {
  reap_pacer pace{10};
  EXPECT_EQ(pace.wait(0), 0U);
  EXPECT_EQ(pace.wait(0), 100U);
  EXPECT_EQ(pace.wait(60'000), 0U);
  EXPECT_EQ(pace.wait(60'000), 100U);
  EXPECT_EQ(pace.wait(60'050), 150U);
}

}  // namespace
