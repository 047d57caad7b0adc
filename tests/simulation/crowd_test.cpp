#include "crowd.hpp"

namespace {

TEST(crowd, of_100_000_is_reaped_each_in_its_tick) { reap_a_crowd(4, 100'000, 60s); }
TEST(crowd, of_50_000_before_the_clock_wraps) { reap_a_crowd(5, 50'000, 60s); }

}  // namespace
