#include "net/ip_prefix.hpp"

#include <gmock/gmock.h>

#include <stdexcept>
#include <string>

namespace {

using dwell::address_set;
using dwell::ip_address;
using dwell::socket_address;

socket_address peer(const std::string& literal) {
  const dwell::endpoint where{literal == "unix:" ? "unix:/x" : literal, 1};
  return socket_address::from(dwell::to_raw_address(where).storage);
}

TEST(address_set, has_what_lies_in_its_networks) {
  const address_set set{
      {"10.0.0.7", "192.168.0.0/16", "2001:db8::/32", "fd00::7", "172.16.3.9/12"}};
  for (const char* in : {"10.0.0.7", "::ffff:10.0.0.7", "192.168.255.255", "::ffff:192.168.0.1",
                         "2001:db8:ffff::1", "fd00::7", "172.16.0.0", "172.31.255.255"}) {
    EXPECT_TRUE(set.contains(peer(in))) << in;
  }
  for (const char* out : {"10.0.0.6", "192.169.0.0", "2001:db9::", "fd00::8", "::10.0.0.7",
                          "172.15.255.255", "172.32.0.0", "unix:", "::"}) {
    EXPECT_FALSE(set.contains(peer(out))) << out;
  }
}

TEST(address_set, of_all_of_a_family_has_none_of_the_other) {
  const address_set v4{{"0.0.0.0/0"}}, v6{{"::/0"}}, mapped{{"::ffff:10.0.0.0/104"}};
  EXPECT_TRUE(v4.contains(peer("1.2.3.4")));
  EXPECT_TRUE(v4.contains(peer("::ffff:1.2.3.4")));
  EXPECT_FALSE(v4.contains(peer("::1")));
  EXPECT_TRUE(v6.contains(peer("::1")));
  EXPECT_FALSE(v6.contains(peer("1.2.3.4")));
  EXPECT_FALSE(v6.contains(peer("::ffff:1.2.3.4")));
  EXPECT_TRUE(mapped.contains(peer("10.9.8.7")));
  EXPECT_FALSE(mapped.contains(peer("11.9.8.7")));
}

TEST(address_set, has_peers_of_unix_sockets_when_it_says_so) {
  const address_set set{{"unix:"}};
  EXPECT_TRUE(set.contains(peer("unix:")));
  EXPECT_FALSE(set.contains(peer("127.0.0.1")));
  EXPECT_FALSE(set.contains(socket_address{}));
}

TEST(address_set, says_what_it_cannot_read) {
  for (const char* bad :
       {"", "localhost", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x",
        "2001:db8::/129", "/8", "fe80::1%lo", "::ffff:0:0/95", "10.0.0.1:80", "unix:/run/x"}) {
    try {
      const address_set set{{bad}};
      ADD_FAILURE() << bad;
    } catch (const std::invalid_argument& refused) {
      EXPECT_THAT(refused.what(), ::testing::HasSubstr('"' + std::string{bad} + '"'));
    }
  }
}

TEST(ip_address, is_cut_to_its_first_bits) {
  const auto cut = [](const char* literal, unsigned v4, unsigned v6) {
    return ip_address::of(peer(literal))->prefix(v4, v6);
  };
  EXPECT_EQ(cut("1.2.3.4", 32, 64), cut("::ffff:1.2.3.4", 32, 64));
  EXPECT_NE(cut("1.2.3.4", 32, 64), cut("1.2.3.5", 32, 64));
  EXPECT_EQ(cut("1.2.3.4", 24, 64), cut("1.2.3.5", 24, 64));
  EXPECT_EQ(cut("2001:db8::1", 32, 64), cut("2001:db8::ffff:0:1", 32, 64));
  EXPECT_NE(cut("2001:db8::1", 32, 64), cut("2001:db8:0:1::1", 32, 64));
  EXPECT_EQ(cut("2001:db8::1", 32, 56), cut("2001:db8:0:1::1", 32, 56));
  EXPECT_EQ(cut("2001:db8::1", 32, 0), cut("::", 32, 0));
  EXPECT_EQ(ip_address::of(peer("unix:")), std::nullopt);
}

}  // namespace
