#include "support/late_clients.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <functional>
#include <queue>
#include <signal.h>
#include <stdexcept>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace dwell {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto reach = 5ms;
constexpr auto stall = 2s;
constexpr auto farthest_shift = 60ms;
constexpr auto shift_step = 50us;
constexpr std::size_t opened_per_second = 600;
constexpr std::size_t shaking_hands_per_second = 250;
constexpr std::size_t opened_per_stall = 1'000;
constexpr std::size_t shaking_hands_per_stall = 150;  // before the first is due
constexpr auto standstill = 500ms;
constexpr auto limit = 2min;

enum class todo { open, aim, send };

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

  std::vector<attempt> run() {
    if (sweep_.stalled) {
      const std::size_t at_once =
          sweep_.over == wire::tls ? shaking_hands_per_stall : opened_per_stall;
      for (std::size_t from = 0; from < all_.size(); from += at_once) {
        run_stalled(from, std::min(all_.size(), from + at_once));
      }
    } else {
      const auto began = clock::now();
      for (std::size_t i = 0; i < all_.size(); ++i) {
        plans_.push({began + i * 1'000'000us / per_second(), i, todo::open});
      }
      run_until([&] { return over_ == all_.size(); });
    }
    return std::move(all_);
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
    const auto resumed = clock::now();
    ::kill(server_, SIGCONT);
    run_until([&] { return over_ == to; });
    for (std::size_t i = from; i < to; ++i) all_[i].sent_in_stall = all_[i].sent < resumed;
  }

  std::size_t per_second() const {
    return sweep_.over == wire::tls ? shaking_hands_per_second : opened_per_second;
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
        carry_out(next);
        if (next.what == todo::open) wait();  // a handshake may have taken as long as all others
      } else {
        wait();
      }
    }
  }

  void carry_out(const plan& next) {
    switch (next.what) {
      case todo::open: return open(next.which);
      case todo::aim: plans_.push({all_[next.which].due + shift_, next.which, todo::send}); return;
      case todo::send: return send(next.which);
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
    raw_client_options how{.from = a.address};
    if (sweep_.over == wire::tls) how.tls.emplace();
    a.client.emplace(to_, how);
    a.keeps_to_timeout = sweep_.half_keep_to_timeout && which % 2 == 0;
    a.asked = clock::now();
    a.client->send(sweep_.request);
    watch(which, EPOLL_CTL_ADD);
  }

  void receive(std::size_t which) {
    attempt& a = all_[which];
    const raw_client::arrival came = a.client->receive_now();
    const bool over = came.ended || came.error != 0;
    if (came.data.empty() && !over) return;
    a.received += came.data.size();
    if (a.answered == clock::time_point{} && !over) return take_first(which, came.data);
    a.got_answer = a.received == 2 * answer_size_;
    if (!a.got_answer && !over) return;
    a.got_end = came.ended && !a.got_answer;
    a.error = a.got_answer ? 0 : came.error;
    a.client->close();
    ++over_;
    if (!a.keeps_to_timeout && !sweep_.stalled) follow(a.got_answer);
  }

  /// Both ends are late on a busy machine: the sweep is kept where half of the requests are
  /// answered.
  void follow(bool answered) {
    shift_ = std::clamp<clock::duration>(shift_ + (answered ? shift_step : -shift_step),
                                         -farthest_shift, farthest_shift);
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
    attempt& a = all_[which];
    a.due = a.asked + (a.answered - a.asked) / 2 + sweep_.idle + swept(which);
    if (!a.keeps_to_timeout && !sweep_.stalled) {
      plans_.push({a.due - farthest_shift, which, todo::aim});
      return;
    }
    if (a.keeps_to_timeout) {
      a.due = a.answered + announced_ - reach + swept(which);
    } else if (sweep_.stalled && which / 2 % 2 == 0) {
      a.due = stopped_ + stall + reach * 3 + 4 * swept(which);  // it has much to do first
    }
    plans_.push({a.due, which, todo::send});
  }

  void send(std::size_t which) {
    attempt& a = all_[which];
    a.send_error = a.client->try_send(sweep_.request).second;
    a.sent = clock::now();
    // On a machine that stood still it has come too late: one more of the others.
    if (a.sent >= std::min(a.answered, a.asked + standstill) + announced_) {
      a.keeps_to_timeout = false;
    }
    watch(which, EPOLL_CTL_ADD);
  }

  const reap_sweep& sweep_;
  endpoint to_;
  pid_t server_;
  std::vector<attempt> all_;
  std::priority_queue<plan, std::vector<plan>, std::greater<>> plans_;
  std::vector<std::size_t> waiting_;
  int set_ = epoll_create1(EPOLL_CLOEXEC);
  clock::duration shift_{0};
  std::size_t over_ = 0;
  std::size_t answer_size_ = 0;
  std::chrono::seconds announced_{0};
  clock::time_point stopped_;
};

}  // namespace

std::vector<attempt> send_late(const reap_sweep& sweep, const endpoint& to, pid_t server) {
  return clients{sweep, to, server}.run();
}

}  // namespace dwell
