#include "admin/best_rows.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace dwell {
namespace {

/// Few keys, so that many are alike.
std::vector<position> any_positions(std::mt19937& random) {
  std::vector<position> all(random() % 200);
  std::uint64_t generation = 0;
  for (position& each : all) {
    each = {static_cast<std::int64_t>(random() % 20),
            {.generation = ++generation, .loop = static_cast<std::uint32_t>(random() % 3)}};
  }
  std::ranges::shuffle(all, random);
  return all;
}

std::vector<position> after_the_cursor(const connection_query& query, std::vector<position> all) {
  std::erase_if(all, [&](const position& each) {
    return query.after && !query.comes_before(*query.after, each);
  });
  std::ranges::sort(all, [&](const auto& a, const auto& b) { return query.comes_before(a, b); });
  return all;
}

TEST(best_rows, of_several_loops_are_the_first_of_all_sorted) {
  for (unsigned seed = 0; seed < 500; ++seed) {
    std::mt19937 random{seed};
    const auto all = any_positions(random);
    connection_query query;
    query.descending = random() % 2 == 0;
    query.limit = 1 + random() % 30;
    if (!all.empty() && random() % 2 == 0) query.after = all[random() % all.size()];

    std::vector<best_rows> parts(3, best_rows{query});
    for (const position& each : all) {
      best_rows& mine = parts[each.id.loop];
      if (mine.offer(each)) mine.add({each, {}, {}});
    }
    best_rows merged{query};
    for (best_rows& each : parts) merged.merge(std::move(each));

    auto expected = after_the_cursor(query, all);
    EXPECT_EQ(merged.offered(), expected.size()) << "seed " << seed;
    expected.resize(std::min(expected.size(), query.limit));
    std::vector<position> found;
    for (const connection_row& each : std::move(merged).sorted()) found.push_back(each.at);
    ASSERT_EQ(found, expected) << "seed " << seed;
  }
}

TEST(best_rows, keep_no_more_than_the_limit) {
  connection_query query;
  query.limit = 10;
  best_rows rows{query};
  int taken = 0;
  for (std::int64_t key = 0; key < 1'000; ++key) {
    if (!rows.offer({-key, {}})) continue;  // each worse than the one before
    rows.add({{-key, {}}, {}, {}});
    ++taken;
  }
  EXPECT_EQ(taken, 10);
  EXPECT_EQ(rows.offered(), 1'000U);
  EXPECT_EQ(std::move(rows).sorted().size(), 10U);
}

}  // namespace
}  // namespace dwell
