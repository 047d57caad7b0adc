// dwell::doctor() in a program, before its server runs, against what the server then reaches.

#include <dwell/dwell.hpp>
#include <dwell/kernel/doctor.hpp>

#include "support/child.hpp"
#include "support/eventually.hpp"
#include "support/raw_client.hpp"
#include "support/running_server.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <string>
#include <sys/resource.h>
#include <vector>

namespace dwell {
namespace {

constexpr rlim_t few = 256;

TEST(doctor, says_how_many_connections_256_descriptors_hold) {
  child server_process{[](child& self) {
    const rlimit limit{few, few};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    const diagnosis found = doctor({.side = network_side::server, .connections = 1'000});
    const dwell::limit* const first = found.first(network_side::server, limit_unit::at_once);
    EXPECT_TRUE(first != nullptr && first->name == "RLIMIT_NOFILE" && first->binds);

    running_server server{
        on_loopback(),
        callbacks<>{.on_data = [](connection&, no_session&, bytes data) { return data.size(); }}};
    self.say(std::to_string(server.where().port));
    self.say(std::to_string(first->allows));
    EXPECT_TRUE(eventually([&] { return server->counts().evicted >= 10; }));
    const std::uint64_t most = server->counts().live;  // as many leave as come, from here on
    self.say(std::to_string(most));
    EXPECT_TRUE(server.wait_for_live(0)) << "the clients have not left";
    return 0;
  }};
  const auto port = static_cast<std::uint16_t>(std::stoi(server_process.hear()));
  const double said = std::stod(server_process.hear());
  std::vector<raw_client> clients;
  for (rlim_t i = 0; i < few + 100; ++i) clients.emplace_back(endpoint{"127.0.0.1", port});
  const double reached = std::stod(server_process.hear());
  std::printf("  said %.0f connections, reached %.0f\n", said, reached);
  EXPECT_LE(std::abs(said - reached), 0.05 * reached);
  clients.clear();
  EXPECT_EQ(server_process.wait().exit_code, 0);
}

TEST(doctor, looks_at_the_own_process_when_that_listens) {
  running_server server{
      on_loopback(),
      callbacks<>{.on_data = [](connection&, no_session&, bytes data) { return data.size(); }}};
  const system_facts facts = read_system_facts(server.where().port);
  EXPECT_FALSE(facts.listeners.empty());
  EXPECT_TRUE(facts.descriptors.process.empty()) << facts.descriptors.process;
  EXPECT_GT(facts.descriptors.in_use, 3U);
  EXPECT_TRUE(facts.memory_free.has_value());
}

}  // namespace
}  // namespace dwell
