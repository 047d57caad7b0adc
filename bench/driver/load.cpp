#include "load.hpp"

#include "failures.hpp"
#include "http_get.hpp"
#include "interrupt.hpp"
#include "progress.hpp"
#include "tally.hpp"
#include "target.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr nanoseconds housekeeping = 100 * millisecond;
constexpr nanoseconds late_after = millisecond;

struct slot {
  enum class state : std::uint8_t { closed, connecting, ready, busy, awaiting_eof };
  int fd = -1;
  state now = state::closed;
  std::uint32_t sent = 0;
  std::uint32_t received = 0;
  nanoseconds intended = 0;  // when this exchange should have started
  nanoseconds started = 0;   // when it did
};

class load {
 public:
  explicit load(const load_options& options) : options_(options), slots_(options.connections) {
    for (const std::string& text : options.targets) targets_.push_back(parse_target(text));
    options_.get.empty() ? prepare_echo() : prepare_get();
    prctl(PR_SET_TIMERSLACK, 1UL);
  }

  ~load() {
    for (slot& s : slots_)
      if (s.fd >= 0) close(s.fd);
    close(set_);
  }
  load(const load&) = delete;
  load& operator=(const load&) = delete;

  nlohmann::ordered_json run() {
    open_all();
    schedule_start_ = now();
    if (!options_.count) turn_until(schedule_start_ + options_.warmup);
    begin_measuring();
    const bool by_count = options_.count > 0;
    turn_until(by_count ? INT64_MAX : measured_from_ + options_.duration);
    nlohmann::ordered_json result = end_measuring();
    finish_what_began();
    if (!options_.one_exchange && !options_.client_closes) result["left_open"] = wait_for_server();
    return result;
  }

 private:
  // ---- what is sent, and what has to come back ----

  void prepare_echo() {
    request_.resize(options_.request_size);
    for (std::size_t i = 0; i < request_.size(); ++i)
      request_[i] = static_cast<char>((i * 31 + i / 251) & 0xff);
    if (!options_.reply_size) options_.reply_size = options_.request_size;
    if (options_.reply_size == options_.request_size) known_ = request_;
  }

  void prepare_get() {
    const auto [request, reply_size] =
        learn_http_get(targets_.front(), options_.get, options_.one_exchange);
    request_ = request;
    known_ = http_get::reply_begins;
    options_.request_size = request.size();
    options_.reply_size = reply_size;
  }

  // ---- the run ----

  void open_all() {
    if (options_.one_exchange) {
      for (std::uint32_t i = 0; i < slots_.size(); ++i) ready_.push_back(i);
      return;
    }
    // A few at a time: the accept queue of the server is bounded.
    const nanoseconds deadline = now() + options_.timeout;
    std::size_t next = 0;
    while ((next < slots_.size() || connecting_ > 0) && now() < deadline && !interrupted()) {
      while (next < slots_.size() && connecting_ < 64) start(slots_[next++], 0);
      turn(now() + 10 * millisecond);
    }
    if (ready_.empty() && !interrupted())
      throw std::runtime_error("no connection could be opened: " + tally_.first_failure());
  }

  void turn_until(nanoseconds end) {
    dispatching_ = true;
    while (!interrupted() && !enough()) {
      const nanoseconds at = now();
      if (at >= end) break;
      dispatch(at);
      turn(end);
    }
    dispatching_ = false;
  }

  bool enough() const { return options_.count && begun_ >= options_.count && in_flight_ == 0; }

  void finish_what_began() {
    const nanoseconds deadline = now() + second;
    while (in_flight_ > 0 && now() < deadline && !interrupted()) turn(deadline);
  }

  // Returns how many connections the server has not closed in five minutes.
  std::size_t wait_for_server() {
    const nanoseconds deadline = now() + 300 * second;
    const auto open = [this] {
      return std::count_if(slots_.begin(), slots_.end(), [](const slot& s) { return s.fd >= 0; });
    };
    while (open() > 0 && now() < deadline && !interrupted()) turn(now() + 50 * millisecond);
    return static_cast<std::size_t>(open());
  }

  void turn(nanoseconds until) {
    std::array<epoll_event, 128> events{};
    const nanoseconds at = now();
    nanoseconds wake = std::min(until, tidied_ + housekeeping);
    if (dispatching_ && options_.rate > 0 && !ready_.empty()) wake = std::min(wake, due_at(begun_));
    const nanoseconds wait = std::max<nanoseconds>(0, wake - at);
    const timespec timeout{wait / second, wait % second};
    const int n =
        epoll_pwait2(set_, events.data(), static_cast<int>(events.size()), &timeout, nullptr);
    event_time_ = now();
    for (int i = 0; i < n; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      on_event(slots_[event.data.u32], event.events);
    }
    if (event_time_ - tidied_ >= housekeeping) tidy(event_time_);
  }

  // ---- when exchanges start ----

  nanoseconds due_at(std::uint64_t exchange) const {
    return schedule_start_ +
           static_cast<nanoseconds>(static_cast<double>(exchange) * 1e9 / options_.rate);
  }

  void dispatch(nanoseconds at) {
    while (!ready_.empty() && !(options_.count && begun_ >= options_.count)) {
      nanoseconds intended = at;
      if (options_.rate > 0) {
        intended = due_at(begun_);
        if (intended > at) return;
        if (at - intended > late_after) ++tally_.late;
      }
      slot& s = slots_[ready_.front()];
      ready_.pop_front();
      ++begun_;
      ++in_flight_;
      start(s, intended);
    }
  }

  // Opens the connection first where there is none.
  void start(slot& s, nanoseconds intended) {
    s.intended = intended;
    s.started = now();
    s.sent = s.received = 0;
    if (s.fd >= 0) {
      s.now = slot::state::busy;
      return send_request(s);
    }
    const int fd =
        start_connecting(targets_[next_target_++ % targets_.size()], options_.ack_with_data);
    if (fd < 0) return fail(s, failure_of(-fd));
    s.fd = fd;
    s.now = slot::state::connecting;
    if (!options_.one_exchange) ++connecting_;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.u32 = index_of(s);
    epoll_ctl(set_, EPOLL_CTL_ADD, fd, &event);
  }

  // ---- one exchange ----

  void on_event(slot& s, std::uint32_t events) {
    if (s.now == slot::state::connecting && !on_connected(s, events)) return;
    if (s.now == slot::state::busy && s.sent < options_.request_size && (events & EPOLLOUT))
      send_request(s);
    const bool ended = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    if (s.fd >= 0 && (ended || (events & EPOLLIN))) receive(s, ended);
  }

  bool on_connected(slot& s, std::uint32_t events) {
    if (events & (EPOLLERR | EPOLLHUP)) {
      int error = 0;
      socklen_t length = sizeof error;
      getsockopt(s.fd, SOL_SOCKET, SO_ERROR, &error, &length);
      fail(s, failure_of(error));
      return false;
    }
    if (!(events & EPOLLOUT)) return false;
    if (options_.one_exchange) {
      s.now = slot::state::busy;
      return true;  // the request follows at once
    }
    --connecting_;
    s.now = slot::state::ready;
    ready_.push_back(index_of(s));
    return false;
  }

  void send_request(slot& s) {
    while (s.sent < options_.request_size) {
      const ssize_t n = ::send(s.fd, request_.data() + s.sent, options_.request_size - s.sent,
                               MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && errno == EAGAIN) return;
      if (n < 0) return fail(s, failure_of(errno));
      s.sent += static_cast<std::uint32_t>(n);
    }
  }

  // Edge-triggered: once the peer has `ended`, everything is read up to that end.
  void receive(slot& s, bool ended) {
    for (;;) {
      const ssize_t n = ::recv(s.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (n <= 0) return on_end(s, n == 0 ? 0 : errno);
      tally_.received_bytes += static_cast<std::uint64_t>(n);
      if (!matches(s, static_cast<std::size_t>(n))) return fail(s, failure::corrupt);
      s.received += static_cast<std::uint32_t>(n);
      if (s.now == slot::state::busy && s.received == options_.reply_size) {
        complete(s);
        if (s.now != slot::state::awaiting_eof) return;
      }
      if (!ended && static_cast<std::size_t>(n) < buffer_.size()) return;
    }
  }

  bool matches(const slot& s, std::size_t size) const {
    if (s.received + size > options_.reply_size) return false;
    if (s.received >= known_.size()) return true;
    const std::size_t length = std::min(size, known_.size() - s.received);
    return std::memcmp(buffer_.data(), known_.data() + s.received, length) == 0;
  }

  void complete(slot& s) {
    tally_.duration.record(now() - s.intended);
    ++tally_.finished;
    if (!options_.one_exchange) {
      s.now = slot::state::ready;
      ready_.push_back(index_of(s));
      --in_flight_;
    } else if (options_.client_closes) {
      release(s);
      ready_.push_back(index_of(s));
    } else {
      s.now = slot::state::awaiting_eof;
    }
  }

  void on_end(slot& s, int error) {
    if (s.now != slot::state::awaiting_eof)
      return fail(s, error ? failure_of(error) : failure::closed_early);
    ++(error ? tally_.ended_by_reset : tally_.ended_by_fin);
    release(s);
    ready_.push_back(index_of(s));
  }

  void fail(slot& s, failure why) {
    if (s.now == slot::state::connecting && !options_.one_exchange) --connecting_;
    const bool hopeless = s.now == slot::state::connecting || s.fd < 0;
    const bool had_reply = s.now == slot::state::awaiting_eof;
    const bool idle = s.now == slot::state::ready;
    ++tally_.failures[static_cast<std::size_t>(why)];
    if (!had_reply && !idle && s.intended != 0) ++tally_.failed;
    if (why == failure::timed_out && !had_reply) tally_.duration.record(now() - s.intended);
    release(s);
    if (idle) std::erase(ready_, index_of(s));
    // A connection that cannot be had is tried again at the next tidying, not at once.
    const bool retry_now = options_.one_exchange && !hopeless;
    retry_now ? ready_.push_back(index_of(s)) : resting_.push_back(index_of(s));
  }

  void release(slot& s) {
    if (s.now != slot::state::ready && s.intended != 0) --in_flight_;
    if (s.fd >= 0) close(s.fd);
    s.fd = -1;
    s.intended = 0;
    s.now = slot::state::closed;
  }

  // Ends what takes too long, and takes failed slots into use again.
  void tidy(nanoseconds at) {
    tidied_ = at;
    for (slot& s : slots_) {
      const bool waiting = s.now != slot::state::closed && s.now != slot::state::ready;
      if (waiting && at - s.started > options_.timeout) fail(s, failure::timed_out);
    }
    std::vector<std::uint32_t> resting;
    resting.swap(resting_);
    for (const std::uint32_t index : resting) {
      if (options_.one_exchange)
        ready_.push_back(index);
      else if (dispatching_)
        start(slots_[index], 0);
    }
    if (progress_.due(at)) progress_.show(at, tally_.line(at));
  }

  // ---- what is told ----

  void begin_measuring() {
    tally_.begin(options_.server);
    measured_from_ = now();
  }

  nlohmann::ordered_json end_measuring() const {
    nlohmann::ordered_json result;
    result["command"] = options_.one_exchange ? "short" : "long";
    result["connections"] = options_.connections;
    result["request_bytes"] = options_.request_size;
    result["reply_bytes"] = options_.reply_size;
    result["interrupted"] = interrupted();
    if (options_.rate > 0) {
      const auto offered = static_cast<std::uint64_t>(
          options_.rate * static_cast<double>(now() - schedule_start_) / 1e9);
      result["offered_rate"] = options_.rate;
      result["late"] = tally_.late;
      result["unsent"] = offered > begun_ ? offered - begun_ : 0;
    }
    tally_.describe(result);
    return result;
  }

  std::uint32_t index_of(const slot& s) const {
    return static_cast<std::uint32_t>(&s - slots_.data());
  }

  load_options options_;
  std::vector<target> targets_;
  std::size_t next_target_ = 0;
  std::string request_;
  std::string known_;  // what the reply begins with, as far as that is known
  std::array<char, 256 * 1024> buffer_{};
  int set_ = epoll_create1(EPOLL_CLOEXEC);

  std::vector<slot> slots_;
  std::deque<std::uint32_t> ready_;     // may start an exchange
  std::vector<std::uint32_t> resting_;  // failed
  std::size_t connecting_ = 0;
  std::size_t in_flight_ = 0;
  std::uint64_t begun_ = 0;
  bool dispatching_ = false;
  nanoseconds event_time_ = 0;
  nanoseconds tidied_ = 0;
  nanoseconds schedule_start_ = 0;
  nanoseconds measured_from_ = 0;

  tally tally_;
  progress progress_;
};

}  // namespace

nlohmann::ordered_json run_load(const load_options& options) {
  return std::make_unique<load>(options)->run();
}
