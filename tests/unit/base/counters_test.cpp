#include "base/counters.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace {

TEST(counter, counts_up_and_down) {
  dwell::counter counter;
  EXPECT_EQ(counter.read(), 0U);
  counter.add();
  counter.add(41);
  EXPECT_EQ(counter.read(), 42U);
  counter.subtract();
  counter.subtract(40);
  EXPECT_EQ(counter.read(), 1U);
}

TEST(counter, another_thread_sees_it_grow) {
  dwell::counter counter;
  std::jthread writer{[&] {
    for (int step = 0; step < 100'000; ++step) counter.add(0x1'0000'0001);  // both halves at once
  }};
  std::uint64_t last = 0;
  while (last < 100'000 * std::uint64_t{0x1'0000'0001}) {
    const std::uint64_t seen = counter.read();
    ASSERT_GE(seen, last);
    ASSERT_EQ(seen >> 32, seen & 0xffff'ffff);
    last = seen;
  }
}

}  // namespace
