#include "base/slab.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <vector>

namespace {

TEST(slab, the_slot_freed_last_is_used_first) {
  dwell::slab<int> slab;
  for (int value = 0; value < 100; ++value) slab.emplace(value);
  slab.erase(10);
  slab.erase(90);
  EXPECT_EQ(slab.emplace(1).first, 90U);
  EXPECT_EQ(slab.emplace(2).first, 10U);
  EXPECT_EQ(slab.emplace(3).first, 100U);
}

TEST(slab, keeps_its_memory) {
  dwell::slab<int> slab;
  EXPECT_EQ(slab.capacity(), 0U);
  for (int value = 0; value < 100; ++value) slab.emplace(value);
  EXPECT_EQ(slab.capacity(), 128U);
  for (std::uint32_t index = 0; index < 100; ++index) slab.erase(index);
  EXPECT_EQ(slab.capacity(), 128U);
  EXPECT_EQ(slab.size(), 0U);
}

TEST(slab, destroys_what_is_still_live) {
  const auto counted = std::make_shared<int>();
  {
    dwell::slab<std::shared_ptr<int>> slab;
    for (int count = 0; count < 100; ++count) slab.emplace(counted);
    slab.erase(50);
    EXPECT_EQ(counted.use_count(), 100);
  }
  EXPECT_EQ(counted.use_count(), 1);
}

TEST(slab, a_constructor_that_throws_leaves_it_as_it_was) {
  struct picky {
    explicit picky(bool fails) {
      if (fails) throw std::runtime_error{"no"};
    }
  };
  dwell::slab<picky> slab;
  const std::uint32_t first = slab.emplace(false).first;
  EXPECT_THROW(slab.emplace(true), std::runtime_error);
  EXPECT_EQ(slab.size(), 1U);
  EXPECT_EQ(slab.find(first + 1), nullptr);
  EXPECT_EQ(slab.emplace(false).first, first + 1) << "the slot is free again";
}

TEST(slab, a_visit_may_erase_and_add) {
  dwell::slab<int> slab;
  for (int value = 0; value < 200; ++value) slab.emplace(value);
  std::vector<int> seen;
  slab.visit(0, 200, [&](std::uint32_t index, int& value) {
    seen.push_back(value);
    if (value % 2 == 0) {
      slab.erase(index + 1);  // the next one is not visited
      slab.erase(index);
      for (int more = 0; more < 20; ++more) slab.erase(slab.emplace(-1).first);
    }
  });
  EXPECT_EQ(seen.size(), 100U);
  EXPECT_EQ(slab.size(), 0U);
}

struct alignas(128) wide {
  std::uint64_t value = 0;
};

TEST(slab, objects_are_aligned) {
  dwell::slab<wide> slab;
  for (int count = 0; count < 5; ++count) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&slab.emplace().second) % 128, 0U);
  }
}

}  // namespace
