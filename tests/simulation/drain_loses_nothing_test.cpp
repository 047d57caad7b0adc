// Whoever's bytes arrive before our FIN is answered, whatever the protocol, and whoever's cross it
// is counted: over seeds, with clients that ask when they like.
#include <dwell/http.hpp>

#include "scenario.hpp"
#include "tls_peer.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace {

using dwell::connection;
using dwell::duration;
namespace http = dwell::http;

enum class speaks { callbacks, coroutine, framed, http, http_later, tls };

dwell::task<> slowly(connection& peer) {
  while (auto data = co_await peer.read()) {
    co_await dwell::sleep_for(7ms);
    co_await peer.write(data);
  }
}

dwell::task<> framed_echo(connection& peer) {
  dwell::framed messages{peer, dwell::length_prefixed{}};
  while (auto message = co_await messages.read()) {
    co_await dwell::sleep_for(3ms);
    co_await messages.write(message);
  }
}

dwell::handler handler_of(speaks how) {
  http::router routes;
  routes.get("/", [](const http::request&) { return http::response{.body = "OK"}; });
  routes.get("/later", [](const http::request&) -> dwell::task<http::response> {
    co_await dwell::sleep_for(7ms);
    co_return http::response{.body = "OK"};
  });
  switch (how) {
    case speaks::callbacks: return echoing();
    case speaks::coroutine: return slowly;
    case speaks::framed: return framed_echo;
    case speaks::http:
    case speaks::http_later: return http::serve(std::move(routes));
    case speaks::tls: return echo;
  }
  return echo;
}

std::string request_of(speaks how) {
  switch (how) {
    case speaks::framed: return std::string{"\0\0\0\4", 4} + "ping";
    case speaks::http: return "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    case speaks::http_later: return "GET /later HTTP/1.1\r\nHost: a\r\n\r\n";
    default: return "ping0000";
  }
}

std::size_t count_answers(speaks how, std::string_view received) {
  if (how != speaks::http && how != speaks::http_later) {
    return received.size() / request_of(how).size();
  }
  std::size_t found = 0;
  for (std::size_t at = 0; (at = received.find("HTTP/1.1 200", at)) != received.npos; ++at) ++found;
  return found;
}

std::uint32_t below(std::uint64_t& state, std::uint32_t bound) {
  state = state * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U;
  return static_cast<std::uint32_t>((state >> 33U) % bound);
}

/// Connects, asks now and then, sometimes several at once, and stops when it hears of the end.
class client {
 public:
  client(simulation& sim, const dwell::server& to, speaks how) : sim_{&sim}, how_{how} {
    if (how == speaks::tls) {
      tls_ = std::make_unique<tls_peer>(sim, to);
    } else {
      plain_.emplace(sim.connect(to));
    }
  }

  void ask(std::uint32_t times) {
    if (ended_ || socket().got_reset()) return;
    if (tls_ && !tls_->is_open()) return;
    std::string all;
    for (std::uint32_t i = 0; i < times; ++i) all += request_of(how_);
    asked_.insert(asked_.end(), times, sim_->now());
    if (tls_) {
      tls_->write(all);
      tls_->pump();
    } else {
      socket().send(all);
    }
  }
  void look() {
    if (tls_) tls_->pump();
    if (!ended_ && socket().got_end()) ended_ = sim_->now();
  }

  bool was_served() const { return socket().closed_after().has_value(); }
  std::size_t asked() const { return asked_.size(); }
  std::size_t answered() const {
    return count_answers(how_, tls_ ? std::string_view{tls_->received()} : socket().received());
  }
  /// Requests that were there before our FIN left, to the millisecond.
  std::size_t in_time(duration one_way) const {
    std::size_t count = 0;
    for (const duration when : asked_) {
      if (when + one_way < *ended_ - one_way - 1ms) ++count;
    }
    return count;
  }
  bool has_ended() const { return ended_.has_value(); }
  bool got_reset() const { return socket().got_reset(); }
  const dwell::close_record& record() const { return socket().record(); }

 private:
  peer& socket() { return tls_ ? tls_->socket() : *plain_; }
  const peer& socket() const { return const_cast<client*>(this)->socket(); }

  simulation* sim_;
  speaks how_;
  std::optional<peer> plain_;
  std::unique_ptr<tls_peer> tls_;
  std::vector<duration> asked_;
  std::optional<duration> ended_;
};

void drain_under_load(std::uint64_t seed, speaks how) {
  std::uint64_t random = seed * 977 + static_cast<std::uint64_t>(how);
  const duration one_way{below(random, 3) == 0 ? 0 : 1 + below(random, 20)};
  const dwell::drain_options drain{.deadline = 1min,
                                   .delay = below(random, 2) * 50ms,
                                   .first_request = below(random, 3) * 100ms,
                                   .spread = below(random, 2) * 80ms};
  simulation sim{{.seed = seed, .faults = {.delay = one_way}}};
  dwell::service_options options;
  if (how == speaks::tls) {
    static const dwell::tls_certificate certificate = dwell::self_signed({"localhost"});
    options.tls = dwell::tls_options{.certificate = certificate};
  }
  auto& server = sim.serve(options, handler_of(how), {.drain = drain});
  std::vector<std::unique_ptr<client>> all;
  for (int ms = 0; ms < 400; ++ms) {
    if (all.size() < 30 && below(random, 8) == 0) {
      all.push_back(std::make_unique<client>(sim, server, how));
    }
    if (ms == 200) server.drain();
    for (const auto& each : all) {
      each->look();
      if (below(random, 25) == 0) each->ask(1 + below(random, 3));
    }
    sim.advance(1ms);
  }
  for (int ms = 0; ms < 1'000; ++ms) {
    for (const auto& each : all) each->look();
    sim.advance(1ms);
  }

  std::uint64_t crossed = 0;
  for (const auto& each : all) {
    if (!each->was_served()) continue;  // it came too late
    ASSERT_TRUE(each->has_ended());
    EXPECT_FALSE(each->got_reset());
    EXPECT_GE(each->answered(), each->in_time(one_way));
    const std::size_t lost = each->asked() - each->answered();
    if (lost != 0) ++crossed;
    if (how == speaks::tls) {
      EXPECT_EQ(each->record().reap_raced != 0, lost != 0);
    } else {
      EXPECT_EQ(each->record().reap_raced, lost * request_of(how).size());
    }
  }
  EXPECT_EQ(server.draining().crossed, crossed);
  EXPECT_EQ(server.draining().aborted, 0);
  EXPECT_EQ(server.draining().step, dwell::drain_step::ended);
}

TEST(drain_loses_nothing, over_callbacks) {
  with_seeds([](std::uint64_t seed) { drain_under_load(seed, speaks::callbacks); }, 24);
}
TEST(drain_loses_nothing, over_coroutines) {
  with_seeds([](std::uint64_t seed) { drain_under_load(seed, speaks::coroutine); }, 24);
}
TEST(drain_loses_nothing, framed) {
  with_seeds([](std::uint64_t seed) { drain_under_load(seed, speaks::framed); }, 24);
}
TEST(drain_loses_nothing, over_http) {
  with_seeds([](std::uint64_t seed) { drain_under_load(seed, speaks::http); }, 24);
}
TEST(drain_loses_nothing, over_http_that_takes_its_time) {
  with_seeds([](std::uint64_t seed) { drain_under_load(seed, speaks::http_later); }, 24);
}
TEST(drain_loses_nothing, over_tls) {
  with_seeds([](std::uint64_t seed) { drain_under_load(seed, speaks::tls); }, 8);
}

// More than a turn answers.
TEST(drain_loses_nothing, of_many_requests_in_one_go) {
  with_seeds([](std::uint64_t seed) {
    constexpr std::size_t count = 300;
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({}, handler_of(speaks::http));
    auto asks = sim.connect(server);
    sim.advance(5ms);
    std::string all;
    for (std::size_t i = 0; i < count; ++i) all += request_of(speaks::http);
    server.drain();
    asks.send(all);
    sim.advance(2s);
    EXPECT_EQ(count_answers(speaks::http, asks.received()), count);
    EXPECT_EQ(asks.record().reap_raced, 0);
    EXPECT_TRUE(asks.got_end());
  });
}

}  // namespace
