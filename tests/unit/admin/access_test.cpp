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

TEST(is_address_or_localhost, is_nothing_that_a_name_server_says) {
  for (const char* literal : {"127.0.0.1", "127.0.0.1:9901", "10.0.0.5:80", "[::1]", "[::1]:9901",
                              "[fe80::1]:1", "localhost", "LocalHost:9901"}) {
    EXPECT_TRUE(is_address_or_localhost(literal)) << literal;
  }
  for (const char* name : {"", ":9901", "evil.example", "evil.example:9901",
                           "127.0.0.1.evil.example", "localhost.evil", "[::1", "[::1]evil",
                           "[evil]", "127.0.0.1@evil", "1.2.3", "0x7f000001", "localhost "}) {
    EXPECT_FALSE(is_address_or_localhost(name)) << name;
  }
}

TEST(authority_of, is_decided_by_this_table) {
  constexpr const char* secret = "0123456789abcdef0123456789abcdef";
  constexpr const char* own = "http://127.0.0.1:9901";
  constexpr const char* host = "127.0.0.1:9901";
  const auto of = [&](const claims& who) { return authority_of(who, "correct-horse", secret); };
  using enum authority;

  EXPECT_EQ(of({.local = true}), this_machine);
  EXPECT_EQ(of({.local = true, .host = "any.name"}), this_machine);
  EXPECT_EQ(of({.local = false}), none);
  EXPECT_EQ(of({.local = true, .forwarded = true}), none);
  EXPECT_EQ(of({.local = true, .origin = "http://evil.example", .host = host}), none);
  EXPECT_EQ(of({.local = true, .origin = "null", .host = host}), none);

  EXPECT_EQ(of({.local = false, .authorization = "Bearer correct-horse"}), token);
  EXPECT_EQ(of({.local = false, .forwarded = true, .authorization = "Bearer correct-horse"}),
            token);
  EXPECT_EQ(of({.authorization = "Bearer correct-horse", .origin = "http://evil.example"}), token);
  EXPECT_EQ(of({.local = false, .authorization = "Bearer wrong"}), none);
  EXPECT_EQ(authority_of({.authorization = "Bearer "}, "", secret), none);

  EXPECT_EQ(of({.local = true, .origin = own, .host = host, .page = secret}), page);
  EXPECT_EQ(of({.local = true, .origin = "http://localhost", .host = "localhost", .page = secret}),
            page);
  EXPECT_EQ(of({.local = true, .origin = own, .host = host}), none) << "without the secret";
  EXPECT_EQ(of({.local = true, .origin = own, .host = host, .page = "0"}), none);
  EXPECT_EQ(of({.local = true, .origin = own, .host = host, .page = ""}), none);
  EXPECT_EQ(of({.local = true, .origin = own, .host = "127.0.0.1:9902", .page = secret}), none)
      << "another port here is another origin";
  EXPECT_EQ(of({.local = true, .origin = "https://127.0.0.1:9901", .host = host, .page = secret}),
            none);
  EXPECT_EQ(
      of({.local = true, .origin = "http://evil.example", .host = "evil.example", .page = secret}),
      none)
      << "a name that was resolved to this machine";
  EXPECT_EQ(of({.local = false, .origin = own, .host = host, .page = secret}), none);
  EXPECT_EQ(of({.local = true, .forwarded = true, .origin = own, .host = host, .page = secret}),
            none);
}

TEST(make_secret, is_another_each_time) {
  const std::string one = make_secret();
  EXPECT_EQ(one.size(), 32);
  EXPECT_EQ(one.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(one, make_secret());
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
