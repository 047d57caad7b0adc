#include <dwell/framing/delimited.hpp>
#include <dwell/framing/length_prefixed.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

namespace dwell {
namespace {

using namespace std::string_literals;

template <class Codec>
std::string message_in(Codec how, const std::string& input) {
  const auto found = how.find(input, 0);
  if (!found || found->size > input.size()) return "none";
  return input.substr(found->begin, found->length);
}

template <class Codec>
std::size_t needed(Codec how, const std::string& input) {
  return how.find(input, 0).value().size;
}

TEST(length_prefixed, reads_the_length_in_either_order_and_width) {
  EXPECT_EQ(message_in(length_prefixed{}, "\0\0\0\3abcd"s), "abc");
  EXPECT_EQ(message_in(length_prefixed<std::uint32_t, std::endian::little>{}, "\3\0\0\0abcd"s),
            "abc");
  EXPECT_EQ(message_in(length_prefixed<std::uint8_t>{}, "\3abcd"s), "abc");
  EXPECT_EQ(message_in(length_prefixed<std::uint16_t>{}, "\1\0"s + std::string(300, 'x')).size(),
            256U);
  EXPECT_EQ(message_in(length_prefixed<std::uint64_t>{}, "\0\0\0\0\0\0\0\1x"s), "x");
  EXPECT_EQ(message_in(length_prefixed{}, "\0\0\0\0"s), "");
}

TEST(length_prefixed, says_how_much_is_missing) {
  EXPECT_EQ(needed(length_prefixed{}, "\0"s), 4U);
  EXPECT_EQ(needed(length_prefixed{}, "\0\1\0\0"s), 4U + 65'536);
  EXPECT_EQ(needed(length_prefixed{}, "\xff\xff\xff\xff"s), std::size_t{4} + 0xFFFF'FFFF);
}

TEST(length_prefixed, of_more_than_any_size_does_not_wrap) {
  EXPECT_EQ(needed(length_prefixed<std::uint64_t>{}, std::string(8, '\xff')),
            std::numeric_limits<std::size_t>::max());
}

TEST(delimited, ends_at_the_first_delimiter) {
  EXPECT_EQ(message_in(delimited{}, "one\ntwo\n"), "one");
  EXPECT_EQ(message_in(delimited{"\r\n"}, "o\rn\ne\r\ntwo"), "o\rn\ne");
  EXPECT_EQ(message_in(delimited{"--"}, "----"), "");
  EXPECT_EQ(needed(delimited{}, "one"), 4U);
}

TEST(delimited, finds_a_delimiter_that_began_in_what_was_seen) {
  const std::string input = "message\r\n\r\n";
  for (std::size_t seen = 0; seen < input.size(); ++seen) {
    EXPECT_EQ(delimited{"\r\n\r\n"}.find(input, seen)->size, input.size()) << seen;
  }
}

TEST(delimited, does_not_look_again_at_what_was_seen) {
  EXPECT_EQ(delimited{"ab"}.find(bytes{"..ab...."}, 4)->size, 9U);
}

TEST(delimited, refuses_an_empty_delimiter) { EXPECT_THROW(delimited{""}, std::invalid_argument); }

}  // namespace
}  // namespace dwell
