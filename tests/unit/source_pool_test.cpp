#include "client/source_pool.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace dwell {
namespace {

std::string nth(std::string_view pool, std::uint32_t n) {
  const raw_address chosen = source_pool{pool}.at(n);
  return to_endpoint(chosen.storage, chosen.length).address;
}

TEST(source_pool, counts_its_addresses) {
  EXPECT_EQ(source_pool{""}.size(), 0U);
  EXPECT_EQ(source_pool{"10.0.0.7"}.size(), 1U);
  EXPECT_EQ(source_pool{"10.0.0.7/32"}.size(), 1U);
  EXPECT_EQ(source_pool{"10.0.0.7/31"}.size(), 2U);
  EXPECT_EQ(source_pool{"10.0.0.7/30"}.size(), 2U);
  EXPECT_EQ(source_pool{"127.0.0.0/8"}.size(), (1U << 24U) - 2);
  EXPECT_EQ(source_pool{"fd00::/120"}.size(), 254U);
  EXPECT_EQ(source_pool{"fd00::/8"}.size(), (1U << 31U) - 2);
}

TEST(source_pool, goes_round_without_the_networks_own_addresses) {
  EXPECT_EQ(nth("10.0.0.7", 5), "10.0.0.7");
  EXPECT_EQ(nth("10.0.0.7/31", 0), "10.0.0.6");
  EXPECT_EQ(nth("10.0.0.7/31", 1), "10.0.0.7");
  EXPECT_EQ(nth("10.0.0.77/24", 0), "10.0.0.1");
  EXPECT_EQ(nth("10.0.0.77/24", 253), "10.0.0.254");
  EXPECT_EQ(nth("10.0.0.77/24", 254), "10.0.0.1");
  EXPECT_EQ(nth("10.0.0.0/22", 256), "10.0.1.1");
  EXPECT_EQ(nth("10.255.255.0/20", 511), "10.255.242.0");
  EXPECT_EQ(nth("fd00::ff00/112", 0x1234), "fd00::1235");
}

TEST(source_pool, refuses_what_is_no_address) {
  for (const char* text : {"eth0", "10.0.0", "10.0.0.1/", "10.0.0.1/33", "10.0.0.1/x", "::1/129",
                           "/24", "unix:/tmp/x", "10.0.0.1/24/24"}) {
    EXPECT_THROW(source_pool{text}, std::invalid_argument) << text;
  }
}

}  // namespace
}  // namespace dwell
