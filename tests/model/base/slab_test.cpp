#include "base/slab.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace {

TEST(slab_model, does_what_a_map_does) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random{seed};
    dwell::slab<std::string> slab;
    std::map<std::uint32_t, std::pair<std::string, const std::string*>> model;
    std::uint32_t most = 0;
    for (int step = 0; step < 3'000; ++step) {
      const bool shrinking = step / 500 % 2 == 1;
      if (random() % 10 < (shrinking ? 3U : 7U)) {
        const std::string text = std::to_string(random());
        const auto [index, made] = slab.emplace(text);
        const bool is_new = model.try_emplace(index, text, &made).second;
        ASSERT_TRUE(is_new) << "index given out twice";
      } else if (!model.empty()) {
        const auto at = std::next(model.begin(), static_cast<long>(random() % model.size()));
        slab.erase(at->first);
        ASSERT_EQ(slab.find(at->first), nullptr);
        model.erase(at);
      }
      most = std::max(most, static_cast<std::uint32_t>(model.size()));
      ASSERT_EQ(slab.size(), model.size());
      ASSERT_LE(slab.capacity(), most + 63) << "free slots are used before new ones";
      const auto any = static_cast<std::uint32_t>(random() % (slab.capacity() + 10));
      ASSERT_EQ(slab.find(any) != nullptr, model.contains(any));
    }
    for (const auto& [index, expected] : model) {
      ASSERT_EQ(&slab[index], expected.second) << "addresses are stable";
      ASSERT_EQ(slab[index], expected.first);
    }
  }
}

TEST(slab_model, slices_of_any_size_visit_each_live_object_once_and_in_order) {
  std::mt19937_64 random{1};
  dwell::slab<std::uint32_t> slab;
  for (std::uint32_t count = 0; count < 1'000; ++count) slab.emplace(count);
  for (std::uint32_t index = 0; index < 1'000; ++index) {
    if (index / 100 % 2 == 0 || random() % 2 == 0) slab.erase(index);
  }
  std::vector<std::uint32_t> live;
  for (std::uint32_t index = 0; index < 1'000; ++index) {
    if (slab.find(index) != nullptr) live.push_back(index);
  }
  for (const std::uint32_t slots : {1U, 7U, 64U, 100U, 999U, 1'000U, 5'000U, 0xffff'ffffU}) {
    std::vector<std::uint32_t> seen;
    std::uint32_t slices = 0;
    for (std::uint32_t from = 0; from != dwell::slab<std::uint32_t>::end; ++slices) {
      const std::uint32_t next =
          slab.visit(from, slots, [&](std::uint32_t index, std::uint32_t& at) {
            EXPECT_EQ(index, at);
            EXPECT_GE(index, from);
            EXPECT_LT(index - from, slots);
            seen.push_back(index);
          });
      from = next;
    }
    EXPECT_EQ(seen, live) << slots;
    EXPECT_EQ(slices, 999 / slots + 1);
  }
}

}  // namespace
