// A server's own beginning and end: services, embedding, drain, stop, signals.

#include <dwell/dwell.hpp>

#include "support/child.hpp"
#include "support/loop_stall.hpp"
#include "support/running_server.hpp"

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <signal.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <vector>

namespace dwell {
namespace {

using namespace std::chrono_literals;

callbacks<> says(std::string text) {
  return {.on_data = [text = std::move(text)](connection& peer, no_session&, bytes data) {
    peer.send(text);
    return data.size();
  }};
}

const callbacks<> echo{.on_data = [](connection& peer, no_session&, bytes data) {
  peer.send(data);
  return data.size();
}};

/// Answers after `delay`, "quick" at once.
callbacks<> answers_after(duration delay) {
  return {.on_data = [delay](connection& peer, no_session&, bytes data) {
    if (data.text() == "quick") {
      peer.send("done");
    } else {
      peer.after(delay, [owed = peer.owe()](connection& again) { again.send("done"); });
    }
    return data.size();
  }};
}

// ── services ──

TEST(services, of_one_server_keep_apart) {
  close_log of_one;
  close_log of_two;
  server both{quietly()};
  const endpoint one = both.serve(of_one.listening(on_loopback({.name = "one"})), says("one"));
  const endpoint two = both.serve(
      of_two.listening(on_loopback({.name = "two", .mode = connection_mode::short_lived})),
      says("two"));
  both.start();
  raw_client to_one{one};
  raw_client to_two{two};
  to_one.send("who?");
  to_two.send("who?");
  EXPECT_EQ(to_two.receive_to_end().data, "two");
  EXPECT_EQ(to_one.receive(3), "one");
  EXPECT_TRUE(to_one.hears_nothing_for(50ms));
  to_two.close();
  EXPECT_EQ(of_two.only().reason, close_reason::finished);
  EXPECT_EQ(of_one.size(), 0U);
}

TEST(services, cannot_be_added_once_it_runs) {
  running_server server{{}, echo};
  EXPECT_THROW(server->serve(on_loopback(), echo), std::logic_error);
  EXPECT_THROW(server->start(), std::logic_error);
  EXPECT_THROW(server->run(), std::logic_error);
}

// ── embedding ──

TEST(embedding, runs_beside_the_users_own_work) {
  asio::io_context context{1};
  close_log records;
  server embedded{context, quietly()};
  const endpoint where = embedded.serve(records.listening(on_loopback()), echo);
  std::atomic<bool> ran = false;
  asio::post(context, [&] { ran = true; });
  std::thread runner{[&] { context.run(); }};
  raw_client client{where};
  client.send("hello");
  EXPECT_EQ(client.receive(5), "hello");
  EXPECT_TRUE(ran);
  EXPECT_THROW(embedded.run(), std::logic_error);
  EXPECT_THROW(embedded.start(), std::logic_error);
  context.stop();
  runner.join();
}

TEST(embedding, a_drained_server_lets_the_io_context_run_out_of_work) {
  asio::io_context context{1};
  server embedded{context, quietly()};
  const endpoint where = embedded.serve(on_loopback(), echo);
  raw_client client{where};
  std::thread runner{[&] { context.run(); }};
  client.send("hello");
  EXPECT_EQ(client.receive(5), "hello");
  embedded.drain();
  EXPECT_EQ(client.receive_to_end().error, 0);
  client.close();
  runner.join();
}

TEST(embedding, the_io_context_lives_on_after_the_server) {
  asio::io_context context{1};
  auto keep = asio::make_work_guard(context);
  for (int round = 0; round < 3; ++round) {
    std::optional<server> embedded;
    embedded.emplace(context, quietly());
    const endpoint where = embedded->serve(on_loopback({.deadlines = {.idle = 1min}}), echo);
    raw_client client{where};
    client.send("hello");
    std::string heard;
    while (heard.empty()) {
      context.run_one_for(10ms);
      if (client.hears_something(0ms)) heard = client.receive(5);
    }
    EXPECT_EQ(heard, "hello");
    if (round == 1) {  // orders are on their way when it goes
      embedded->drain();
      embedded->each([](connection&) {});
    }
    embedded.reset();
    EXPECT_NE(client.receive_to_end().data, "hello");
    bool ran = false;
    asio::post(context, [&] { ran = true; });
    while (context.poll() != 0) {
    }
    EXPECT_TRUE(ran);
  }
}

TEST(embedding, two_servers_share_an_io_context) {
  asio::io_context context{1};
  server one{context, quietly()};
  const endpoint at_one = one.serve(on_loopback(), says("one"));
  std::optional<server> two;
  two.emplace(context, quietly());
  const endpoint at_two = two->serve(on_loopback(), says("two"));
  std::thread runner{[&] { context.run(); }};
  raw_client to_one{at_one};
  raw_client to_two{at_two};
  to_one.send("who?");
  to_two.send("who?");
  EXPECT_EQ(to_one.receive(3), "one");
  EXPECT_EQ(to_two.receive(3), "two");
  context.stop();
  runner.join();
  two.reset();
  context.restart();
  std::thread again{[&] { context.run(); }};
  to_one.send("still?");
  EXPECT_EQ(to_one.receive(3), "one");
  context.stop();
  again.join();
}

// ── the end ──

TEST(drain, closes_idle_connections_at_once) {
  running_server server{{.deadlines = {.idle = 1min}}, echo, {.drain = {.first_request = 0s}}};
  std::vector<raw_client> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(server.connect());
  ASSERT_TRUE(server.wait_for_live(100));
  server->drain();
  for (raw_client& each : clients) {
    EXPECT_EQ(each.receive_to_end().error, 0);
    each.close();
  }
  server->wait();
  for (const close_record& record : server.records().all()) {
    EXPECT_EQ(record.reason, close_reason::drain);
    EXPECT_EQ(record.done, close_method::graceful);
  }
  EXPECT_EQ(server.records().size(), 100U);
  EXPECT_THROW(server.connect(), std::system_error);
}

TEST(drain, lets_the_current_exchange_end) {
  for (const int threads : {1, 2}) {
    SCOPED_TRACE(threads);
    running_server server{{}, answers_after(300ms), {.threads = threads}};
    std::vector<raw_client> clients;
    for (int i = 0; i < 20; ++i) {
      clients.push_back(server.connect());
      clients.back().send("slow");
    }
    ASSERT_TRUE(eventually([&] { return server->counts().received == 80; }));
    server->drain();
    for (raw_client& each : clients) {
      const auto end = each.receive_to_end();
      EXPECT_EQ(end.data, "done");
      EXPECT_EQ(end.error, 0);
      each.close();
    }
    server->wait();
    for (const close_record& record : server.records().all()) {
      EXPECT_EQ(record.reason, close_reason::drain);
      EXPECT_EQ(record.exchanges, 1U);
    }
  }
}

// What came to rest only after the drain began has no exchange to wait for any more.
TEST(drain, does_not_wait_for_what_becomes_idle_later) {
  const std::string big(3'000'000, 'x');
  const callbacks<> two_kinds{.on_data = [&](connection& peer, no_session&, bytes data) {
    if (data.text() == "big") peer.send(big);
    if (data.text() == "silent") peer.after(200ms, [owed = peer.owe()](connection&) {});
    return data.size();
  }};
  running_server server{{.limits = {.output = 4'000'000}}, two_kinds, {.drain = {.deadline = 8s}}};
  raw_client slow_reader = server.connect({.receive_buffer = 16 * 1024});
  slow_reader.send("big");
  raw_client unanswered = server.connect();
  unanswered.send("silent");
  ASSERT_TRUE(eventually([&] { return server->counts().received == 9; }));
  const auto began = std::chrono::steady_clock::now();
  server->drain();
  const auto end = slow_reader.receive_to_end();
  EXPECT_EQ(end.error, 0);
  EXPECT_EQ(end.data.size(), big.size());
  slow_reader.close();
  EXPECT_EQ(unanswered.receive_to_end().error, 0);
  unanswered.close();
  server->wait();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 4s);
  for (const close_record& record : server.records().all()) {
    EXPECT_EQ(record.reason, close_reason::drain);
    EXPECT_EQ(record.done, close_method::graceful);
  }
}

TEST(drain, aborts_the_rest_at_its_deadline) {
  running_server server{{}, answers_after(1h), {.drain = {.deadline = 300ms}}};
  raw_client client = server.connect();
  client.send("slow");
  ASSERT_TRUE(eventually([&] { return server->counts().received == 4; }));
  const auto began = std::chrono::steady_clock::now();
  server->drain();
  EXPECT_EQ(client.receive_to_end().error, ECONNRESET);
  server->wait();
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_GE(took, 250ms);
  EXPECT_LT(took, 3s);
  const close_record record = server.records().only();
  EXPECT_EQ(record.reason, close_reason::drain);
  EXPECT_EQ(record.done, close_method::abort);
}

TEST(drain, serves_connections_still_in_the_accept_queue) {
  for (const bool reuse_port : {true, false}) {
    SCOPED_TRACE(reuse_port);
    server drained{quietly({.threads = 2})};
    const endpoint where = drained.serve(on_loopback({.socket = {.reuse_port = reuse_port}}), echo);
    std::vector<raw_client> queued;
    for (int i = 0; i < 500; ++i) {
      queued.emplace_back(where);
      queued.back().send("hello");
    }
    drained.start();
    drained.drain();
    for (raw_client& each : queued) {
      const auto end = each.receive_to_end();
      ASSERT_EQ(end.error, 0);
      ASSERT_EQ(end.data, "hello");
      each.close();
    }
    drained.wait();
    EXPECT_EQ(drained.counts().opened, 500U);
  }
}

TEST(drain, keeps_listening_for_its_delay) {
  running_server server{{}, echo, {.drain = {.delay = 400ms}}};
  server->drain();
  raw_client client = server.connect();
  client.send("hello");
  EXPECT_EQ(client.receive(5), "hello");
  EXPECT_EQ(client.receive_to_end().error, 0);
  client.close();
  server->wait();
}

TEST(stop, aborts_every_connection) {
  running_server server{{}, echo, {.threads = 2}};
  std::vector<raw_client> clients;
  for (int i = 0; i < 50; ++i) clients.push_back(server.connect());
  ASSERT_TRUE(server.wait_for_live(50));
  server->stop();
  server->wait();
  for (raw_client& each : clients) EXPECT_EQ(each.receive_to_end().error, ECONNRESET);
  EXPECT_EQ(server.records().size(), 50U);
  EXPECT_EQ(server->counts().live, 0U);
}

// Loop 0 deals a connection to loop 1, which has just ended.
TEST(stop, ends_connections_that_nobody_takes_any_more) {
  loop_stall stalls[2];
  const callbacks<> holds{.on_data = [&](connection&, no_session&, bytes data) {
    if (data.text() == "one") stalls[0].hold();
    if (data.text() == "two") stalls[1].hold();
    return data.size();
  }};
  std::vector<raw_client> late;
  {
    running_server server{{.socket = {.reuse_port = false}}, holds, {.threads = 2}};
    std::vector<raw_client> clients;
    for (int i = 0; i < 2; ++i) {
      clients.push_back(server.connect());
      ASSERT_TRUE(server.wait_for_live(static_cast<std::uint64_t>(i) + 1));
    }
    std::atomic<std::uint16_t> port_on_0 = 0;
    server->each([&](connection& peer) {
      if (peer.id().loop == 0) port_on_0 = peer.peer_endpoint().port;
    });
    ASSERT_TRUE(eventually([&] { return port_on_0 != 0; }));
    raw_client& on_0 = clients[clients[0].local_port() == port_on_0 ? 0 : 1];
    on_0.send("one");
    stalls[0].wait_until_held();
    on_0.send("two");  // ready before the listener, and in the same batch
    for (int i = 0; i < 4; ++i) late.push_back(server.connect());
    stalls[0].let_go();
    stalls[1].wait_until_held();
    server->stop();
    ASSERT_TRUE(eventually([&] { return server->counts().live == 1; }));  // loop 1 is through
    stalls[1].let_go();
  }
  for (raw_client& each : late) EXPECT_EQ(each.receive_to_end().error, ECONNRESET);
}

TEST(stop, during_a_drain_ends_it) {
  running_server server{{}, answers_after(1h), {.drain = {.deadline = off}}};
  raw_client client = server.connect();
  client.send("slow");
  ASSERT_TRUE(eventually([&] { return server->counts().received == 4; }));
  server->drain();
  EXPECT_TRUE(client.hears_nothing_for(100ms));
  server->stop();
  EXPECT_EQ(client.receive_to_end().error, ECONNRESET);
  server->wait();
}

TEST(server, is_destroyed_in_every_stage) {
  { server never_served{quietly()}; }
  {
    server never_run{quietly()};
    never_run.serve(on_loopback(), echo);
  }
  {
    server never_run{quietly()};
    never_run.serve(on_loopback(), echo);
    never_run.stop();
  }
  raw_client* lives = nullptr;
  {
    running_server running{{}, echo, {.threads = 3}};
    raw_client client = running.connect();
    lives = &client;
    client.send("hello");
    EXPECT_EQ(lives->receive(5), "hello");
    running->drain();
  }
}

// ── signals and exit codes ──

/// run() in a child: the exit code is run()'s.
child serve_in_child(const server_options& options, const callbacks<>& handlers) {
  return child{[&](child& self) {
    server here{quietly(options)};
    const endpoint where = here.serve(on_loopback(), handlers);
    here.on_signal(SIGUSR1, [&] { self.say("counts " + std::to_string(here.counts().live)); });
    self.say(std::to_string(where.port));
    return here.run();
  }};
}

endpoint heard_from(child& process) {
  return {"127.0.0.1", static_cast<std::uint16_t>(std::stoi(process.hear()))};
}

TEST(signals, one_drains_and_the_exit_code_is_0) {
  for (const int number : {SIGINT, SIGTERM}) {
    child process = serve_in_child({}, answers_after(300ms));
    const endpoint where = heard_from(process);
    raw_client idle{where};
    raw_client busy{where};
    busy.send("slow");
    idle.send("quick");
    EXPECT_EQ(idle.receive(4), "done");
    ::kill(process.id(), number);
    EXPECT_EQ(idle.receive_to_end().error, 0);
    EXPECT_EQ(busy.receive_to_end().data, "done");
    idle.close();
    busy.close();
    EXPECT_EQ(process.wait().exit_code, 0);
  }
}

TEST(signals, a_second_one_aborts_and_the_exit_code_is_1) {
  child process = serve_in_child({.threads = 2, .drain = {.deadline = 1min}}, answers_after(1h));
  const endpoint where = heard_from(process);
  raw_client idle{where};
  raw_client busy{where};
  idle.send("quick");
  EXPECT_EQ(idle.receive(4), "done");
  busy.send("slow");
  std::this_thread::sleep_for(50ms);
  ::kill(process.id(), SIGTERM);
  EXPECT_EQ(idle.receive_to_end().error, 0);
  EXPECT_TRUE(busy.hears_nothing_for(100ms));
  ::kill(process.id(), SIGTERM);
  EXPECT_EQ(busy.receive_to_end().error, ECONNRESET);
  EXPECT_EQ(process.wait().exit_code, 1);
}

TEST(signals, the_drain_deadline_ends_with_exit_code_0) {
  child process = serve_in_child({.drain = {.deadline = 200ms}}, answers_after(1h));
  raw_client busy{heard_from(process)};
  busy.send("slow");
  std::this_thread::sleep_for(50ms);
  ::kill(process.id(), SIGTERM);
  EXPECT_EQ(busy.receive_to_end().error, ECONNRESET);
  EXPECT_EQ(process.wait().exit_code, 0);
}

TEST(signals, others_run_what_was_asked_for) {
  child process = serve_in_child({}, echo);
  raw_client client{heard_from(process)};
  client.send("hello");
  EXPECT_EQ(client.receive(5), "hello");
  ::kill(process.id(), SIGUSR1);
  EXPECT_EQ(process.hear(), "counts 1");
  ::kill(process.id(), SIGUSR1);
  EXPECT_EQ(process.hear(), "counts 1");
  ::kill(process.id(), SIGPIPE);
  client.send("alive?");
  EXPECT_EQ(client.receive(6), "alive?");
  client.close();
  ::kill(process.id(), SIGTERM);
  EXPECT_EQ(process.wait().exit_code, 0);
}

}  // namespace
}  // namespace dwell
