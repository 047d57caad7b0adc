#include "http/byte_range.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

namespace dwell::http {
namespace {

using kind = byte_range::kind;

struct asked {
  const char* field;
  std::uint64_t length;
  kind what;
  std::uint64_t first = 0;
  std::uint64_t size = 0;
};

TEST(files_range, reads_what_rfc_9110_says) {
  constexpr asked table[] = {
      {"bytes=0-499", 10'000, kind::part, 0, 500},
      {"bytes=500-999", 10'000, kind::part, 500, 500},
      {"bytes=-500", 10'000, kind::part, 9'500, 500},
      {"bytes=9500-", 10'000, kind::part, 9'500, 500},
      {"bytes=0-", 10'000, kind::part, 0, 10'000},
      {"bytes=0-0", 1, kind::part, 0, 1},
      {"bytes=-1", 1, kind::part, 0, 1},
      {"Bytes= 0-499 ", 10'000, kind::part, 0, 500},
      {"bytes=0-99999", 10'000, kind::part, 0, 10'000},
      {"bytes=-99999", 10'000, kind::part, 0, 10'000},
      {"bytes=0-99999999999999999999999", 10, kind::part, 0, 10},
      {"bytes=-99999999999999999999999", 10, kind::part, 0, 10},
      {"bytes=18446744073709551615-18446744073709551616", 10, kind::unsatisfiable},
      {"bytes=10000-", 10'000, kind::unsatisfiable},
      {"bytes=99999999999999999999999-", 10'000, kind::unsatisfiable},
      {"bytes=-0", 10'000, kind::unsatisfiable},
      {"bytes=0-", 0, kind::unsatisfiable},
      {"bytes=-5", 0, kind::whole},            // no Content-Range can say nothing of nothing
      {"bytes=500-499", 10'000, kind::whole},  // the rest is malformed: as if it were not there
      {"bytes=", 10'000, kind::whole},
      {"bytes=-", 10'000, kind::whole},
      {"bytes=5", 10'000, kind::whole},
      {"bytes=a-b", 10'000, kind::whole},
      {"bytes=1-2-3", 10'000, kind::whole},
      {"bytes=+1-2", 10'000, kind::whole},
      {"bytes=1 -2", 10'000, kind::whole},
      {"bytes=0x1-2", 10'000, kind::whole},
      {"bytes =0-1", 10'000, kind::whole},
      {"lines=0-1", 10'000, kind::whole},
      {"", 10'000, kind::whole},
      {"bytes=0-1,3-4", 10'000, kind::whole},  // several: all of it
      {"bytes=0-1,", 10'000, kind::whole},
  };
  for (const asked& each : table) {
    const byte_range read = read_range(each.field, each.length);
    EXPECT_EQ(read.what, each.what) << each.field;
    EXPECT_EQ(read.first, each.first) << each.field;
    EXPECT_EQ(read.size, each.size) << each.field;
  }
}

TEST(files_range, any_two_positions_are_what_a_slice_is) {
  std::mt19937_64 random{1};
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t length = random() % 40;
    const std::uint64_t from = random() % 50, to = random() % 50;
    const std::string field = "bytes=" + std::to_string(from) + '-' + std::to_string(to);
    const byte_range read = read_range(field, length);
    if (to < from) {
      EXPECT_EQ(read.what, kind::whole) << field;
    } else if (from >= length) {
      EXPECT_EQ(read.what, kind::unsatisfiable) << field;
    } else {
      ASSERT_EQ(read.what, kind::part) << field;
      EXPECT_EQ(read.first, from);
      EXPECT_EQ(read.first + read.size, std::min(to + 1, length));
    }
  }
}

TEST(files_range, never_leaves_the_file_whatever_is_asked) {
  std::mt19937_64 random{2};
  constexpr std::string_view letters = "0123456789-,= bytesBYTES\t+x";
  for (int i = 0; i < 200'000; ++i) {
    std::string field = random() % 4 == 0 ? "" : "bytes=";
    for (std::uint64_t n = random() % 24; n > 0; --n) field += letters[random() % letters.size()];
    const std::uint64_t length = random() % 3 == 0 ? random() : random() % 100;
    const byte_range read = read_range(field, length);
    if (read.what != kind::part) continue;
    EXPECT_GT(read.size, 0U) << field;
    EXPECT_LE(read.size, length) << field;
    EXPECT_LE(read.first, length - read.size) << field;
  }
}

}  // namespace
}  // namespace dwell::http
