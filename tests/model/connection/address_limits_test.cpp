// Limits per address against a model that is slow and plain, for many seeds; and what they cost in
// memory whoever comes.
#include "connection/address_limits.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <netinet/in.h>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

using dwell::address_limits;
using dwell::per_address_limits;
using dwell::socket_address;

socket_address peer(const std::string& literal) {
  const dwell::endpoint where{literal, 1};
  return socket_address::from(dwell::to_raw_address(where).storage);
}

/// What an address is for the limits, written out: "1.2" of 1.2.3.4 with a prefix of 16.
std::string group_of(const std::string& literal, const per_address_limits& limits) {
  std::string bits;
  const bool mapped = literal.starts_with("::ffff:");
  if (mapped || literal.find(':') == std::string::npos) {
    std::string digits = mapped ? literal.substr(7) : literal;
    for (int i = 0; i < 4; ++i) {
      const unsigned value = static_cast<unsigned>(std::stoul(digits));
      for (int bit = 7; bit >= 0; --bit) bits += (value >> bit & 1U) != 0 ? '1' : '0';
      digits = digits.substr(digits.find('.') + 1);
    }
    return "v4 " + bits.substr(0, limits.ipv4_prefix);
  }
  // Those of these tests: four groups, then ::, then one.
  std::string groups = literal;
  for (int i = 0; i < 4; ++i) {
    const unsigned long value = std::stoul(groups, nullptr, 16);
    for (int bit = 15; bit >= 0; --bit) bits += (value >> bit & 1U) != 0 ? '1' : '0';
    groups = groups.substr(groups.find(':') + 1);
  }
  bits += std::string(48, '0');
  const unsigned long last = std::stoul(groups.substr(1), nullptr, 16);
  for (int bit = 15; bit >= 0; --bit) bits += (last >> bit & 1U) != 0 ? '1' : '0';
  return "v6 " + bits.substr(0, limits.ipv6_prefix);
}

/// A bucket that is filled drop by drop.
struct model {
  struct group {
    std::uint64_t open = 0;
    double tokens = 0;
    std::uint64_t at = 0;
    bool fresh = true;
  };
  bool admit(const std::string& literal, std::uint64_t now) {
    group& of = groups[group_of(literal, limits)];
    const auto most = static_cast<double>(limits.accepts_per_second);
    if (of.fresh) of.tokens = most;
    of.fresh = false;
    for (; of.at < now; ++of.at) of.tokens = std::min(most, of.tokens + most / 1'000);
    const bool in_time = limits.accepts_per_second == dwell::unlimited || of.tokens >= 1 - 1e-6;
    if (!in_time || of.open >= limits.connections) return false;
    ++of.open;
    of.tokens -= 1;
    return true;
  }
  void leave(const std::string& literal) { --groups[group_of(literal, limits)].open; }

  per_address_limits limits;
  std::map<std::string, group> groups;
};

TEST(address_limits, does_what_the_model_does) {
  const std::vector<std::string> addresses{
      "10.0.0.1",        "10.0.0.2",        "10.0.1.1",         "::ffff:10.0.0.1",
      "192.0.2.1",       "2001:db8:0:1::1", "2001:db8:0:1::2",  "2001:db8:0:2::1",
      "2001:db8:1:1::1", "2001:db9:0:1::1", "2001:db8:0:1::ff",
  };
  for (std::uint64_t seed = 0; seed < 100 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random{seed};
    const auto below = [&](std::uint64_t bound) { return random() % bound; };
    per_address_limits limits;
    if (below(4) != 0) limits.connections = 1 + below(6);
    if (below(4) != 0) limits.accepts_per_second = 1 + below(below(2) == 0 ? 5 : 50);
    if (below(2) == 0) limits.ipv4_prefix = static_cast<unsigned>(1 + below(32));
    if (below(2) == 0) limits.ipv6_prefix = static_cast<unsigned>(1 + below(128));
    address_limits real{limits, random()};
    model expected{.limits = limits, .groups = {}};
    std::vector<std::string> open;
    std::uint64_t now = 0;
    for (int step = 0; step < 400 && !HasFailure(); ++step) {
      if (below(3) == 0) now += below(below(4) == 0 ? 1'500 : 60);
      if (!open.empty() && below(3) == 0) {
        std::swap(open[below(open.size())], open.back());
        real.leave(peer(open.back()));
        expected.leave(open.back());
        open.pop_back();
        continue;
      }
      const std::string& who = addresses[below(addresses.size())];
      const bool in = expected.admit(who, now);
      ASSERT_EQ(real.admit(peer(who), now), in) << who << " at " << now << ", step " << step;
      if (in) open.push_back(who);
    }
    for (const std::string& each : open) real.leave(peer(each));
    EXPECT_EQ(real.size(), 0);
  }
}

TEST(address_limits, a_second_of_nobody_lets_as_many_in_as_a_second_does) {
  address_limits limits{{.accepts_per_second = 10}, 1};
  const auto admitted = [&](std::uint64_t now) {
    int count = 0;
    while (limits.admit(peer("10.0.0.1"), now)) ++count;
    return count;
  };
  EXPECT_EQ(admitted(5'000), 10);
  EXPECT_EQ(admitted(5'099), 0);
  EXPECT_EQ(admitted(5'100), 1);
  EXPECT_EQ(admitted(5'550), 4);
  EXPECT_EQ(admitted(5'600), 1);
  EXPECT_EQ(admitted(90'000), 10);
}

TEST(address_limits, peers_without_an_address_are_not_limited) {
  address_limits limits{{.connections = 1, .accepts_per_second = 1}, 1};
  sockaddr_storage raw{};
  raw.ss_family = AF_UNIX;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(limits.admit(socket_address::from(raw), 0));
  EXPECT_EQ(limits.size(), 0);
  EXPECT_FALSE(limits.counts(socket_address::from(raw)));
  EXPECT_FALSE((address_limits{{.accepts_per_second = 1}, 1}.counts(peer("10.0.0.1"))));
}

/// Many addresses: what is kept is of those that are open, and the rest is of a fixed size.
TEST(address_limits, keeps_no_more_addresses_than_connections) {
  constexpr unsigned addresses = 300'000;
  constexpr std::size_t most_open = 100;
  address_limits limits{{.connections = 3, .accepts_per_second = 2}, 42};
  const auto address_of = [](unsigned i) {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_addr.s6_addr[0] = 0x20;
    in.sin6_addr.s6_addr[4] = static_cast<std::uint8_t>(i >> 16U);
    in.sin6_addr.s6_addr[5] = static_cast<std::uint8_t>(i >> 8U);
    in.sin6_addr.s6_addr[6] = static_cast<std::uint8_t>(i);
    sockaddr_storage raw{};
    std::memcpy(&raw, &in, sizeof in);
    return socket_address::from(raw);
  };
  std::deque<unsigned> open;
  for (unsigned i = 0; i < addresses; ++i) {
    ASSERT_TRUE(limits.admit(address_of(i), 1'000));  // all within a millisecond
    open.push_back(i);
    if (open.size() > most_open) {
      limits.leave(address_of(open.front()));
      open.pop_front();
    }
    if (i % 10'000 == 0) {
      ASSERT_LE(limits.size(), most_open);
    }
  }
  EXPECT_EQ(limits.size(), most_open);
  // Who had it open all the time is not forgotten for that.
  EXPECT_TRUE(limits.admit(address_of(open.front()), 5'000));
  EXPECT_TRUE(limits.admit(address_of(open.front()), 5'000));
  EXPECT_FALSE(limits.admit(address_of(open.front()), 9'000));
}

/// One that has used up its rate stays refused while others come and go.
TEST(address_limits, remembers_who_has_used_up_its_rate) {
  address_limits limits{{.accepts_per_second = 5}, 7};
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(limits.admit(peer("192.0.2.1"), 0));
  for (int i = 0; i < 20'000; ++i) {
    const std::string other =
        "10." + std::to_string(i / 250 % 250) + ".0." + std::to_string(i % 250);
    limits.admit(peer(other), 0);
  }
  EXPECT_FALSE(limits.admit(peer("192.0.2.1"), 0));
}

TEST(address_limits, hold_over_many_threads) {
  constexpr std::uint64_t most = 7;
  address_limits limits{{.connections = most, .accepts_per_second = 1'000'000}, 3};
  const std::vector<socket_address> addresses{peer("10.0.0.1"), peer("10.0.0.2"), peer("fd00::1"),
                                              peer("fd00::2")};  // the last two are one
  std::vector<std::atomic<std::uint64_t>> open(addresses.size());
  std::atomic<std::uint64_t> admitted{0}, refused{0};
  std::vector<std::thread> loops;
  for (unsigned thread = 0; thread < 4; ++thread) {
    loops.emplace_back([&, thread] {
      std::mt19937 random{thread};
      std::vector<std::size_t> mine;
      for (int i = 0; i < 20'000; ++i) {
        if (!mine.empty() && random() % 2 == 0) {
          const std::size_t which = mine.back();
          mine.pop_back();
          open[which].fetch_sub(1);
          limits.leave(addresses[which]);
        } else if (const std::size_t which = random() % addresses.size();
                   limits.admit(addresses[which], 1)) {
          EXPECT_LE(open[which].fetch_add(1) + 1, most);
          admitted.fetch_add(1);
          mine.push_back(which);
        } else {
          refused.fetch_add(1);
        }
      }
      for (const std::size_t each : mine) {
        open[each].fetch_sub(1);
        limits.leave(addresses[each]);
      }
    });
  }
  for (std::thread& each : loops) each.join();
  EXPECT_GT(admitted, 1'000);
  EXPECT_GT(refused, 0);
  EXPECT_EQ(limits.size(), 0);
}

}  // namespace
