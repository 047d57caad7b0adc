// Whole servers with one service of each kind, random clients of each, on a random network (G7).
// Every connection ends once, nothing is left at the end, and what came was what was sent.
#include <dwell/http.hpp>

#include "http_cases/answers.hpp"
#include "simulation/seeds.hpp"
#include "support/tls_session.hpp"

#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace http = dwell::http;
using dwell::connection;
using dwell::task;

// ── what is served ──

task<> framed_echo(connection& peer) {
  dwell::framed messages{peer, dwell::length_prefixed{}};
  while (auto message = co_await messages.read()) {
    if (!co_await messages.write(message)) co_return;
  }
}

/// As echo(), and it takes its time now and then.
task<> slow_echo(connection& peer, dice& random) {
  while (auto data = co_await peer.read()) {
    if (random.once_in(4)) co_await dwell::sleep_for(random.up_to(3s));
    if (!co_await peer.write(data)) co_return;
    if (random.once_in(10)) co_await peer.flush();
  }
}

task<http::response> count_bytes(http::exchange& upload) {
  std::size_t size = 0;
  while (auto part = co_await upload.read()) size += part.size();
  if (!upload.is_complete()) {
    co_return http::response{.status = http::status::bad_request};
  }
  co_return http::response{.body = std::to_string(size)};
}

task<> ticks(http::exchange& with) {
  with.begin({});
  for (int i = 0; i < 5; ++i) {
    if (!co_await with.write("tick ")) co_return;
    co_await dwell::sleep_for(300ms);
  }
}

http::router site(dice& random) {
  http::router routes;
  routes.get("/small", [](const http::request&) { return http::response{.body = "small\n"}; });
  routes.get("/large",
             [](const http::request&) { return http::response{.body = pattern(150'000)}; });
  routes.get("/slow", [&random](const http::request&) -> task<http::response> {
    co_await dwell::sleep_for(random.up_to(5s));
    co_return http::response{.body = "slow\n"};
  });
  routes.get("/throws",
             [](const http::request&) -> http::response { throw std::runtime_error{"told to"}; });
  routes.post("/count", count_bytes).get("/ticks", ticks);
  return routes;
}

// ── who comes ──

/// A client: what it sends next, and what is wrong with what it has received.
class visitor {
 public:
  explicit visitor(peer socket) : socket_{socket} {}
  visitor(const visitor&) = delete;
  visitor& operator=(const visitor&) = delete;
  virtual ~visitor() = default;

  virtual void talk(dice& random) = 0;
  /// Empty: it is what it should be, as far as it came.
  virtual std::string complaint() = 0;
  peer& socket() { return socket_; }

 private:
  peer socket_;
};

/// What comes back is what was sent.
class echoed final : public visitor {
 public:
  using visitor::visitor;
  void talk(dice& random) override {
    const std::string text = pattern(1 + random.below(random.once_in(10) ? 150'000 : 3'000));
    socket().send(text);
    said_ += text;
  }
  std::string complaint() override {
    return said_.starts_with(socket().received()) ? "" : "an echo of something else";
  }

 private:
  std::string said_;
};

class framing final : public visitor {
 public:
  using visitor::visitor;
  void talk(dice& random) override {
    if (waiting_.empty()) {
      const std::size_t size = random.below(random.once_in(40) ? 100'000 : 2'000);
      for (const int shift : {24, 16, 8, 0}) waiting_ += static_cast<char>(size >> shift & 0xFF);
      waiting_ += pattern(size);
      said_ += waiting_;
    }
    const std::size_t part = random.once_in(2) ? waiting_.size() : random.below(waiting_.size());
    socket().send(waiting_.substr(0, part));
    waiting_.erase(0, part);
  }
  std::string complaint() override {
    return said_.starts_with(socket().received()) ? "" : "a message that was not sent";
  }

 private:
  std::string said_, waiting_;
};

class browsing final : public visitor {
 public:
  using visitor::visitor;
  void talk(dice& random) override {
    std::string text;
    for (std::uint64_t i = 1 + random.below(3); i > 0; --i) text += request(random);
    if (random.once_in(12)) text.resize(text.size() / 2);
    if (random.once_in(40)) text = pattern(random.below(500));
    socket().send(text);
  }
  std::string complaint() override {
    const auto read = dwell::testing::read_answers(socket().received(), socket().got_end());
    return read.fault;
  }

 private:
  static std::string request(dice& random) {
    std::string text;
    if (random.once_in(4)) {
      const std::size_t size = random.below(20'000);
      text = "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: ";
      text.append(std::to_string(size)).append("\r\n\r\n").append(pattern(size));
      return text;
    }
    constexpr std::array paths{"small", "small", "large", "slow", "throws", "ticks", "none"};
    text = "GET /";
    text.append(paths[random.below(paths.size())]).append(" HTTP/1.1\r\nHost: a\r\n");
    if (random.once_in(10)) text.append("Connection: close\r\n");
    return text.append("\r\n");
  }
};

class secured final : public visitor {
 public:
  secured(peer socket, dice& random)
      : visitor{socket},
        session_{{.version = random.once_in(3) ? TLS1_2_VERSION : TLS1_3_VERSION}} {}

  void talk(dice& random) override {
    if (random.once_in(30)) return socket().send(pattern(100));  // no record at all
    step();
    if (failed_ || ended_ || !session_.is_open()) return;
    const std::string text = pattern(1 + random.below(5'000));
    session_.write(text);
    said_ += text;
    if (random.once_in(20)) session_.write_key_update(random.once_in(2));
    if (random.once_in(20)) {
      ended_ = true;
      session_.write_close_notify();
    }
    step();
  }
  std::string complaint() override {
    step();
    return said_.starts_with(heard_) ? "" : "an echo of something else";
  }

 private:
  void step() {
    if (failed_) return;
    try {
      session_.feed(socket().take_received());
      if (!session_.is_open()) session_.handshake();
      if (session_.is_open()) heard_ += session_.read(1 << 20);
      socket().send(session_.unsent());
      session_.unsent().clear();
    } catch (const std::runtime_error&) {
      failed_ = true;
    }
  }

  dwell::tls_session session_;
  std::string said_, heard_;
  bool failed_ = false;
  bool ended_ = false;
};

enum class kind : std::uint8_t { callbacks, coroutine, framed, http, tls };

std::unique_ptr<visitor> make_visitor(kind of, peer socket, dice& random) {
  switch (of) {
    case kind::callbacks:
    case kind::coroutine: return std::make_unique<echoed>(socket);
    case kind::framed: return std::make_unique<framing>(socket);
    case kind::http: return std::make_unique<browsing>(socket);
    case kind::tls: return std::make_unique<secured>(socket, random);
  }
  return nullptr;
}

void misbehave(peer& who, dice& random) {
  switch (random.below(8)) {
    case 0: return who.reset();
    case 1: return who.vanish();
    case 2: return who.close();
    case 3: return who.shutdown_send();
    case 4: return who.stop_reading();
    case 5: return who.start_reading();
    case 6: return who.stay_at_end();
    default: return who.close_after(random.below(5'000));
  }
}

// ── a scenario ──

/// What is counted of each connection.
using records = std::map<dwell::connection_id, int>;

dwell::service_options random_service(dice& random, records& closes) {
  const auto some = [&](dwell::duration most) { return 50ms + random.up_to(most); };
  dwell::service_options made;
  made.deadlines = {.handshake = some(10s),
                    .idle = some(20s),
                    .read = some(10s),
                    .handle = some(20s),
                    .write = some(20s),
                    .close = some(5s)};
  if (random.once_in(4)) made.deadlines.lifetime = some(30s);
  if (random.once_in(5)) made.mode = dwell::connection_mode::short_lived;
  if (random.once_in(5)) made.limits.exchanges = 1 + random.below(5);
  if (random.once_in(3)) {
    made.close.idle = random.one_of({close_method::graceful, close_method::abort_after_fin});
    made.close.finished = random.one_of(
        {close_method::graceful, close_method::peer_first, close_method::abort_after_fin});
  }
  made.on_close = [&closes](const connection& peer, const dwell::close_record&) {
    ++closes[peer.id()];
  };
  return made;
}

std::map<kind, dwell::endpoint> serve_all(simulation& sim, dwell::server& on, dice& random,
                                          records& closes) {
  std::map<kind, dwell::endpoint> where;
  const auto add = [&](kind what, dwell::service_options options, dwell::handler how) {
    where[what] = sim.serve(on, std::move(options), std::move(how));
  };
  add(kind::coroutine, random_service(random, closes),
      [&random](connection& peer) { return slow_echo(peer, random); });
  add(kind::framed, random_service(random, closes), framed_echo);
  add(kind::http, random_service(random, closes), http::serve(site(random)));
  dwell::service_options tls = random_service(random, closes);
  tls.tls =
      dwell::tls_options{.certificate = dwell::test_certificate(), .compact = !random.once_in(4)};
  add(kind::tls, std::move(tls), echo);
  return where;
}

void expect_orderly_end(simulation& sim, dwell::server& server, const records& closes) {
  const auto end = server.counts();
  EXPECT_EQ(end.live, 0);
  EXPECT_EQ(end.waiting_for_frames, 0);
  std::uint64_t closed = 0;
  for (const std::uint64_t each : end.closed) closed += each;
  EXPECT_EQ(end.opened, closed);
  EXPECT_EQ(closes.size(), end.opened);
  for (const auto& [id, times] : closes) EXPECT_EQ(times, 1);
  const std::uint64_t before = sim.wakeups(server);
  sim.advance(24h);
  EXPECT_EQ(sim.wakeups(server), before) << "a timer is left";
}

void run_scenario(std::uint64_t seed) {
  dice random{seed};
  records closes;
  simulation sim{{.seed = seed, .faults = random_faults(random)}};
  dwell::server_options process;
  if (random.once_in(3)) process.connections = 2 + random.below(20);
  process.full = random.one_of(
      {dwell::when_full::evict_idle, dwell::when_full::pause_accept, dwell::when_full::refuse});
  auto& server = sim.serve(random_service(random, closes), echoing(), process);
  auto where = serve_all(sim, server, random, closes);
  where[kind::callbacks] = sim.where(server);

  std::vector<std::unique_ptr<visitor>> visitors;
  for (int i = 0; i < 120; ++i) {
    if (visitors.size() < 30 && random.once_in(3)) {
      const auto what = static_cast<kind>(random.below(5));
      visitors.push_back(make_visitor(what, sim.connect(where[what]), random));
    }
    if (!visitors.empty()) {
      visitor& one = *visitors[random.below(visitors.size())];
      if (random.once_in(8)) {
        misbehave(one.socket(), random);
      } else {
        one.talk(random);
      }
    }
    if (random.once_in(60)) sim.freeze(server, random.up_to(10s));
    sim.advance(random.once_in(10) ? random.up_to(5s) : random.up_to(200ms));
    const auto now = server.counts();
    constexpr std::uint64_t told = 64;  // that there is no room, and no more: callbacks::refusal
    const std::uint64_t used = now.live + now.waiting_for_frames;
    ASSERT_LE(used - std::min({used, now.refused, told}), process.connections);
  }
  if (random.once_in(2)) server.drain();
  sim.set_faults({});
  sim.advance(10min);
  for (const auto& each : visitors) {
    ASSERT_FALSE(each->socket().is_open());
    ASSERT_EQ(each->complaint(), "");
  }
  expect_orderly_end(sim, server, closes);
}

TEST(whole_server, leaves_nothing_behind_at_any_seed) { run_scenarios(run_scenario, 100); }

}  // namespace
