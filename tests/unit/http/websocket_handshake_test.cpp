#include "http/websocket_handshake.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace dwell::http {
namespace {

TEST(websocket_handshake, proves_that_the_key_was_read) {
  EXPECT_EQ(websocket_accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_EQ(websocket_accept("x3JJHMbDL1EzLkh9GBhXDw=="), "HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
}

TEST(websocket_handshake, knows_a_key) {
  EXPECT_TRUE(is_websocket_key("dGhlIHNhbXBsZSBub25jZQ=="));
  EXPECT_TRUE(is_websocket_key("AAAAAAAAAAAAAAAAAAAAAA=="));
  for (const std::string_view none :
       {"", "AAAA",
        "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25jZQAA",
        "dGhlIHNhbXBsZSBub25j ZQ==", "dGhlIHNhbXBsZSBub25jZR==", "dGhlIHNhbXBsZSBub25jZ_=="}) {
    EXPECT_FALSE(is_websocket_key(none)) << none;
  }
}

TEST(websocket_handshake, knows_a_page_of_its_own) {
  EXPECT_TRUE(is_same_origin("http://a.example", "a.example"));
  EXPECT_TRUE(is_same_origin("http://A.example:80", "a.example"));
  EXPECT_TRUE(is_same_origin("https://a.example", "a.Example:443"));
  EXPECT_TRUE(is_same_origin("http://[::1]:8080", "[::1]:8080"));
  EXPECT_FALSE(is_same_origin("https://a.example:8443", "a.example"));
  EXPECT_FALSE(is_same_origin("http://a.example:443", "a.example"));
  EXPECT_FALSE(is_same_origin("http://a.example.evil", "a.example"));
  EXPECT_FALSE(is_same_origin("http://evil.a.example", "a.example"));
  EXPECT_FALSE(is_same_origin("null", "a.example"));
  EXPECT_FALSE(is_same_origin("", ""));
}

}  // namespace
}  // namespace dwell::http
