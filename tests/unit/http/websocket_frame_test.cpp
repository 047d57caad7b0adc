#include "http/websocket_frame.hpp"

#include "../../websocket_frames.hpp"
#include "http/utf8.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace dwell::http {
namespace {

using namespace std::string_view_literals;

TEST(websocket_frame, is_what_a_client_reads) {
  for (const std::size_t size : {0U, 1U, 125U, 126U, 65535U, 65536U, 100000U}) {
    const std::string payload(size, 'x');
    const std::string made = encode_websocket_frame(websocket_opcode::text, payload);
    const auto read = testing::read_frames(made);
    EXPECT_EQ(read.fault, "");
    EXPECT_FALSE(read.cut);
    ASSERT_EQ(read.all.size(), 1U);
    EXPECT_EQ(read.all[0], (testing::server_frame{1, payload})) << size;
    EXPECT_TRUE(testing::read_frames(std::string_view{made}.substr(0, made.size() - 1)).cut);
  }
}

TEST(websocket_frame, cuts_a_long_reason_between_characters) {
  std::string reason;
  for (int i = 0; i < 62; ++i) reason += "\xC3\xA4";
  const auto payload = [](std::uint16_t code, std::string_view said) {
    return std::string{websocket_close_payload{code, said}.encoded().text()};
  };
  EXPECT_EQ(payload(1000, reason).size(), 124U);
  EXPECT_EQ(payload(1000, 'x' + reason).size(), 125U);
  EXPECT_EQ(payload(4999, "bye"),
            "\x13\x87"
            "bye");
  EXPECT_EQ(payload(1000, std::string(200, 'x')).size(), 125U);
}

TEST(websocket_frame, mask_is_an_xor_from_any_offset) {
  const websocket_mask mask{std::byte{1}, std::byte{0xF2}, std::byte{0x33}, std::byte{0x84}};
  for (std::size_t size = 0; size < 40; ++size) {
    for (std::size_t offset = 0; offset < 9; ++offset) {
      std::vector<std::byte> data(size), expected(size);
      for (std::size_t i = 0; i < size; ++i) {
        data[i] = static_cast<std::byte>(i * 37);
        expected[i] = data[i] ^ mask[(offset + i) % 4];
      }
      apply_websocket_mask(data, mask, offset);
      ASSERT_EQ(data, expected) << size << ' ' << offset;
    }
  }
}

// ── UTF-8 ──

/// By the book: decodes, and looks at what it got (RFC 3629, 3).
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<std::uint8_t>(text[i]);
    const int more = first < 0x80   ? 0
                     : first < 0xC0 ? -1
                     : first < 0xE0 ? 1
                     : first < 0xF0 ? 2
                     : first < 0xF8 ? 3
                                    : -1;
    if (more < 0 || i + static_cast<std::size_t>(more) >= text.size()) return false;
    std::uint32_t point = more == 0 ? first : first & (0x3FU >> more);
    for (int k = 1; k <= more; ++k) {
      const auto next = static_cast<std::uint8_t>(text[i + static_cast<std::size_t>(k)]);
      if ((next & 0xC0U) != 0x80) return false;
      point = point << 6 | (next & 0x3FU);
    }
    constexpr std::uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    if (point < least[more] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
      return false;
    i += static_cast<std::size_t>(more) + 1;
  }
  return true;
}

bool accepts(std::string_view text, std::size_t piece) {
  utf8_validator validator;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    if (!validator.accept(text.substr(at, piece))) return false;
  }
  return validator.is_complete();
}

/// Every sequence of up to three bytes, and the fourth at its borders.
TEST(utf8, is_what_the_book_says) {
  std::string text;
  for (unsigned a = 0x80; a < 0x100; ++a) {
    text.assign(1, static_cast<char>(a));
    ASSERT_EQ(accepts(text, 9), is_utf8(text)) << a;
    for (unsigned b = 0; b < 0x100; ++b) {
      text = {static_cast<char>(a), static_cast<char>(b)};
      ASSERT_EQ(accepts(text, 9), is_utf8(text)) << a << ' ' << b;
      for (const unsigned c :
           {0x00U, 0x7FU, 0x80U, 0x8FU, 0x90U, 0x9FU, 0xA0U, 0xBFU, 0xC0U, 0xC2U, 0xFFU}) {
        text = {static_cast<char>(a), static_cast<char>(b), static_cast<char>(c)};
        ASSERT_EQ(accepts(text, 9), is_utf8(text)) << a << ' ' << b << ' ' << c;
        for (const unsigned d : {0x41U, 0x7FU, 0x80U, 0xBFU, 0xC0U}) {
          text = {static_cast<char>(a), static_cast<char>(b), static_cast<char>(c),
                  static_cast<char>(d)};
          const bool right = is_utf8(text);
          for (const std::size_t piece : {1U, 2U, 3U, 4U}) {
            ASSERT_EQ(accepts(text, piece), right) << a << ' ' << b << ' ' << c << ' ' << d;
          }
        }
      }
    }
  }
}

TEST(utf8, finds_one_wrong_byte_anywhere_in_a_long_text) {
  for (std::size_t at = 0; at < 40; ++at) {
    std::string text(40, 'a');
    EXPECT_TRUE(accepts(text, 40));
    text[at] = '\xFF';
    EXPECT_FALSE(accepts(text, 40)) << at;
    EXPECT_FALSE(accepts(text, 7)) << at;
  }
  EXPECT_FALSE(accepts("abc\xE2\x82"sv, 99));
}

}  // namespace
}  // namespace dwell::http
