// Requests around the idle deadline of a raw stream.
#include "support/each_wire.hpp"
#include "support/reap_sweep.hpp"
#include "support/two_networks.hpp"

#include <gtest/gtest.h>

#include <array>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace dwell {
namespace {

const callbacks<> echo{.on_data = [](connection& peer, no_session&, bytes data) {
  peer.send(data);
  return data.size();
}};

/// From now on no FIN reaches the client: its socket drops it before TCP sees it.
void lose_fin(const raw_client& client) {
  constexpr std::uint32_t tcp_flags = 13;
  std::array<sock_filter, 4> program{{
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, tcp_flags),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TH_FIN, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, 0xffff),
  }};
  const sock_fprog all{.len = program.size(), .filter = program.data()};
  ASSERT_EQ(::setsockopt(client.descriptor(), SOL_SOCKET, SO_ATTACH_FILTER, &all, sizeof all), 0);
}

void lose_no_more(const raw_client& client) {
  const int none = 0;
  ASSERT_EQ(::setsockopt(client.descriptor(), SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none), 0);
}

// A closed socket would answer the request with RST, and never send its FIN again.
class reap_race_of_one : public each_wire {};
INSTANTIATE_TEST_SUITE_P(over, reap_race_of_one, both_wires(), name_of);

TEST_P(reap_race_of_one, our_fin_comes_again_when_it_was_lost) {
  running_server server{over_it({.deadlines = {.idle = duration{200}}}), echo};
  raw_client client = server.connect();
  lose_fin(client);
  ASSERT_TRUE(eventually([&] { return count_states(server.where().port)[TCP_FIN_WAIT1] == 1; }));
  client.send("request");
  lose_no_more(client);
  const auto end = client.receive_to_end();
  EXPECT_EQ(end.error, 0);
  EXPECT_EQ(end.data, "");
  client.close();
  const close_record record = server.records().only();
  EXPECT_EQ(record.reason, close_reason::idle_timeout);
  EXPECT_EQ(record.reap_raced, 7U);
  EXPECT_TRUE(record.lingered);
}

TEST(reap_race, raw) { run({.what = echo, .request = "request"}); }

TEST(reap_race, raw_over_tls) {
  run({.what = echo, .request = "request", .over = wire::tls, .tries = 400});
}

TEST(reap_race, raw_stalled) { run({.what = echo, .request = "request", .stalled = true}); }

TEST(reap_race, raw_abort_after_fin) {
  run({.what = echo, .request = "request", .method = close_method::abort_after_fin});
}

TEST(reap_race, raw_abort_after_fin_stalled) {
  run({.what = echo,
       .request = "request",
       .method = close_method::abort_after_fin,
       .stalled = true});
}

}  // namespace
}  // namespace dwell
