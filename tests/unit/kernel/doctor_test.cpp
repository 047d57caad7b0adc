#include <dwell/kernel/doctor.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

namespace dwell {
namespace {

/// A machine as Debian sets it up.
system_facts ordinary() {
  return {.sysctls = {{"fs.epoll.max_user_watches", "5491511"},
                      {"fs.file-max", "2466177"},
                      {"fs.file-nr", "1733 0 2466177"},
                      {"fs.nr_open", "1048576"},
                      {"net.core.somaxconn", "4096"},
                      {"net.ipv4.ip_local_port_range", "32768 60999"},
                      {"net.ipv4.ip_local_reserved_ports", ""},
                      {"net.ipv4.tcp_abort_on_overflow", "0"},
                      {"net.ipv4.tcp_ehash_entries", "262144"},
                      {"net.ipv4.tcp_fin_timeout", "60"},
                      {"net.ipv4.tcp_keepalive_time", "7200"},
                      {"net.ipv4.tcp_max_orphans", "131072"},
                      {"net.ipv4.tcp_max_syn_backlog", "2048"},
                      {"net.ipv4.tcp_max_tw_buckets", "131072"},
                      {"net.ipv4.tcp_mem", "287901 383868 575802"},
                      {"net.ipv4.tcp_orphan_retries", "0"},
                      {"net.ipv4.tcp_retries2", "15"},
                      {"net.ipv4.tcp_rfc1337", "0"},
                      {"net.ipv4.tcp_sack", "1"},
                      {"net.ipv4.tcp_syncookies", "1"},
                      {"net.ipv4.tcp_timestamps", "1"},
                      {"net.ipv4.tcp_tw_reuse", "2"},
                      {"net.ipv4.tcp_tw_reuse_delay", "1000"},
                      {"net.ipv4.tcp_window_scaling", "1"}},
          .descriptors = {.soft_limit = 20'000, .hard_limit = 20'000, .in_use = 4},
          .memory_free = std::uint64_t{16} << 30U,
          .memory_bound = "memory of the machine"};
}

system_facts with(const std::string& sysctl, const std::string& value) {
  system_facts facts = ordinary();
  facts.sysctls[sysctl] = value;
  return facts;
}

system_facts with_conntrack(const std::string& most, const std::string& count) {
  system_facts facts = with("net.netfilter.nf_conntrack_max", most);
  facts.sysctls["net.netfilter.nf_conntrack_count"] = count;
  facts.sysctls["net.netfilter.nf_conntrack_tcp_timeout_time_wait"] = "120";
  return facts;
}

const limit& first(const diagnosis& found, network_side side, limit_unit unit) {
  const limit* const one = found.first(side, unit);
  if (one == nullptr) throw std::logic_error{"no limit"};
  return *one;
}

const limit* named(const diagnosis& found, const std::string& name, network_side side,
                   limit_unit unit) {
  const auto at = std::ranges::find_if(found.limits, [&](const limit& one) {
    return one.name == name && one.side == side && one.unit == unit;
  });
  return at == found.limits.end() ? nullptr : &*at;
}

const folk_setting* folk(const diagnosis& found, const std::string& name) {
  const auto at = std::ranges::find(found.folk, name, &folk_setting::name);
  return at == found.folk.end() ? nullptr : &*at;
}

std::string advised(const diagnosis& found, const std::string& name) {
  const auto at = std::ranges::find(found.advice, name, &advised_setting::name);
  return at == found.advice.end() ? "" : at->value;
}

constexpr auto server = network_side::server;
constexpr auto client = network_side::client;
constexpr auto at_once = limit_unit::at_once;
constexpr auto per_second = limit_unit::per_second;

TEST(doctor, finds_nothing_odd_about_an_ordinary_machine) {
  const diagnosis found = diagnose(ordinary(), {});
  EXPECT_TRUE(found.folk.empty()) << found.folk.front().name;
  EXPECT_TRUE(found.advice.empty()) << found.advice.front().name;
  EXPECT_FALSE(found.binds(beyond_limit::fails));
  EXPECT_FALSE(found.binds(beyond_limit::degrades));
}

TEST(doctor, names_the_470_short_connections_a_second_of_a_client) {
  const limit one = first(diagnose(ordinary(), {}), client, per_second);
  EXPECT_EQ(one.name, "net.ipv4.ip_local_port_range");
  EXPECT_NEAR(one.allows, 28'232 / 60.0, 0.1);
}

TEST(doctor, counts_reserved_ports_out) {
  system_facts facts = with("net.ipv4.ip_local_port_range", "20000 20199");
  facts.sysctls["net.ipv4.ip_local_reserved_ports"] = "1000,19990-20009,20100,20190-20300";
  EXPECT_EQ(first(diagnose(facts, {}), client, at_once).allows, 200 - 10 - 1 - 10);
}

TEST(doctor, names_descriptors_less_those_in_use) {
  system_facts facts = ordinary();
  facts.descriptors = {.soft_limit = 256, .hard_limit = 4096, .in_use = 6};
  const diagnosis found = diagnose(facts, {.connections = 1'000});
  const limit one = first(found, client, at_once);
  EXPECT_EQ(one.name, "RLIMIT_NOFILE");
  EXPECT_EQ(one.allows, 250);
  EXPECT_TRUE(one.binds);
  EXPECT_NE(one.fix.find("ulimit -n 4096"), std::string::npos) << one.fix;
  EXPECT_EQ(advised(found, "RLIMIT_NOFILE"), "1358");

  EXPECT_EQ(first(found, server, at_once).allows, 256 - 80) << "a Dwell server to be";
  facts.descriptors.soft_limit = 100;
  EXPECT_EQ(first(diagnose(facts, {}), server, at_once).allows, 50);

  facts.descriptors.soft_limit = 256;
  facts.descriptors.process = "nginx (pid 7)";  // what listens runs already
  const limit running = first(diagnose(facts, {.port = 80}), server, at_once);
  EXPECT_EQ(running.value, "256 of nginx (pid 7)");
  EXPECT_EQ(running.allows, 250);
}

TEST(doctor, puts_first_what_covers_the_least_of_what_was_asked) {
  // 19,920 of 20,000 descriptors are nearer to what was asked than 2,184 of 1,000 TIME_WAITs.
  const diagnosis rate =
      diagnose(ordinary(), {.side = server, .rate = 50'000, .connections = 1'000});
  EXPECT_EQ(rate.limits.front().name, "net.ipv4.tcp_max_tw_buckets");
  const diagnosis number =
      diagnose(ordinary(), {.side = server, .rate = 10, .connections = 1'000'000});
  EXPECT_EQ(number.limits.front().name, "RLIMIT_NOFILE");
  EXPECT_TRUE(
      std::ranges::none_of(number.limits, [](const limit& one) { return one.side == client; }));
}

TEST(doctor, tells_what_fails_from_what_degrades) {
  const diagnosis found = diagnose(ordinary(), {.side = server, .rate = 5'000});
  EXPECT_TRUE(found.binds(beyond_limit::degrades)) << "TIME_WAITs are dropped";
  EXPECT_FALSE(found.binds(beyond_limit::fails)) << "but nobody is refused";
  EXPECT_TRUE(diagnose(ordinary(), {.side = client, .rate = 500}).binds(beyond_limit::fails));
  EXPECT_FALSE(diagnose(ordinary(), {.side = client, .rate = 460}).binds(beyond_limit::fails));
}

TEST(doctor, reuses_ports_only_with_timestamps) {
  system_facts facts = with("net.ipv4.tcp_tw_reuse", "1");
  EXPECT_EQ(named(diagnose(facts, {}), "net.ipv4.ip_local_port_range", client, per_second)->allows,
            28'232);
  facts.sysctls["net.ipv4.tcp_timestamps"] = "0";
  EXPECT_NEAR(first(diagnose(facts, {}), client, per_second).allows, 470.5, 0.1);
}

TEST(doctor, sees_that_few_buckets_free_ports) {
  const diagnosis found = diagnose(with("net.ipv4.tcp_max_tw_buckets", "100"), {.rate = 100});
  EXPECT_EQ(named(found, "net.ipv4.ip_local_port_range", client, per_second), nullptr);
  const limit one = first(found, server, per_second);
  EXPECT_EQ(one.name, "net.ipv4.tcp_max_tw_buckets");
  EXPECT_NEAR(one.allows, 100 / 60.0, 0.01);
  EXPECT_NE(one.then.find("TCPTimeWaitOverflow"), std::string::npos);
  ASSERT_NE(folk(found, "net.ipv4.tcp_max_tw_buckets"), nullptr);
  EXPECT_EQ(advised(found, "net.ipv4.tcp_max_tw_buckets"), "131072");
}

TEST(doctor, knows_the_default_of_buckets_where_the_table_is_shared) {
  system_facts facts = with("net.ipv4.tcp_ehash_entries", "-524288");
  facts.sysctls["net.ipv4.tcp_max_tw_buckets"] = "131071";
  const diagnosis found = diagnose(facts, {});
  EXPECT_NE(folk(found, "net.ipv4.tcp_max_tw_buckets"), nullptr);
  EXPECT_EQ(advised(found, "net.ipv4.tcp_max_tw_buckets"), "262144");
}

TEST(doctor, names_a_short_accept_queue) {
  const diagnosis found =
      diagnose(with("net.core.somaxconn", "128"), {.side = server, .rate = 2'000});
  const limit one = first(found, server, per_second);
  EXPECT_EQ(one.name, "net.core.somaxconn");
  EXPECT_EQ(one.allows, 1'280);
  EXPECT_EQ(one.beyond, beyond_limit::degrades);
  EXPECT_EQ(advised(found, "net.core.somaxconn"), "4096");
}

TEST(doctor, names_the_backlog_where_that_is_the_smaller) {
  system_facts facts = ordinary();
  facts.listeners = {{.where = {"0.0.0.0", 80}, .limit = 4'096},
                     {.where = {"::", 80}, .limit = 64}};
  const diagnosis found = diagnose(facts, {.port = 80});
  const limit* const one = named(found, "backlog of [::]:80", server, per_second);
  ASSERT_NE(one, nullptr);
  EXPECT_EQ(one->allows, 640);
  EXPECT_EQ(one->fix.find("raise net.core.somaxconn"), std::string::npos);
}

TEST(doctor, calls_overflow_with_resets_a_failure) {
  system_facts facts = with("net.core.somaxconn", "128");
  facts.sysctls["net.ipv4.tcp_abort_on_overflow"] = "1";
  const diagnosis found = diagnose(facts, {.side = server, .rate = 2'000});
  EXPECT_EQ(first(found, server, per_second).beyond, beyond_limit::fails);
  EXPECT_NE(folk(found, "net.ipv4.tcp_abort_on_overflow"), nullptr);
  EXPECT_EQ(advised(found, "net.ipv4.tcp_abort_on_overflow"), "0");
}

TEST(doctor, explains_a_small_conntrack_table) {
  const diagnosis found = diagnose(with_conntrack("1000", "40"), {.rate = 100, .connections = 500});
  const limit* const places = named(found, "net.netfilter.nf_conntrack_max", server, at_once);
  ASSERT_NE(places, nullptr);
  EXPECT_EQ(places->allows, 960);
  EXPECT_FALSE(places->binds);
  const limit one = first(found, server, per_second);
  EXPECT_EQ(one.name, "net.netfilter.nf_conntrack_max");
  EXPECT_EQ(one.allows, 8);  // 960 places, 120 s each
  EXPECT_TRUE(one.binds);
  EXPECT_NE(one.then.find("table full"), std::string::npos);
  EXPECT_EQ(advised(found, "net.netfilter.nf_conntrack_max"), "15050");  // (100 × 120 + 40) × 1.25
}

TEST(doctor, does_not_count_a_conntrack_table_that_tracks_nothing) {
  const diagnosis found = diagnose(with_conntrack("1000", "0"), {.rate = 100});
  EXPECT_EQ(named(found, "net.netfilter.nf_conntrack_max", server, at_once), nullptr);
  EXPECT_TRUE(std::ranges::any_of(found.notes, [](const std::string& note) {
    return note.find("no connection is tracked") != std::string::npos;
  }));
}

TEST(doctor, knows_what_folk_settings_do) {
  struct setting {
    const char* name;
    const char* value;
    const char* truth;
  };
  for (const setting& each :
       {setting{"net.ipv4.tcp_fin_timeout", "5", "TIME_WAIT stays 60 s"},
        setting{"net.ipv4.tcp_tw_reuse", "1", "outgoing connections only"},
        setting{"net.ipv4.tcp_tw_recycle", "1", "NAT"},
        setting{"net.ipv4.tcp_max_tw_buckets", "5000", "must not lower"},
        setting{"net.ipv4.tcp_timestamps", "0", "PAWS"},
        setting{"net.ipv4.tcp_abort_on_overflow", "1", "resets"},
        setting{"net.ipv4.tcp_syncookies", "0", "drops SYNs"},
        setting{"net.ipv4.tcp_rfc1337", "1", "ignore an RST"},
        setting{"net.ipv4.tcp_orphan_retries", "1", "0 means 8"},
        setting{"net.ipv4.tcp_retries2", "5", "TCP_USER_TIMEOUT"},
        setting{"net.ipv4.tcp_keepalive_time", "60", "SO_KEEPALIVE"},
        setting{"net.ipv4.tcp_mem", "786432000 1048576000 1572864000", "pages"},
        setting{"net.ipv4.tcp_window_scaling", "0", "64 KB"},
        setting{"net.ipv4.tcp_sack", "0", "one a round trip"},
        setting{"net.ipv4.tcp_low_latency", "1", "nothing"},
        setting{"net.netfilter.nf_conntrack_tcp_timeout_time_wait", "10", "conntrack's own"}}) {
    SCOPED_TRACE(each.name);
    const diagnosis found = diagnose(with(each.name, each.value), {});
    ASSERT_EQ(found.folk.size(), 1U);
    EXPECT_EQ(found.folk[0].name, each.name);
    EXPECT_EQ(found.folk[0].value, each.value);
    EXPECT_NE(found.folk[0].truth.find(each.truth), std::string::npos) << found.folk[0].truth;
  }
}

TEST(doctor, sees_a_server_port_among_those_of_clients) {
  const diagnosis found = diagnose(ordinary(), {.port = 40'000});
  ASSERT_NE(folk(found, "net.ipv4.ip_local_port_range"), nullptr);
  EXPECT_EQ(advised(found, "net.ipv4.ip_local_reserved_ports"), "40000");
  EXPECT_TRUE(diagnose(with("net.ipv4.ip_local_reserved_ports", "39999-40001"), {.port = 40'000})
                  .folk.empty());
  EXPECT_TRUE(diagnose(ordinary(), {.port = 8'080}).folk.empty());
}

TEST(doctor, restores_what_folk_wisdom_has_moved) {
  EXPECT_EQ(
      advised(diagnose(with("net.ipv4.tcp_fin_timeout", "5"), {}), "net.ipv4.tcp_fin_timeout"),
      "60");
}

TEST(doctor, takes_facts_that_are_missing) {
  const diagnosis found =
      diagnose({.descriptors = {.soft_limit = 100, .in_use = 200}, .unreadable = {"all: none"}},
               {.rate = 1});
  EXPECT_EQ(first(found, client, at_once).allows, 0) << "not below zero";
  EXPECT_EQ(found.unreadable.size(), 1U);
  EXPECT_EQ(found.first(client, per_second), nullptr);
}

TEST(doctor, refuses_what_cannot_be_asked) {
  EXPECT_THROW(diagnose(ordinary(), {.rate = 0}), std::invalid_argument);
  EXPECT_THROW(diagnose(ordinary(), {.rate = -1}), std::invalid_argument);
  EXPECT_THROW(diagnose(ordinary(), {.connections = 0}), std::invalid_argument);
}

TEST(system_facts, reads_numbers_as_the_kernel_writes_them) {
  const system_facts facts{
      .sysctls = {{"a", "1733\t0\t2466177"}, {"b", ""}, {"c", "99999999999999999999"}}};
  EXPECT_EQ(facts.numbers("a"), (std::vector<std::uint64_t>{1733, 0, 2466177}));
  EXPECT_EQ(facts.number("b"), std::nullopt);
  EXPECT_EQ(facts.number("c"), UINT64_MAX);
  EXPECT_EQ(facts.number("d"), std::nullopt);
}

}  // namespace
}  // namespace dwell
