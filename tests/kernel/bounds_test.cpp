// What Dwell sets against each state that the kernel would keep for long, or for ever: which option
// ends it, as seen by the kernel.

#include <dwell/dwell.hpp>

#include "lasting.hpp"
#include "support/running_server.hpp"
#include "support/two_networks.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

namespace dwell {
namespace {

using namespace std::chrono_literals;

/// A server in one network, and a client in the other that does not do what it should.
class misbehaved {
 public:
  misbehaved(const two_networks& networks, service_options options, handler what,
             const raw_client_options& client = {})
      : server_{there(std::move(options)), std::move(what)} {
    networks.on_client_side([&] { peer_ = std::make_unique<raw_client>(server_.where(), client); });
  }

  raw_client& peer() noexcept { return *peer_; }
  const close_log& records() const noexcept { return server_.records(); }
  /// The server's end of the connection.
  kernels_end* operator->() noexcept { return &end_; }

 private:
  static service_options there(service_options options) {
    options.listen = {.address = two_networks::server_address};
    return options;
  }

  running_server server_;
  std::unique_ptr<raw_client> peer_;
  kernels_end end_{server_.where().port};
};

constexpr dwell::deadlines unlimited_time{.idle = off,
                                          .read = off,
                                          .handle = off,
                                          .write = std::chrono::hours{1},
                                          .close = std::chrono::hours{1}};

/// Ends the connection when the client says something.
handler closing(close_reason reason) {
  return callbacks<>{.on_data = [reason](connection& peer, no_session&, bytes data) {
    peer.close(reason);
    return data.size();
  }};
}

/// Does nothing, whatever comes.
handler indifferent() {
  return callbacks<>{.on_data = [](connection&, no_session&, bytes data) { return data.size(); },
                     .on_peer_closed = [](connection&, no_session&) {}};
}

/// Has a short idle deadline from the client's first byte on.
handler idle_once_heard() {
  return callbacks<>{.on_data = [](connection& peer, no_session&, bytes data) {
    peer.set_deadline(phase::idle, 200ms);
    return data.size();
  }};
}

TEST(bounds, established_with_a_vanished_peer_by_idle_and_then_by_the_user_timeout) {
  in_two_networks([](two_networks& networks) {
    misbehaved one{networks,
                   {.deadlines = unlimited_time, .socket = {.user_timeout = 300ms}},
                   idle_once_heard()};
    vanish(one.peer().descriptor());
    one.peer().send("x");
    EXPECT_EQ(one.records().only().reason, close_reason::idle_timeout);
    EXPECT_TRUE(one->goes()) << to_string(one->seen()->state);
  });
}

TEST(bounds, a_user_timeout_of_its_own_making_from_write_and_close) {
  in_two_networks([](two_networks& networks) {
    deadlines times = unlimited_time;
    times.write = times.close = 200ms;
    misbehaved one{networks, {.deadlines = times}, idle_once_heard()};
    vanish(one.peer().descriptor());
    one.peer().send("x");
    EXPECT_EQ(one.records().only().reason, close_reason::idle_timeout);
    EXPECT_TRUE(one->goes()) << to_string(one->seen()->state);
  });
}

TEST(bounds, fin_wait_1_with_an_answer_that_nobody_reads_by_the_user_timeout) {
  in_two_networks([](two_networks& networks) {
    misbehaved one{
        networks,
        {.deadlines = unlimited_time, .socket = {.user_timeout = 1s, .send_buffer = 1 << 20}},
        callbacks<>{.on_data =
                        [](connection& peer, no_session&, bytes data) {
                          peer.send(bytes{std::string(100'000, 'x')});
                          peer.close();
                          return data.size();
                        }},
        {.receive_buffer = 4096}};
    one.peer().send("x");
    ASSERT_TRUE(one->comes_to(tcp_state::fin_wait_1));
    EXPECT_EQ(one.records().only().reason, close_reason::finished);
    EXPECT_TRUE(one->goes());
  });
}

TEST(bounds, fin_wait_2_with_a_descriptor_by_close) {
  in_two_networks([](two_networks& networks) {
    deadlines times = unlimited_time;
    times.close = 3s;  // time to look at it
    misbehaved one{networks, {.deadlines = times}, closing(close_reason::protocol_error)};
    one.peer().send("x");
    ASSERT_TRUE(one->comes_to(tcp_state::fin_wait_2));
    EXPECT_TRUE(one->goes()) << "nor is there a TIME_WAIT";
    EXPECT_TRUE(one.records().only().lingered);
  });
}

TEST(bounds, fin_wait_2_without_a_descriptor_by_linger2) {
  in_two_networks([](two_networks& networks) {
    misbehaved one{networks,
                   {.deadlines = unlimited_time, .socket = {.linger2 = 3s}},
                   closing(close_reason::finished)};
    one.peer().send("x");
    EXPECT_FALSE(one.records().only().lingered);
    ASSERT_TRUE(one->comes_to(tcp_state::fin_wait_2));
    EXPECT_TRUE(one->seen()->is_orphan());
    EXPECT_LE(one->seen()->remaining, 3s);
    EXPECT_TRUE(one->goes());
  });
}

TEST(bounds, fin_wait_2_of_a_half_close_by_idle) {
  in_two_networks([](two_networks& networks) {
    deadlines times = unlimited_time;
    times.idle = 3s;  // time to look at it
    times.close = 200ms;
    misbehaved one{networks,
                   {.deadlines = times},
                   callbacks<>{.on_data = [](connection& peer, no_session&, bytes data) {
                     peer.shutdown_send();
                     return data.size();
                   }}};
    one.peer().send("x");
    ASSERT_TRUE(one->comes_to(tcp_state::fin_wait_2));
    EXPECT_FALSE(one->seen()->is_orphan()) << "the client may go on sending";
    EXPECT_TRUE(one->goes());
    EXPECT_EQ(one.records().only().reason, close_reason::idle_timeout);
  });
}

TEST(bounds, close_wait_by_idle_when_the_handler_forgets_it) {
  in_two_networks([](two_networks& networks) {
    deadlines times = unlimited_time;
    times.idle = 3s;  // time to look at it
    misbehaved one{networks, {.deadlines = times}, indifferent()};
    one.peer().shutdown_send();
    ASSERT_TRUE(one->comes_to(tcp_state::close_wait));
    EXPECT_TRUE(one->goes());
  });
}

TEST(bounds, close_wait_by_dwell_itself_when_nothing_is_owed) {
  in_two_networks([](two_networks& networks) {
    misbehaved one{networks, {.deadlines = unlimited_time}, callbacks<>{}};
    one.peer().shutdown_send();
    EXPECT_TRUE(one->goes());
    EXPECT_EQ(one.records().only().reason, close_reason::peer_closed);
  });
}

TEST(bounds, a_peer_that_does_not_read_by_write) {
  in_two_networks([](two_networks& networks) {
    deadlines times = unlimited_time;
    times.write = 1s;
    misbehaved one{networks,
                   {.deadlines = times,
                    .limits = {.output = std::size_t{16} << 20},
                    .socket = {.user_timeout = std::chrono::hours{1}}},
                   callbacks<>{.on_data = [](connection& peer, no_session&, bytes data) {
                     peer.send(bytes{std::string(std::size_t{8} << 20, 'x')});
                     return data.size();
                   }}};
    one.peer().send("x");
    EXPECT_EQ(one.records().only().reason, close_reason::write_timeout);
    EXPECT_TRUE(one->goes());
  });
}

}  // namespace
}  // namespace dwell
