#include "idle.hpp"

#include "cpu.hpp"
#include "http_get.hpp"
#include "interrupt.hpp"
#include "pinger.hpp"
#include "progress.hpp"
#include "report.hpp"
#include "target.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

struct idler {
  int fd = -1;
  // The server's deadline counts from some moment between these two.
  nanoseconds quiet_after = 0;  // we sent our last byte (silent: began to connect)
  nanoseconds quiet_by = 0;     // its echo was here (silent: connected)
  nanoseconds closed = 0;
  std::size_t received = 0;
};

struct reap_window {
  nanoseconds first_due = INT64_MAX;
  nanoseconds first_close = INT64_MAX;
  nanoseconds last_close = 0;
  std::size_t closed = 0;
  nanoseconds last_due = 0;
  nanoseconds resumed = 0;  // at_once: nothing could be closed before
};

double milliseconds(nanoseconds duration) { return rounded(static_cast<double>(duration) / 1e6); }

class idle_run {
 public:
  explicit idle_run(const idle_options& options)
      : options_(options), to_(parse_target(options.to)), idlers_(options.connections) {
    if (!options_.get.empty()) exchange_ = learn_http_get(to_, options_.get, false);
  }

  ~idle_run() {
    for (const idler& each : idlers_)
      if (each.fd >= 0) close(each.fd);
    close(set_);
  }
  idle_run(const idle_run&) = delete;
  idle_run& operator=(const idle_run&) = delete;

  nlohmann::ordered_json run() {
    open_all();
    if (options_.ping) pinger_ = std::make_unique<pinger>(to_);
    if (!options_.silent) touch_all();
    wait_for_closes();
    if (pinger_) pinger_->stop();
    return describe();
  }

 private:
  void open_all() {
    const nanoseconds began = now();
    for (idler& each : idlers_) {
      if (interrupted()) break;
      // Opening is what takes its time when nothing is sent afterwards.
      const auto position = static_cast<nanoseconds>(opened_);
      const auto all = static_cast<nanoseconds>(idlers_.size());
      if (options_.silent) wait_until(began + options_.spread * position / all);
      each.quiet_after = now();
      each.fd = connect_now(to_);
      if (each.fd < 0)
        throw std::runtime_error("connection " + std::to_string(opened_ + 1) + ": " +
                                 std::strerror(-each.fd));
      each.quiet_by = now();
      ++opened_;
      epoll_event event{};
      event.events = EPOLLIN | EPOLLRDHUP;
      event.data.u32 = static_cast<std::uint32_t>(&each - idlers_.data());
      epoll_ctl(set_, EPOLL_CTL_ADD, each.fd, &event);
      if (progress_.due(each.quiet_by))
        progress_.show(each.quiet_by, "  " + std::to_string(opened_) + " connections opened");
    }
  }

  void touch_all() {
    const nanoseconds began = now();
    const auto all = static_cast<nanoseconds>(idlers_.size());
    for (std::size_t i = 0; i < opened_ && !interrupted(); ++i) {
      wait_until(began + options_.spread * static_cast<nanoseconds>(i) / all);
      idlers_[i].quiet_after = now();
      const std::string& request = exchange_.request;
      const ssize_t sent = send(idlers_[i].fd, request.data(), request.size(), MSG_NOSIGNAL);
      if (sent == static_cast<ssize_t>(request.size())) ++replies_due_;
      if (i % 16 == 0) turn(now());
    }
    const nanoseconds patience = now() + 5 * second;
    while (replies_due_ > 0 && now() < patience && !interrupted()) turn(patience);
    if (replies_due_ > 0 && !interrupted())
      throw std::runtime_error(std::to_string(replies_due_) + " connections got no reply in 5 s");
  }

  void wait_for_closes() {
    for (const idler& each : idlers_)
      window_.first_due = std::min(window_.first_due, each.quiet_after + options_.expect);
    for (const idler& each : idlers_)
      window_.last_due = std::max(window_.last_due, each.quiet_by + options_.expect);
    if (options_.at_once) hold_server();
    nanoseconds end = INT64_MAX;
    if (options_.hold) end = now() + options_.hold;
    // A server that never closes must not hold us for ever: twice the deadline, and a while.
    if (options_.expect && !options_.hold) end = now() + 2 * options_.expect + 10 * second;
    while (window_.closed < opened_ && !interrupted() && now() < end) {
      if (server_before_.total == 0 && options_.server &&
          now() >= window_.first_due - 10 * millisecond)
        server_before_ = cpu_of(options_.server);
      turn(std::min(end, now() + 5 * millisecond));
    }
    server_used_ = cpu_of(options_.server) - server_before_;
  }

  // Stopped while the deadlines pass, the server finds all of them due when it goes on.
  void hold_server() {
    wait_until(window_.first_due - 20 * millisecond);
    server_before_ = cpu_of(options_.server);
    kill(options_.server, SIGSTOP);
    wait_until(window_.last_due + 20 * millisecond);
    window_.resumed = now();
    kill(options_.server, SIGCONT);
  }

  void wait_until(nanoseconds at) {
    while (now() < at && !interrupted()) turn(at);
  }

  void turn(nanoseconds until) {
    std::array<epoll_event, 256> events{};
    const nanoseconds wait = std::max<nanoseconds>(0, until - now());
    const timespec timeout{wait / second, wait % second};
    const int n =
        epoll_pwait2(set_, events.data(), static_cast<int>(events.size()), &timeout, nullptr);
    const nanoseconds at = now();
    for (int i = 0; i < n; ++i)
      on_readable(idlers_[events[static_cast<std::size_t>(i)].data.u32], at);
    if (progress_.due(at) && window_.closed < opened_)
      progress_.show(at, "  " + std::to_string(opened_ - window_.closed) + " of " +
                             std::to_string(opened_) + " connections open");
  }

  void on_readable(idler& each, nanoseconds at) {
    std::array<char, 4096> buffer{};
    const ssize_t n = recv(each.fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n > 0) {
      each.quiet_by = at;
      each.received += static_cast<std::size_t>(n);
      if (each.received == exchange_.reply_size) --replies_due_;
      return;
    }
    if (n < 0) ++resets_;
    each.closed = at;
    close(each.fd);
    each.fd = -1;
    ++window_.closed;
    window_.first_close = std::min(window_.first_close, at);
    window_.last_close = at;
  }

  nlohmann::ordered_json describe() const {
    nlohmann::ordered_json result;
    result["command"] = "idle";
    result["connections"] = options_.connections;
    result["opened"] = opened_;
    result["interrupted"] = interrupted();
    result["closed_by_server"] = window_.closed;
    result["resets"] = resets_;
    if (window_.closed > 1) {
      const double reaping = static_cast<double>(window_.last_close - window_.first_close) / 1e9;
      result["reap_seconds"] = rounded(reaping);
      result["reap_rate"] = rounded(static_cast<double>(window_.closed - 1) / reaping);
    }
    if (options_.expect) describe_deadlines(result);
    if (pinger_) describe_ping(result);
    if (options_.server && window_.closed > 0)
      result["server"]["cpu_us_per_close"] = rounded(static_cast<double>(server_used_.total) /
                                                     1000 / static_cast<double>(window_.closed));
    return result;
  }

  void describe_deadlines(nlohmann::ordered_json& result) const {
    std::vector<nanoseconds> late;
    nanoseconds earliest = INT64_MAX, first = INT64_MAX, last = 0;
    std::size_t early = 0;
    for (const idler& each : idlers_) {
      if (each.closed == 0) continue;
      const nanoseconds beyond = each.closed - (each.quiet_after + options_.expect);
      earliest = std::min(earliest, beyond);
      if (beyond < -options_.tolerance) ++early;
      late.push_back(each.closed - std::max(each.quiet_by + options_.expect, window_.resumed));
      first = std::min(first, each.quiet_after);
      last = std::max(last, each.quiet_by);
    }
    result["early"] = early;
    if (late.empty()) return;
    std::sort(late.begin(), late.end());
    const auto at = [&](double quantile) {
      const auto index = static_cast<std::size_t>(quantile * static_cast<double>(late.size() - 1));
      return milliseconds(std::max<nanoseconds>(0, late[index]));
    };
    result["due_over_ms"] = milliseconds(last - first);
    result["soonest_ms"] = milliseconds(earliest);
    result["late_ms"] = {{"p50", at(0.5)}, {"p99", at(0.99)}, {"max", at(1)}};
  }

  // The floor: the worst ping of an equal period that ends before the first deadline.
  void describe_ping(nlohmann::ordered_json& result) const {
    nlohmann::ordered_json& ping = result["ping"];
    ping["samples"] = pinger_->samples();
    ping["real_time"] = pinger_->real_time();
    ping["closed_by_server"] = pinger_->broken();
    if (window_.closed == 0) return;
    const nanoseconds from =
        window_.resumed ? window_.resumed : std::min(window_.first_close, window_.first_due);
    const nanoseconds length = window_.last_close - from;
    const nanoseconds quiet = window_.first_due - std::min(second / 2, options_.expect / 10);
    const nanoseconds worst = pinger_->worst_between(from, window_.last_close);
    const nanoseconds floor = pinger_->worst_between(quiet - length, quiet);
    ping["worst_ms"] = milliseconds(worst);
    ping["floor_ms"] = milliseconds(floor);
    ping["stall_ms"] = milliseconds(worst - floor);
  }

  idle_options options_;
  target to_;
  http_get exchange_{.request = "i", .reply_size = 1};
  std::vector<idler> idlers_;
  int set_ = epoll_create1(EPOLL_CLOEXEC);
  std::size_t opened_ = 0;
  std::size_t replies_due_ = 0;
  std::size_t resets_ = 0;
  reap_window window_;
  std::unique_ptr<pinger> pinger_;
  cpu_time server_before_, server_used_;
  progress progress_;
};

}  // namespace

nlohmann::ordered_json run_idle(const idle_options& options) {
  return std::make_unique<idle_run>(options)->run();
}
