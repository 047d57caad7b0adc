#include "kernel/proc_text.hpp"

#include <gtest/gtest.h>

namespace dwell {
namespace {

TEST(sockstat, adds_both_families_and_passes_over_the_rest) {
  socket_usage usage;
  add_sockstat(
      "sockets: used 15\n"
      "TCP: inuse 3 orphan 1 tw 5 alloc 4 mem 136\n"
      "UDP: inuse 7 mem 9\n",
      usage);
  add_sockstat("TCP6: inuse 2\nUDP6: inuse 8\n", usage);
  EXPECT_EQ(usage.in_use, 5U);
  EXPECT_EQ(usage.orphans, 1U);
  EXPECT_EQ(usage.time_wait, 5U);
  EXPECT_EQ(usage.allocated, 4U);
  EXPECT_EQ(usage.memory_pages, 136U);
}

TEST(sockstat, takes_a_new_field_and_a_missing_one) {
  socket_usage usage;
  add_sockstat("TCP: inuse 3 new 9 tw 5", usage);
  EXPECT_EQ(usage.in_use, 3U);
  EXPECT_EQ(usage.time_wait, 5U);
  EXPECT_EQ(usage.orphans, 0U);
  add_sockstat("", usage);
  add_sockstat("TCP:", usage);
  EXPECT_EQ(usage.in_use, 3U);
}

TEST(counters, pairs_names_with_values) {
  std::vector<network_counter> all;
  add_counters("TcpExt: ListenOverflows TW\nTcpExt: 12 34\nIpExt: InOctets\nIpExt: 5\n", all);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].name, "TcpExt.ListenOverflows");
  EXPECT_EQ(all[0].value, 12);
  EXPECT_EQ(all[1].name, "TcpExt.TW");
  EXPECT_EQ(all[1].value, 34);
  EXPECT_EQ(all[2].name, "IpExt.InOctets");
}

TEST(counters, takes_negative_values_and_stops_at_lines_that_do_not_pair) {
  std::vector<network_counter> all;
  add_counters("Tcp: MaxConn\nTcp: -1\nUdp: A\nIp: 1\n", all);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].value, -1);
}

TEST(counters, finds_by_name) {
  const network_counters counters{{{"Tcp.A", 1}, {"TcpExt.B", 2}}};
  EXPECT_EQ(counters.find("TcpExt.B"), 2);
  EXPECT_EQ(counters.find("TcpExt.A"), std::nullopt);
  EXPECT_EQ(counters.find(""), std::nullopt);
}

TEST(socket_end, says_mapped_addresses_as_ipv4) {
  socket_end mapped{.port = 80, .is_v6 = true};
  mapped.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 77, 0, 1};
  EXPECT_EQ(to_string(mapped.to_endpoint()), "10.77.0.1:80");
  socket_end v6{.port = 80, .is_v6 = true};
  v6.address[15] = 1;
  EXPECT_EQ(to_string(v6.to_endpoint()), "[::1]:80");
  const socket_end v4{.address = {127, 0, 0, 1}, .port = 80};
  EXPECT_EQ(to_string(v4.to_endpoint()), "127.0.0.1:80");
}

}  // namespace
}  // namespace dwell
