// What docs/handlers.md shows, run. Most of it in virtual time; what needs threads or Asio on a
// real loop.
#include <dwell/asio.hpp>
#include <dwell/dwell.hpp>
#include <dwell/testing/simulation.hpp>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

using namespace std::chrono_literals;

namespace {

using dwell::close_reason;
using dwell::testing::simulation;

// ── coroutines ──────────────────────────────────────────────────────────────────────────────────

// snippet: greet
dwell::task<> greet(dwell::connection& peer) {
  auto name = co_await peer.read();
  if (!name) co_return;  // it has left, or a deadline has passed: peer.reason() says which
  const std::string greeting = "Hello, " + std::string{name.text()} + "!\n";
  co_await peer.write(greeting);
}  // the end of the coroutine is that of the connection, as options.close.finished says
// end snippet

TEST(handlers, greet) {
  simulation sim;
  auto& server = sim.serve({}, greet);
  auto peer = sim.connect(server), silent = sim.connect(server);
  peer.send("Ada");
  sim.advance(1s);
  EXPECT_EQ(peer.received(), "Hello, Ada!\n");
  EXPECT_EQ(peer.record().reason, close_reason::finished);
  EXPECT_EQ(peer.record().exchanges, 1U);
  sim.advance(60s);
  EXPECT_EQ(silent.record().reason, close_reason::idle_timeout);
}

// snippet: keeps
dwell::task<> slow_echo(dwell::connection& peer) {
  while (auto data = co_await peer.read()) {
    co_await dwell::sleep_for(100ms);
    co_await peer.write(data);  // still what this client has sent
  }
}
// end snippet

TEST(handlers, what_is_read_stays) {
  simulation sim;
  auto& server = sim.serve({}, slow_echo);
  auto small = sim.connect(server), large = sim.connect(server), next = sim.connect(server);
  const std::string much(10'000, 'x');
  small.send("one");
  large.send(much);
  sim.advance(50ms);
  next.send("two");  // while both sleep
  sim.advance(1s);
  EXPECT_EQ(small.received(), "one");
  EXPECT_EQ(large.received(), much);
  EXPECT_EQ(next.received(), "two");
}

// snippet: sum
dwell::task<> count_bytes(dwell::connection& peer) {
  std::size_t total = 0;
  while (auto data = co_await peer.read()) total += data.size();
  if (peer.reason() != dwell::close_reason::peer_closed) co_return;
  const std::string answer = std::to_string(total) + '\n';
  co_await peer.write(answer);  // the peer has sent its FIN, and listens
}
// end snippet

TEST(handlers, answer_after_the_fin) {
  simulation sim;
  auto& server = sim.serve({}, count_bytes);
  auto peer = sim.connect(server);
  peer.send("12345");
  peer.shutdown_send();
  sim.advance(1s);
  EXPECT_EQ(peer.received(), "5\n");
  EXPECT_EQ(peer.record().reason, close_reason::peer_closed);
}

// snippet: flush
dwell::task<> download(dwell::connection& peer, std::string_view content) {
  constexpr std::size_t piece = 16 * 1024;
  while (!content.empty()) {
    const std::string_view next = content.substr(0, piece);
    if (!co_await peer.write(next)) co_return;  // it has left: nobody needs the rest
    content.remove_prefix(next.size());
  }
  co_await peer.flush();  // the kernel has all of it; the client may not
}
// end snippet

TEST(handlers, download) {
  simulation sim;
  const std::string content(3'000'000, 'c');
  auto& server = sim.serve({.limits = {.output = 128 * 1024}},
                           [&content](dwell::connection& peer) { return download(peer, content); });
  auto peer = sim.connect(server);
  sim.advance(10s);
  EXPECT_EQ(peer.received(), content);
}

// snippet: login
dwell::task<> session_of(dwell::connection& peer) {
  peer.set_deadline(dwell::phase::idle, 5s);
  if (!co_await peer.read()) co_return;  // no login within 5 s
  peer.set_deadline(dwell::phase::idle, 1h);
  while (auto data = co_await peer.read()) co_await peer.write(data);
}
// end snippet

TEST(handlers, deadlines_of_one_connection) {
  simulation sim;
  auto& server = sim.serve({}, session_of);
  auto nobody = sim.connect(server), user = sim.connect(server);
  user.send("login");
  sim.advance(50min);
  EXPECT_EQ(nobody.closed_after(), 5s);
  EXPECT_TRUE(user.is_open());
  sim.advance(11min);
  EXPECT_EQ(user.closed_after(), 1h);
}

std::size_t slow_hash(const std::string& text) { return std::hash<std::string>{}(text); }

// snippet: offload
dwell::task<> hash(dwell::connection& peer) {
  while (auto data = co_await peer.read()) {
    auto work = [text = std::string{data.text()}] { return slow_hash(text); };
    const std::size_t digest = co_await dwell::offload(work);  // on a thread of its own
    const std::string answer = std::to_string(digest) + '\n';
    co_await peer.write(answer);
  }
}
// end snippet

// snippet: asio
dwell::task<> tick(dwell::connection& peer) {
  asio::steady_timer timer{dwell::executor(peer)};
  for (;;) {
    timer.expires_after(10ms);
    auto [error] = co_await timer.async_wait(dwell::use_task);
    if (error) co_return;  // the connection has ended: operation_aborted
    co_await peer.write("tick\n");
  }
}
// end snippet

/// What the first `size` bytes of the answer are, on real sockets and one thread.
std::string ask(dwell::handler what, std::string_view question, std::size_t size) {
  asio::io_context context;
  dwell::server server{context, dwell::server_options{}};
  const dwell::endpoint where = server.serve({.listen = {.address = "127.0.0.1"}}, std::move(what));
  asio::ip::tcp::socket client{context};
  client.connect({asio::ip::address_v4::loopback(), where.port});
  asio::write(client, asio::buffer(question));
  std::string answer(size, 0);
  bool done = false;
  asio::async_read(client, asio::buffer(answer), [&](std::error_code error, std::size_t) {
    EXPECT_FALSE(error) << error.message();
    done = true;
  });
  while (!done && context.run_one_for(10s) > 0) continue;
  EXPECT_TRUE(done);
  return answer;
}

TEST(handlers, work_off_the_loop) {
  const std::string expected = std::to_string(slow_hash("text")) + '\n';
  EXPECT_EQ(ask(hash, "text", expected.size()), expected);
}

TEST(handlers, operations_of_asio) { EXPECT_EQ(ask(tick, "", 15), "tick\ntick\ntick\n"); }

TEST(handlers, asio_ends_in_simulation) {
  simulation sim;
  auto& server = sim.serve({}, tick);
  auto peer = sim.connect(server);
  sim.advance(1s);
  EXPECT_EQ(peer.received(), "");
  EXPECT_EQ(peer.record().reason, close_reason::finished);
}

// ── callbacks ───────────────────────────────────────────────────────────────────────────────────

// snippet: callbacks
struct reader {
  std::size_t lines = 0;
};

dwell::callbacks<reader> count_lines(std::atomic<std::size_t>& total) {
  return {.on_data =
              [](dwell::connection& peer, reader& self, dwell::bytes data) {
                const std::string_view whole = data.text().substr(0, data.text().rfind('\n') + 1);
                if (whole.empty()) return whole.size();  // half a line: it comes again, with more
                self.lines += static_cast<std::size_t>(std::ranges::count(whole, '\n'));
                peer.send("ok\n");
                return whole.size();
              },
          .on_close = [&total](dwell::connection&, reader& self,
                               const dwell::close_record&) { total += self.lines; }};
}
// end snippet

TEST(handlers, callbacks) {
  simulation sim;
  std::atomic<std::size_t> total = 0;
  auto& server = sim.serve({}, count_lines(total));
  auto peer = sim.connect(server);
  peer.send("one\nt");
  sim.advance(1s);
  peer.send("wo\nthree\nfo");
  sim.advance(1s);
  EXPECT_EQ(peer.received(), "ok\nok\n");
  sim.advance(10s);
  EXPECT_EQ(peer.record().reason, close_reason::read_timeout);
  EXPECT_EQ(peer.record().unread, 2U);
  EXPECT_EQ(total, 3U);
}

// snippet: owe
const dwell::callbacks<> answer_later{
    .on_data = [](dwell::connection& peer, dwell::no_session&, dwell::bytes data) {
      peer.after(2s, [owed = peer.owe(), text = std::string{data.text()}](dwell::connection& to) {
        to.send(text);
      });
      return data.size();
    }};
// end snippet

TEST(handlers, an_owed_answer_holds_a_short_connection) {
  simulation sim;
  auto& server = sim.serve({.mode = dwell::connection_mode::short_lived, .deadlines = {.idle = 1s}},
                           answer_later);
  auto peer = sim.connect(server);
  peer.send("question");
  sim.advance(3s);
  EXPECT_EQ(peer.received(), "question");
  EXPECT_EQ(peer.record().reason, close_reason::finished);
}

// snippet: deadline
const dwell::callbacks<> patient{
    .on_data = [](dwell::connection&, dwell::no_session&, dwell::bytes) -> std::size_t {
      return 0;
    },
    .on_deadline =
        [](dwell::connection& peer, dwell::no_session&, dwell::close_reason why) {
          if (why == dwell::close_reason::read_timeout) peer.send("too slow\n");
        }};
// end snippet

TEST(handlers, the_last_word_at_a_deadline) {
  simulation sim;
  auto& server = sim.serve({}, patient);
  auto peer = sim.connect(server);
  peer.send("half a mess");
  sim.advance(10s);
  EXPECT_EQ(peer.received(), "too slow\n");
  EXPECT_EQ(peer.record().reason, close_reason::read_timeout);
}

TEST(handlers, failures_are_not_answers) {
  simulation sim;
  auto& server = sim.serve({}, [](dwell::connection& peer) -> dwell::task<> {
    co_await peer.read();
    co_await peer.write("half of it");
    throw std::runtime_error{"no more"};
  });
  auto peer = sim.connect(server);
  peer.send("x");
  sim.advance(1s);
  EXPECT_TRUE(peer.got_reset());
  EXPECT_EQ(peer.record().reason, close_reason::handler_failed);
}

// ── from elsewhere ──────────────────────────────────────────────────────────────────────────────

// snippet: post
/// On any thread: the answer to a question that a connection has asked.
void answer_from_elsewhere(dwell::server& server, dwell::connection_id id, dwell::owed owed,
                           std::string answer) {
  server.post(id, [answer = std::move(answer), owed = std::move(owed)](dwell::connection& peer) {
    peer.send(answer);
  });
}
// end snippet

// snippet: each
void announce(dwell::server& server, std::string line) {
  server.each([line = std::move(line)](dwell::connection& peer) { peer.send(line); });
}
// end snippet

TEST(handlers, post_and_each) {
  simulation sim;
  dwell::connection_id id;
  dwell::owed owed;
  auto& server =
      sim.serve({}, dwell::callbacks<>{.on_data = [&](dwell::connection& peer, dwell::no_session&,
                                                      dwell::bytes data) {
                  id = peer.id();
                  owed = peer.owe();
                  return data.size();
                }});
  auto asking = sim.connect(server), other = sim.connect(server);
  asking.send("?");
  sim.advance(1s);
  answer_from_elsewhere(server, id, std::move(owed), "42\n");
  announce(server, "noon\n");
  sim.advance(1s);
  EXPECT_EQ(asking.received(), "42\nnoon\n");
  EXPECT_EQ(other.received(), "noon\n");
}

// snippet: records
/// Where TIME_WAIT went, of all connections of a service, whatever its handler is.
dwell::service_options counted(std::array<std::atomic<int>, dwell::time_wait_count>& places) {
  return {.on_close = [&places](const dwell::connection&, const dwell::close_record& record) {
    ++places[static_cast<std::size_t>(record.time_wait)];
  }};
}
// end snippet

TEST(handlers, records) {
  simulation sim;
  std::array<std::atomic<int>, dwell::time_wait_count> places{};
  auto& server = sim.serve(counted(places), greet);
  auto peer = sim.connect(server), leaving = sim.connect(server);
  peer.send("Ada");
  leaving.close();
  sim.advance(1s);
  EXPECT_EQ(places[static_cast<std::size_t>(dwell::time_wait::here)], 1);
  EXPECT_EQ(places[static_cast<std::size_t>(dwell::time_wait::there)], 1);
}

}  // namespace
