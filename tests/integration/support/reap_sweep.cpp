#include "support/reap_sweep.hpp"

#include "support/child.hpp"
#include "support/raw_client.hpp"
#include "support/running_server.hpp"
#include "support/two_networks.hpp"
#include "support/wire_tap.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <mutex>
#include <optional>
#include <queue>
#include <signal.h>
#include <sstream>
#include <stdexcept>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unordered_map>
#include <vector>

namespace dwell {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto reach = 5ms;
constexpr auto stall = 2s;
constexpr std::size_t opened_per_second = 600;
constexpr std::size_t opened_per_stall = 1'000;
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
  service_options options{.listen = {.address = "127.0.0.1"},
                          .deadlines = {.idle = sweep.idle},
                          .close = {.idle = sweep.method}};
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

// ── the clients ──

/// One client, and what became of it.
struct attempt {
  std::optional<raw_client> client;
  std::string address;         // its own: ports come again
  clock::time_point asked;     // the first request left
  clock::time_point answered;  // and its answer was there
  clock::time_point sent;      // the second has left
  bool keeps_to_timeout = false;
  int send_error = 0;
  std::size_t received = 0;
  bool got_answer = false;
  bool got_end = false;
  int error = 0;
};

enum class todo { open, send };

struct plan {
  clock::time_point when;
  std::size_t which;
  todo what;
  bool operator>(const plan& other) const { return when > other.when; }
};

/// -reach to reach, evenly spread over any run of tries.
clock::duration swept(std::size_t number) {
  const double golden = static_cast<double>(number) * 0.6180339887498949;
  const double part = golden - static_cast<double>(static_cast<std::size_t>(golden));
  return std::chrono::duration_cast<clock::duration>(reach * (2 * part - 1));
}

class clients {
 public:
  clients(const reap_sweep& sweep, endpoint to, pid_t server)
      : sweep_{sweep}, to_{std::move(to)}, server_{server}, all_(sweep.tries) {}
  clients(const clients&) = delete;
  clients& operator=(const clients&) = delete;
  ~clients() { ::close(set_); }

  const std::vector<attempt>& run() {
    if (sweep_.stalled) {
      for (std::size_t from = 0; from < all_.size(); from += opened_per_stall) {
        run_stalled(from, std::min(all_.size(), from + opened_per_stall));
      }
    } else {
      const auto began = clock::now();
      for (std::size_t i = 0; i < all_.size(); ++i) {
        plans_.push({began + i * 1'000'000us / opened_per_second, i, todo::open});
      }
      run_until([&] { return over_ == all_.size(); });
    }
    return all_;
  }

  clock::time_point resumed_after(std::size_t number) const {
    return resumed_[number / opened_per_stall];
  }

 private:
  /// All open and have an answer before the server stops; only then is it known when to send.
  void run_stalled(std::size_t from, std::size_t to) {
    stopped_ = clock::time_point::max();
    for (std::size_t i = from; i < to; ++i) plans_.push({clock::now(), i, todo::open});
    run_until([&] { return waiting_.size() == to - from; });
    stop_server();
    for (const std::size_t i : std::exchange(waiting_, {})) plan_second(i);
    run_until([&] { return clock::now() >= stopped_ + stall; });
    resumed_.push_back(clock::now());
    ::kill(server_, SIGCONT);
    run_until([&] { return over_ == to; });
  }

  void stop_server() {
    ::kill(server_, SIGSTOP);
    int status = 0;
    ASSERT_EQ(::waitpid(server_, &status, WUNTRACED), server_);
    ASSERT_TRUE(WIFSTOPPED(status));
    stopped_ = clock::now();
  }

  template <class Done>
  void run_until(Done&& done) {
    const auto end = clock::now() + limit;
    while (!done()) {
      if (clock::now() > end) throw std::runtime_error{"the sweep does not come to its end"};
      if (!plans_.empty() && plans_.top().when <= clock::now()) {
        const plan next = plans_.top();
        plans_.pop();
        next.what == todo::open ? open(next.which) : send(next.which);
      } else {
        wait();
      }
    }
  }

  void wait() {
    auto until = clock::now() + 1ms;
    if (!plans_.empty()) until = std::min(until, plans_.top().when);
    const auto left = std::max(clock::duration{0}, until - clock::now());
    const timespec timeout{0, static_cast<long>(std::chrono::nanoseconds{left}.count())};
    std::array<epoll_event, 64> ready;
    const int count =
        epoll_pwait2(set_, ready.data(), static_cast<int>(ready.size()), &timeout, nullptr);
    for (int i = 0; i < count; ++i) receive(ready[static_cast<std::size_t>(i)].data.u64);
  }

  void watch(std::size_t which, int operation) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = which;
    ASSERT_EQ(epoll_ctl(set_, operation, all_[which].client->descriptor(), &event), 0);
  }

  void open(std::size_t which) {
    attempt& a = all_[which];
    a.address = "127.1." + std::to_string(which / 250) + '.' + std::to_string(which % 250 + 1);
    a.client.emplace(to_, client_options{.from = a.address});
    a.keeps_to_timeout = sweep_.half_keep_to_timeout && which % 2 == 0;
    a.asked = clock::now();
    a.client->send(sweep_.request);
    watch(which, EPOLL_CTL_ADD);
  }

  void receive(std::size_t which) {
    attempt& a = all_[which];
    std::array<char, 4'096> buffer;
    const ssize_t count =
        ::recv(a.client->descriptor(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return;
    if (count > 0) {
      a.received += static_cast<std::size_t>(count);
      if (a.answered == clock::time_point{}) return take_first(which, {buffer.data(), a.received});
      a.got_answer = a.received == 2 * answer_size_;
      if (!a.got_answer) return;
    } else {
      a.got_end = count == 0;
      a.error = count < 0 ? errno : 0;
    }
    a.client->close();
    ++over_;
  }

  /// The first answer. From here on the client is deaf until it has sent again.
  void take_first(std::size_t which, std::string_view answer) {
    if (answer_size_ == 0) learn(answer);
    ASSERT_EQ(answer.size(), answer_size_);
    all_[which].answered = clock::now();
    watch(which, EPOLL_CTL_DEL);
    if (sweep_.stalled) {
      waiting_.push_back(which);
    } else {
      plan_second(which);
    }
  }

  void learn(std::string_view answer) {
    answer_size_ = answer.size();
    constexpr std::string_view field = "Keep-Alive: timeout=";
    const auto at = answer.find(field);
    if (at == std::string_view::npos) return;
    int seconds = 0;
    std::from_chars(answer.data() + at + field.size(), answer.data() + answer.size(), seconds);
    announced_ = std::chrono::seconds{seconds};
  }

  void plan_second(std::size_t which) {
    const attempt& a = all_[which];
    auto when = a.asked + (a.answered - a.asked) / 2 + sweep_.idle + swept(which);
    if (a.keeps_to_timeout) {
      when = a.answered + announced_ - reach + swept(which);
    } else if (sweep_.stalled && which / 2 % 2 == 0) {
      when = stopped_ + stall + reach * 3 + 4 * swept(which);  // it has much to do first
    }
    plans_.push({when, which, todo::send});
  }

  void send(std::size_t which) {
    attempt& a = all_[which];
    // Too late to keep to it: one more of the others.
    if (clock::now() >= a.answered + announced_) a.keeps_to_timeout = false;
    a.send_error = a.client->try_send(sweep_.request).second;
    a.sent = clock::now();
    watch(which, EPOLL_CTL_ADD);
  }

  const reap_sweep& sweep_;
  endpoint to_;
  pid_t server_;
  std::vector<attempt> all_;
  std::priority_queue<plan, std::vector<plan>, std::greater<>> plans_;
  std::vector<std::size_t> waiting_;
  int set_ = epoll_create1(EPOLL_CLOEXEC);
  std::size_t over_ = 0;
  std::size_t answer_size_ = 0;
  std::chrono::seconds announced_{0};
  clock::time_point stopped_;
  std::vector<clock::time_point> resumed_;
};

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

void check_all(const reap_sweep& sweep, const std::vector<attempt>& all, const clients& who,
               const closes& closed, const orders& wire) {
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
    const bool in_stall = sweep.stalled && a.sent < who.resumed_after(i);
    if (in_stall) ++sum.in_stall;
    if (a.keeps_to_timeout || in_stall) {
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
  EXPECT_GT(sum.answered, all.size() / 10);  // or else the sweep has missed the deadline
  EXPECT_GT(unanswered, 0U);
}

}  // namespace

void run(const reap_sweep& sweep) {
  in_two_networks([&](two_networks&) {
    child server{[&](child& self) { return serve(self, sweep); }};
    const std::string port = server.hear();
    ASSERT_FALSE(port.empty());
    const endpoint where{"127.0.0.1", static_cast<std::uint16_t>(std::stoi(port))};
    wire_tap tap{where.port};
    clients everyone{sweep, where, server.id()};
    const std::vector<attempt>& all = everyone.run();
    const child_result result = server.wait();
    ASSERT_EQ(result.exit_code, 0) << "the server; signal " << result.signal;
    check_all(sweep, all, everyone, read_closes(result.said), tap.stop());
  });
}

}  // namespace dwell
