#include "crowd.hpp"

namespace {

TEST(crowd, of_a_million_is_reaped_each_in_its_tick) { reap_a_crowd(7, 1'000'000, 9min); }

}  // namespace
