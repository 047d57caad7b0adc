#include "admin/access.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace dwell {
namespace {

TEST(is_local, is_this_machine) {
  for (const char* here : {"127.0.0.1", "127.255.0.3", "::1", "unix:"}) {
    EXPECT_TRUE(is_local({here, 1})) << here;
  }
  for (const char* elsewhere : {"", "10.0.0.1", "128.0.0.1", "12.7.0.0", "1.127.0.0", "::2",
                                "::127.0.0.1", "fe80::1%2", "::ffff:127.0.0.1"}) {
    EXPECT_FALSE(is_local({elsewhere, 1})) << elsewhere;
  }
}

TEST(equal_in_constant_time, is_equality) {
  EXPECT_TRUE(equal_in_constant_time("secret", "secret"));
  EXPECT_TRUE(equal_in_constant_time("", ""));
  for (const char* wrong : {"", "s", "secre", "secrets", "Secret", "secreT", "secretsecret"}) {
    EXPECT_FALSE(equal_in_constant_time(wrong, "secret")) << wrong;
  }
  EXPECT_FALSE(equal_in_constant_time("secret", ""));
}

TEST(bearer_token, is_what_follows_the_scheme) {
  EXPECT_EQ(bearer_token("Bearer abc"), "abc");
  EXPECT_EQ(bearer_token("bEARER   abc=="), "abc==");
  for (const char* other :
       {"", "Bearer", "Bearer ", "Bearerabc", "Basic abc", "abc", "Beare abc"}) {
    EXPECT_EQ(bearer_token(other), std::nullopt) << other;
  }
}

TEST(validate_token, refuses_what_no_header_carries) {
  validate_token("");
  validate_token("aZ09-._~+/=!");
  for (const char* bad : {" ", "a b", "a\n", "\x7f", "caf\xc3\xa9"}) {
    EXPECT_THROW(validate_token(bad), std::invalid_argument) << bad;
  }
}

}  // namespace
}  // namespace dwell
