#include <dwell/version.hpp>

#include <gtest/gtest.h>

#include <algorithm>

namespace {

TEST(version, has_three_numeric_parts) {
  const auto version = dwell::version();
  EXPECT_EQ(std::ranges::count(version, '.'), 2);
  EXPECT_EQ(version.find_first_not_of("0123456789."), version.npos);
}

}  // namespace
