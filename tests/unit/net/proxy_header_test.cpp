#include "net/proxy_header.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace {

using dwell::proxy_header;
using dwell::read_proxy_header;
using progress = proxy_header::progress;
using namespace std::string_literals;

const std::string signature = "\r\n\r\n\0\r\nQUIT\n"s;

/// The header of version 2: version and command, family and protocol, and what follows.
std::string binary(int command, int family, const std::string& block) {
  std::string made = signature;
  made += static_cast<char>(command);
  made += static_cast<char>(family);
  made += static_cast<char>(block.size() / 256);
  made += static_cast<char>(block.size() % 256);
  return made + block;
}
std::string tlv(int type, const std::string& value) {
  std::string made{static_cast<char>(type)};
  made += static_cast<char>(value.size() / 256);
  made += static_cast<char>(value.size() % 256);
  return made + value;
}

const std::string v4 = "\xcb\0\x71\x07\x7f\0\0\x01\xdc\x04\x01\xbb"s;  // 203.0.113.7:56324 to :443
const std::string v6 = "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"s +
                       "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"s + "\xdc\x04\x01\xbb"s;
const std::string unix_paths = "/run/from"s + std::string(99, '\0') + std::string(108, '\0');

/// With the CRC32C that belongs to it, worked out another way than the code under test does: bit by
/// bit, the most significant first, on reflected bytes.
std::string with_checksum(const std::string& addresses, const std::string& behind = {}) {
  std::string made = binary(0x21, 0x11, addresses + tlv(3, std::string(4, '\0')) + behind);
  const auto reflected = [](std::uint32_t value, int bits) {
    std::uint32_t turned = 0;
    for (int i = 0; i < bits; ++i) {
      if ((value >> i & 1U) != 0) turned |= 1U << (bits - 1 - i);
    }
    return turned;
  };
  std::uint32_t crc = 0xffff'ffff;
  for (const char each : made) {
    crc ^= reflected(static_cast<unsigned char>(each), 8) << 24U;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc & 0x8000'0000U) != 0 ? crc << 1U ^ 0x1EDC'6F41U : crc << 1U;
  }
  crc = ~reflected(crc, 32);
  const std::size_t at = 16 + addresses.size() + 3;
  for (std::size_t i = 0; i < 4; ++i) made[at + i] = static_cast<char>(crc >> (24 - 8 * i));
  return made;
}

struct header_case {
  const char* name;
  std::string sent;
  std::string client;  ///< "own": none is named; "": malformed
};

std::vector<header_case> cases() {
  const std::string longest_v1 =
      "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
  const auto filled = [](std::size_t size) {
    return binary(0x21, 0x11, v4 + tlv(4, std::string(size - 16 - v4.size() - 3, 'x')));
  };
  return {
      {"v1 as in the specification", "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
       "192.168.0.1:56324"},
      {"v1, longest IPv4", "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
       "255.255.255.255:65535"},
      {"v1, ports 0", "PROXY TCP4 1.2.3.4 5.6.7.8 0 0\r\n", "1.2.3.4:0"},
      {"v1, IPv6", "PROXY TCP6 2001:db8::7 ::1 56324 443\r\n", "[2001:db8::7]:56324"},
      {"v1, longest IPv6",
       "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
       "65535 65535\r\n",
       "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
      {"v1, upper case", "PROXY TCP6 2001:DB8::A ::1 1 2\r\n", "[2001:db8::a]:1"},
      {"v1, mapped IPv4", "PROXY TCP6 ::ffff:1.2.3.4 ::1 1 2\r\n", "1.2.3.4:1"},
      {"v1, unknown", "PROXY UNKNOWN\r\n", "own"},
      {"v1, unknown with whatever", "PROXY UNKNOWN to be ignored\r\n", "own"},
      {"v1, unknown at its longest", longest_v1, "own"},
      {"v1, a byte longer", "PROXY UNKNOWN x" + longest_v1.substr(14), ""},
      {"v1, never ends", "PROXY TCP4 " + std::string(97, '1'), ""},
      {"v1, LF alone", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n" + std::string(80, 'x'), ""},
      {"v1, CR alone", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r" + std::string(80, 'x'), ""},
      {"v1, CR within", "PROXY TCP4 1.2.3.4\r5.6.7.8 1 2\r\n", ""},
      {"v1, no family", "PROXY \r\n", ""},
      {"v1, of lower case", "proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n", ""},
      {"v1, a tab", "PROXY\tTCP4 1.2.3.4 5.6.7.8 1 2\r\n", ""},
      {"v1, two spaces", "PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n", ""},
      {"v1, two spaces later", "PROXY TCP4 1.2.3.4  5.6.7.8 1 2\r\n", ""},
      {"v1, a space behind", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n", ""},
      {"v1, a word too many", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n", ""},
      {"v1, a port too few", "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", ""},
      {"v1, family alone", "PROXY TCP4\r\n", ""},
      {"v1, unknown run on", "PROXY UNKNOWNS\r\n", ""},
      {"v1, other family", "PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n", ""},
      {"v1, family not of the address", "PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n", ""},
      {"v1, destination of another family", "PROXY TCP4 1.2.3.4 ::1 1 2\r\n", ""},
      {"v1, leading zero in an address", "PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n", ""},
      {"v1, three numbers", "PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n", ""},
      {"v1, 256", "PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n", ""},
      {"v1, scope", "PROXY TCP6 fe80::1%lo ::1 1 2\r\n", ""},
      {"v1, NUL in an address", "PROXY TCP4 1.2.3.4\0 5.6.7.8 1 2\r\n"s, ""},
      {"v1, leading zero in a port", "PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n", ""},
      {"v1, negative port", "PROXY TCP4 1.2.3.4 5.6.7.8 -1 2\r\n", ""},
      {"v1, port with a sign", "PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n", ""},
      {"v1, port 65536", "PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n", ""},
      {"v1, port in hexadecimal", "PROXY TCP4 1.2.3.4 5.6.7.8 0x1 2\r\n", ""},
      {"v1, bad destination port", "PROXY TCP4 1.2.3.4 5.6.7.8 1 x\r\n", ""},

      {"v2, IPv4", binary(0x21, 0x11, v4), "203.0.113.7:56324"},
      {"v2, IPv6", binary(0x21, 0x21, v6), "[2001:db8::7]:56324"},
      {"v2, Unix", binary(0x21, 0x31, unix_paths), "unix:"},
      {"v2, additions",
       binary(0x21, 0x11, v4 + tlv(2, "example.org") + tlv(4, "") + tlv(0xe0, "x")),
       "203.0.113.7:56324"},
      {"v2, Unix with additions", binary(0x21, 0x31, unix_paths + tlv(5, "unique")), "unix:"},
      {"v2, checksum", with_checksum(v4), "203.0.113.7:56324"},
      {"v2, checksum among others", with_checksum(v4 + tlv(4, "pad"), tlv(1, "h2")),
       "203.0.113.7:56324"},
      {"v2, local", binary(0x20, 0x00, ""), "own"},
      {"v2, local with addresses", binary(0x20, 0x11, v4), "own"},
      {"v2, local of whatever family", binary(0x20, 0xff, "whatever"), "own"},
      {"v2, unspecified", binary(0x21, 0x00, ""), "own"},
      {"v2, unspecified with a block", binary(0x21, 0x00, "whatever"), "own"},
      {"v2, unspecified protocol", binary(0x21, 0x10, v4), "own"},
      {"v2, datagrams", binary(0x21, 0x12, v4), "own"},
      {"v2, as long as may be", filled(proxy_header::longest), "203.0.113.7:56324"},
      {"v2, a byte longer", filled(proxy_header::longest + 1), ""},
      {"v2, local, longer than may be",
       binary(0x20, 0, std::string(proxy_header::longest - 15, 'x')), ""},
      {"v2, version 1", binary(0x11, 0x11, v4), ""},
      {"v2, version 3", binary(0x31, 0x11, v4), ""},
      {"v2, command 2", binary(0x22, 0x11, v4), ""},
      {"v2, family 4", binary(0x21, 0x41, v4), ""},
      {"v2, protocol 3", binary(0x21, 0x13, v4), ""},
      {"v2, too short for IPv4", binary(0x21, 0x11, v4.substr(1)), ""},
      {"v2, too short for IPv6", binary(0x21, 0x21, v6.substr(1)), ""},
      {"v2, too short for Unix", binary(0x21, 0x31, unix_paths.substr(1)), ""},
      {"v2, no addresses", binary(0x21, 0x11, ""), ""},
      {"v2, TLV cut in its type", binary(0x21, 0x11, v4 + "\x04"), ""},
      {"v2, TLV cut in its length", binary(0x21, 0x11, v4 + "\x04\x00"s), ""},
      {"v2, TLV beyond the header", binary(0x21, 0x11, v4 + "\x04\x00\x02x"s), ""},
      {"v2, second TLV beyond the header", binary(0x21, 0x11, v4 + tlv(4, "abc") + "\x04\xff\xff"),
       ""},
      {"v2, wrong checksum", binary(0x21, 0x11, v4 + tlv(3, "oops")), ""},
      {"v2, short checksum", binary(0x21, 0x11, v4 + tlv(3, "abc")), ""},
      {"v2, two checksums", with_checksum(v4, tlv(3, "oops")), ""},
      {"v2, another signature", "\r\n\r\n\0\r\nQUIX\n\x21\x11\0\0"s, ""},

      {"an HTTP request", "GET / HTTP/1.1\r\n\r\n", ""},
      {"a ClientHello", "\x16\x03\x01\x02\0\x01"s, ""},
      {"an empty line", "\r\nhello", ""},
      {"PROXYING", "PROXYING", ""},
      {"NUL", "\0"s, ""},
  };
}

std::string outcome(const proxy_header& found) {
  switch (found.now) {
    case progress::incomplete: return "incomplete";
    case progress::malformed: return "";
    case progress::complete: break;
  }
  return found.client ? to_string(found.client->to_endpoint()) : "own";
}

TEST(proxy_header, reads_what_the_specification_says) {
  for (const auto& [name, sent, client] : cases()) {
    SCOPED_TRACE(name);
    const proxy_header found = read_proxy_header(sent);
    EXPECT_EQ(outcome(found), client);
    EXPECT_EQ(found.failure.empty(), found.now != progress::malformed);
    if (found.now == progress::complete) {
      EXPECT_EQ(found.size, sent.size());
    }
  }
}

TEST(proxy_header, is_as_long_as_it_says_whatever_follows) {
  for (const auto& [name, sent, client] : cases()) {
    SCOPED_TRACE(name);
    if (client.empty()) continue;
    for (const std::string& behind : {"x"s, "\r\n"s, "\0"s, sent, std::string(5'000, 'y')}) {
      const proxy_header found = read_proxy_header(sent + behind);
      EXPECT_EQ(outcome(found), client);
      EXPECT_EQ(found.size, sent.size());
    }
  }
}

/// What begins a good header may become one; what has been refused stays so.
TEST(proxy_header, is_incomplete_until_its_last_byte) {
  for (const auto& [name, sent, client] : cases()) {
    SCOPED_TRACE(name);
    bool refused = false;
    for (std::size_t size = 0; size < sent.size(); ++size) {
      const proxy_header found = read_proxy_header(std::string_view{sent}.substr(0, size));
      if (!client.empty()) {
        ASSERT_EQ(found.now, progress::incomplete) << size;
      }
      ASSERT_NE(found.now, progress::complete) << size;
      ASSERT_TRUE(!refused || found.now == progress::malformed) << size;
      refused = found.now == progress::malformed;
    }
  }
}

/// Every single wrong bit is found where a checksum covers it.
TEST(proxy_header, a_checksum_covers_every_bit) {
  const std::string good = with_checksum(v4, tlv(4, "padding"));
  ASSERT_EQ(outcome(read_proxy_header(good)), "203.0.113.7:56324");
  for (std::size_t bit = 16 * 8; bit < good.size() * 8; ++bit) {
    if (bit / 8 >= 16 + v4.size() && bit / 8 < 16 + v4.size() + 3) continue;  // it is another TLV
    if (bit / 8 >= good.size() - 10 && bit / 8 < good.size() - 7) continue;   // or its length
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(static_cast<unsigned char>(bad[bit / 8]) ^ 1U << bit % 8);
    EXPECT_EQ(outcome(read_proxy_header(bad)), "") << bit;
  }
}

/// Whatever comes: never more than there is, and the same for the same bytes.
TEST(proxy_header, survives_what_is_altered) {
  const auto all = cases();
  std::mt19937 random{7};
  for (int i = 0; i < 20'000; ++i) {
    std::string sent = all[random() % all.size()].sent;
    for (unsigned changes = random() % 4; changes > 0; --changes) {
      const std::size_t at = random() % sent.size();
      sent[at] = static_cast<char>(random());
    }
    sent.resize(random() % (sent.size() + 1));
    const std::string exact{sent};  // so that a read beyond it is one beyond an allocation
    const proxy_header found = read_proxy_header(exact);
    if (found.now == progress::complete) {
      EXPECT_LE(found.size, sent.size());
    }
    if (found.now == progress::incomplete) {
      EXPECT_LT(sent.size(), proxy_header::longest);
    }
  }
}

}  // namespace
