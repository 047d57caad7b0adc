#include "support/reap_sweep.hpp"

#include "support/child.hpp"
#include "support/late_clients.hpp"
#include "support/running_server.hpp"
#include "support/two_networks.hpp"
#include "support/wire_tap.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iostream>
#include <mutex>
#include <sstream>
#include <unordered_map>
#include <vector>

namespace dwell {
namespace {

using namespace std::chrono_literals;

constexpr auto limit = 2min;

// ── the server ──

struct ended {
  std::string client;
  std::uint32_t reap_raced = 0;
};

/// In a process of its own, which the test can stop. Says its port, and at the end each close.
int serve(child& self, const reap_sweep& sweep) {
  std::mutex mutex;
  std::vector<ended> all;
  service_options options = over(sweep.over, {.listen = {.address = "127.0.0.1"},
                                              .deadlines = {.idle = sweep.idle},
                                              .close = {.idle = sweep.method}});
  options.on_close = [&](const connection& peer, const close_record& record) {
    const std::lock_guard lock{mutex};
    all.push_back({peer.peer_endpoint().address, record.reap_raced});
  };
  server host{quietly()};
  const endpoint where = host.serve(options, sweep.what);
  host.start();
  self.say(std::to_string(where.port));
  const bool complete = eventually(
      [&] {
        const std::lock_guard lock{mutex};
        return all.size() == sweep.tries;
      },
      limit);
  const std::lock_guard lock{mutex};
  EXPECT_TRUE(complete) << all.size() << " of " << sweep.tries << " connections ended";
  const auto raced =
      std::ranges::count_if(all, [](const ended& each) { return each.reap_raced != 0; });
  EXPECT_EQ(host.counts().reap_raced, static_cast<std::uint64_t>(raced));
  for (const ended& each : all) {
    self.say(each.client + ' ' + std::to_string(each.reap_raced));
  }
  return 0;
}

// ── what must hold ──

struct tally {
  std::size_t answered = 0;
  std::size_t raced = 0;             // counted in reap_raced
  std::size_t raced_before_fin = 0;  // of these: were there before our FIN left
  std::size_t uncounted = 0;         // unanswered, not in reap_raced
  std::size_t after_fin = 0;         // of these: came after our FIN had left
  std::size_t keep_to_timeout = 0;
  std::size_t in_stall = 0;  // sent while the server was stopped
};

using closes = std::unordered_map<std::string, std::uint32_t>;  // reap_raced by client
using orders = std::unordered_map<std::string, wire_order>;

closes read_closes(const std::string& said) {
  closes all;
  std::istringstream lines{said};
  for (ended each; lines >> each.client >> each.reap_raced;) all[each.client] = each.reap_raced;
  return all;
}

void check(const reap_sweep& sweep, const attempt& a, std::uint32_t raced, const wire_order& wire,
           tally& sum) {
  ASSERT_TRUE(a.got_answer || a.got_end) << "the client saw errno " << a.error;
  // Only who was told of the end may find that he cannot send any more.
  ASSERT_TRUE(a.send_error == 0 || (a.send_error == EPIPE && a.got_end)) << a.send_error;
  if (a.got_answer) {
    ++sum.answered;
    ASSERT_EQ(raced, 0U);
    return;
  }
  ASSERT_NE(wire.first_fin, 0U);
  // (After an answer the client closes first, and an ACK that another CPU has held up may find
  // nobody.)
  if (sweep.method == close_method::graceful) {
    ASSERT_EQ(wire.first_reset, 0U);
    ASSERT_EQ(a.send_error, 0);
  }
  const bool before_fin = a.send_error == 0 && wire.last_data_in < wire.first_fin;
  if (raced != 0) {
    ++sum.raced;
    sum.raced_before_fin += before_fin ? 1 : 0;
    ASSERT_EQ(raced, sweep.request.size());
    return;
  }
  ++sum.uncounted;
  sum.after_fin += before_fin ? 0 : 1;
  ASSERT_FALSE(before_fin) << "it was there before our FIN left, and was lost";
  ASSERT_NE(sweep.method, close_method::graceful) << "it was lost";
}

void check_all(const reap_sweep& sweep, const std::vector<attempt>& all, const closes& closed,
               const orders& wire) {
  tally sum;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const attempt& a = all[i];
    const auto& w = wire.contains(a.address) ? wire.at(a.address) : wire_order{};
    SCOPED_TRACE("try " + std::to_string(i) + (a.got_answer ? ", answered" : "") +
                 (a.got_end ? ", saw FIN" : "") + ", errno " + std::to_string(a.error) +
                 "; on the wire: data " + std::to_string(w.last_data_in) + ", FIN " +
                 std::to_string(w.first_fin) + ", RST " + std::to_string(w.first_reset));
    ASSERT_TRUE(closed.contains(a.address));
    ASSERT_TRUE(wire.contains(a.address));
    check(sweep, a, closed.at(a.address), wire.at(a.address), sum);
    if (a.keeps_to_timeout) ++sum.keep_to_timeout;
    if (a.sent_in_stall) ++sum.in_stall;
    if (a.keeps_to_timeout || a.sent_in_stall) {
      ASSERT_TRUE(a.got_answer) << "it was in time";
    }
    if (::testing::Test::HasFatalFailure()) return;
  }
  const std::size_t unanswered = all.size() - sum.answered;
  std::cout << "  " << all.size() << " tries: " << sum.answered << " answered, " << unanswered
            << " not; of these " << sum.raced << " in reap_raced (" << sum.raced_before_fin
            << " had come before our FIN left)\n  " << unanswered << " unanswered - " << sum.raced
            << " reap_raced = " << sum.after_fin << " after our FIN and lost; 0 resets seen";
  if (sweep.half_keep_to_timeout) std::cout << "; " << sum.keep_to_timeout << " kept to timeout";
  if (sweep.stalled) std::cout << "; " << sum.in_stall << " sent during the stall, all answered";
  std::cout << std::endl;
  EXPECT_EQ(unanswered - sum.raced, sum.after_fin);
  EXPECT_GT(sum.answered, 0U);  // or else the sweep has missed the deadline
  if (!sweep.stalled) {
    EXPECT_GT(unanswered, 0U);
  }
}

}  // namespace

void run(const reap_sweep& sweep) {
  in_two_networks([&](two_networks&) {
    child server{[&](child& self) { return serve(self, sweep); }};
    const std::string port = server.hear();
    ASSERT_FALSE(port.empty());
    const endpoint where{"127.0.0.1", static_cast<std::uint16_t>(std::stoi(port))};
    wire_tap tap{where.port};
    const std::vector<attempt> all = send_late(sweep, where, server.id());
    const child_result result = server.wait();
    ASSERT_EQ(result.exit_code, 0) << "the server; signal " << result.signal;
    check_all(sweep, all, read_closes(result.said), tap.stop());
  });
}

}  // namespace dwell
