// How long the kernel keeps a socket in each state when the other end misbehaves: what ends it, and
// what does not. Plain sockets, without Dwell.

#include "lasting.hpp"

#include <dwell/kernel/kernel_view.hpp>

#include "support/raw_client.hpp"
#include "support/two_networks.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace dwell {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

/// A connection whose end here is a plain descriptor, and whose other end is in another network.
class connected {
 public:
  explicit connected(const two_networks& networks) {
    networks.on_client_side([&] { peer_ = std::make_unique<raw_client>(listener_.where()); });
    here_ = listener_.accept();
  }
  connected(const connected&) = delete;
  connected& operator=(const connected&) = delete;
  ~connected() { close(); }

  int here() const noexcept { return here_; }
  raw_client& peer() noexcept { return *peer_; }
  kernels_end* operator->() noexcept { return &end_; }
  void shutdown_send() const { ::shutdown(here_, SHUT_WR); }
  void close() {
    if (here_ >= 0) ::close(std::exchange(here_, -1));
  }

  /// SO_ERROR, once there is one.
  int error() const {
    int value = 0;
    eventually([&] {
      socklen_t size = sizeof value;
      ::getsockopt(here_, SOL_SOCKET, SO_ERROR, &value, &size);
      return value != 0;
    });
    return value;
  }

 private:
  listener listener_;
  int here_ = -1;
  std::unique_ptr<raw_client> peer_;
  kernels_end end_{listener_.port()};
};

TEST(established_lasts, for_ever_when_the_peer_vanishes_and_nothing_is_sent) {
  in_two_networks([](two_networks& networks) {
    connected one{networks};
    set_tcp(one.here(), TCP_USER_TIMEOUT, 300);
    vanish(one.peer().descriptor());
    EXPECT_EQ(one->seen()->timer, socket_timer::none) << "the user timeout needs something sent";
  });
}

TEST(established_lasts, until_keepalive_has_asked_in_vain) {
  in_two_networks([](two_networks& networks) {
    connected one{networks};
    set_tcp(one.here(), TCP_KEEPIDLE, 1);
    set_tcp(one.here(), TCP_KEEPINTVL, 1);
    set_tcp(one.here(), TCP_KEEPCNT, 1);
    set_option(one.here(), SOL_SOCKET, SO_KEEPALIVE, 1);
    vanish(one.peer().descriptor());
    const auto begin = clock::now();
    EXPECT_EQ(one->seen()->timer, socket_timer::keepalive);
    EXPECT_EQ(one.error(), ETIMEDOUT);
    EXPECT_GE(clock::now() - begin, 1900ms) << "a second of silence, and one for the probe";
  });
}

TEST(established_lasts, until_the_user_timeout_when_nothing_is_acknowledged) {
  in_two_networks([](two_networks& networks) {
    connected one{networks};
    connected patient{networks};
    for (connected* each : {&one, &patient}) {
      vanish(each->peer().descriptor());
      ASSERT_EQ(::send(each->here(), "x", 1, 0), 1);
    }
    set_tcp(one.here(), TCP_USER_TIMEOUT, 300);
    EXPECT_EQ(one.error(), ETIMEDOUT);
    ASSERT_TRUE(patient->seen());
    EXPECT_EQ(patient->seen()->timer, socket_timer::retransmit)
        << "and so on for a quarter of an hour";
  });
}

/// Nothing fits any more: to the peer, which does not read, or into the kernel here.
void fill(connected& one) {
  const std::string much(1 << 20, 'x');
  set_tcp(one.peer().descriptor(), TCP_WINDOW_CLAMP, 4096);
  while (::send(one.here(), much.data(), much.size(), MSG_DONTWAIT) > 0) continue;
}

TEST(established_lasts, until_the_user_timeout_when_the_peer_lives_and_does_not_read) {
  in_two_networks([](two_networks& networks) {
    connected one{networks};
    connected patient{networks};
    fill(one);
    fill(patient);
    set_tcp(one.here(), TCP_USER_TIMEOUT, 300);
    EXPECT_EQ(one.error(), ETIMEDOUT) << "an end to a peer that is alive";
    ASSERT_TRUE(patient->seen());
    EXPECT_EQ(patient->seen()->state, tcp_state::established);
  });
}

TEST(established_lasts, no_longer_than_the_user_timeout_whatever_keepalive_counts) {
  in_two_networks([](two_networks& networks) {
    connected one{networks};
    connected patient{networks};
    for (connected* each : {&one, &patient}) {
      set_tcp(each->here(), TCP_KEEPIDLE, 1);
      set_tcp(each->here(), TCP_KEEPINTVL, 1);
      set_tcp(each->here(), TCP_KEEPCNT, 100);
      set_option(each->here(), SOL_SOCKET, SO_KEEPALIVE, 1);
      vanish(each->peer().descriptor());
    }
    set_tcp(one.here(), TCP_USER_TIMEOUT, 1500);
    EXPECT_EQ(one.error(), ETIMEDOUT);
    EXPECT_EQ(patient->seen()->timer, socket_timer::keepalive);
  });
}

TEST(fin_wait_1_lasts, until_the_user_timeout_when_the_peer_vanishes) {
  in_two_networks([](two_networks& networks) {
    connected open{networks};
    connected orphan{networks};
    connected patient{networks};
    for (connected* each : {&open, &orphan, &patient}) vanish(each->peer().descriptor());
    set_tcp(open.here(), TCP_USER_TIMEOUT, 300);
    set_tcp(orphan.here(), TCP_USER_TIMEOUT, 300);
    open.shutdown_send();
    orphan.close();
    patient.close();
    EXPECT_TRUE(open->goes());
    EXPECT_TRUE(orphan->goes());
    ASSERT_TRUE(patient->seen());
    EXPECT_EQ(patient->seen()->state, tcp_state::fin_wait_1);
    EXPECT_EQ(patient->seen()->timer, socket_timer::retransmit);
  });
}

TEST(fin_wait_1_lasts, until_the_user_timeout_when_the_peer_lives_and_does_not_read) {
  in_two_networks([](two_networks& networks) {
    connected one{networks};
    connected patient{networks};
    fill(one);
    fill(patient);
    set_tcp(one.here(), TCP_USER_TIMEOUT, 300);
    one.close();
    patient.close();
    EXPECT_TRUE(one->goes()) << "an end to a peer that is alive";
    ASSERT_TRUE(patient->seen());
    EXPECT_EQ(patient->seen()->state, tcp_state::fin_wait_1);
    EXPECT_TRUE(patient->seen()->is_orphan());
  });
}

TEST(fin_wait_2_lasts, for_ever_while_the_descriptor_is_open) {
  in_two_networks([](two_networks& networks) {
    set_sysctl("tcp_fin_timeout", 1);
    connected one{networks};
    set_tcp(one.here(), TCP_LINGER2, 1);
    set_tcp(one.here(), TCP_USER_TIMEOUT, 300);
    one.shutdown_send();
    ASSERT_TRUE(one->comes_to(tcp_state::fin_wait_2));
    EXPECT_EQ(one->seen()->timer, socket_timer::none) << "no timer runs that could end it";
  });
}

TEST(fin_wait_2_lasts, as_long_as_linger2_says_once_it_is_an_orphan) {
  in_two_networks([](two_networks& networks) {
    connected one{networks};
    set_tcp(one.here(), TCP_LINGER2, 3);
    const auto begin = clock::now();
    one.close();
    ASSERT_TRUE(one->comes_to(tcp_state::fin_wait_2));
    EXPECT_LE(one->seen()->remaining, 3s);
    EXPECT_TRUE(one->goes()) << "without a TIME_WAIT";
    EXPECT_GE(clock::now() - begin, 2900ms);
  });
}

TEST(fin_wait_2_lasts, as_long_as_fin_timeout_says_otherwise) {
  in_two_networks([](two_networks& networks) {
    connected by_default{networks};
    by_default.close();
    ASSERT_TRUE(by_default->comes_to(tcp_state::fin_wait_2));
    EXPECT_GT(by_default->seen()->remaining, 30s);
    EXPECT_LE(by_default->seen()->remaining, 60s);
    set_sysctl("tcp_fin_timeout", 20);
    connected one{networks};
    one.close();
    ASSERT_TRUE(one->comes_to(tcp_state::fin_wait_2));
    EXPECT_LE(one->seen()->remaining, 20s);
  });
}

TEST(time_wait_lasts, a_minute_whatever_is_set) {
  in_two_networks([](two_networks& networks) {
    set_sysctl("tcp_fin_timeout", 5);
    connected one{networks};
    set_tcp(one.here(), TCP_LINGER2, 5);
    one.close();
    one.peer().close();
    ASSERT_TRUE(one->comes_to(tcp_state::time_wait));
    EXPECT_GT(one->seen()->remaining, 30s);
    EXPECT_LE(one->seen()->remaining, 60s);
  });
}

TEST(close_wait_lasts, until_the_program_closes) {
  in_two_networks([](two_networks& networks) {
    connected one{networks};
    set_tcp(one.here(), TCP_USER_TIMEOUT, 300);
    one.peer().shutdown_send();
    ASSERT_TRUE(one->comes_to(tcp_state::close_wait));
    EXPECT_EQ(one->seen()->timer, socket_timer::none);
    one.close();
    EXPECT_TRUE(one->goes());
  });
}

TEST(last_ack_lasts, until_the_user_timeout_when_the_peer_vanishes) {
  in_two_networks([](two_networks& networks) {
    connected one{networks};
    connected patient{networks};
    for (connected* each : {&one, &patient}) {
      each->peer().shutdown_send();
      ASSERT_TRUE((*each)->comes_to(tcp_state::close_wait));
      vanish(each->peer().descriptor());
    }
    set_tcp(one.here(), TCP_USER_TIMEOUT, 300);
    one.close();
    patient.close();
    EXPECT_TRUE(one->goes());
    ASSERT_TRUE(patient->seen());
    EXPECT_EQ(patient->seen()->state, tcp_state::last_ack);
    EXPECT_EQ(patient->seen()->timer, socket_timer::retransmit);
  });
}

}  // namespace
}  // namespace dwell
