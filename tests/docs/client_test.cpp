// What docs/client.md shows, run: most of it in virtual time.
#include <dwell/dwell.hpp>
#include <dwell/testing/simulation.hpp>

#include <gtest/gtest.h>
#include <spdlog/logger.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;

namespace {

using dwell::close_reason;
using dwell::testing::simulation;

dwell::task<> echo(dwell::connection& peer) {
  while (auto data = co_await peer.read()) co_await peer.write(data);
}

struct backend {
  std::string host;
  std::uint16_t port;
};
backend there;

// snippet: lookup
dwell::task<> look_up(dwell::connection& peer) {
  auto key = co_await peer.read();
  if (!key) co_return;
  auto store = co_await dwell::connect({.host = there.host, .port = there.port, .connect = 2s});
  if (!store) {
    const std::string why = to_string(store.error());
    co_await peer.write(why);
    co_return;
  }
  co_await store->write(key);
  auto value = co_await store->read();  // belongs to `store` until its next read()
  co_await peer.write(value);
}  // `store` goes, and its connection closes as close.finished says
// end snippet

TEST(client, lookup) {
  simulation sim;
  auto& behind = sim.serve({}, echo);
  there = {"10.0.0.2", sim.where(behind).port};
  auto& server = sim.serve({}, look_up);
  auto peer = sim.connect(server);
  peer.send("key");
  sim.advance(1s);
  EXPECT_EQ(peer.received(), "key");
  EXPECT_EQ(behind.counts().live, 0U);
  there.port = 9;
  auto other = sim.connect(server);
  other.send("key");
  sim.advance(1s);
  EXPECT_TRUE(other.received().starts_with("nobody listens there"));
}

// snippet: proxy
dwell::task<> pump(dwell::connection& from, dwell::connection& to) {
  while (auto data = co_await from.read()) {
    if (!co_await to.write(data)) co_return;  // waits while `to` has enough
  }
  to.shutdown_send();  // pass the half-close on
}

dwell::task<> proxy(dwell::connection& client) {
  auto upstream = co_await dwell::connect({.host = there.host, .port = there.port, .connect = 2s});
  if (!upstream) co_return client.close(dwell::close_reason::overload);
  co_await dwell::when_all(pump(client, *upstream), pump(*upstream, client));
}
// end snippet

TEST(client, proxy) {
  simulation sim;
  auto& behind = sim.serve({}, echo);
  there = {"10.0.0.2", sim.where(behind).port};
  auto& server = sim.serve({}, proxy);
  auto peer = sim.connect(server);
  peer.send(std::string(300'000, 'x'));
  peer.shutdown_send();
  sim.advance(10s);
  EXPECT_EQ(peer.received().size(), 300'000U);
  EXPECT_TRUE(peer.got_end());
  EXPECT_EQ(server.counts().live, 0U);
}

std::vector<std::string> said;

// snippet: program
dwell::task<> ask(std::string_view host, std::uint16_t port) {
  auto server = co_await dwell::connect({.host = host, .port = port});
  if (!server) throw std::runtime_error{to_string(server.error())};
  co_await server->write("hello\n");
  while (auto data = co_await server->read()) said.emplace_back(data.text());
}

void run(dwell::client& client, std::string_view host, std::uint16_t port) {
  client.spawn([=] { return ask(host, port); });
}
// end snippet

TEST(client, program) {
  simulation sim;
  auto& server = sim.serve({.mode = dwell::connection_mode::short_lived}, echo);
  run(sim.start_client(), "10.0.0.2", sim.where(server).port);
  sim.advance(1s);
  EXPECT_EQ(said, std::vector<std::string>{"hello\n"});
}

// snippet: secured
/// `dwell::tls_client secure;` trusts whom the system trusts; `{{.authorities = "ca.pem"}}` says
/// who.
dwell::task<> ask_secretly(dwell::tls_client& secure) {
  auto peer = co_await dwell::connect({.host = there.host, .port = there.port, .tls = &secure});
  if (!peer) throw std::runtime_error{to_string(peer.error())};
  co_await peer->write("key");
  auto value = co_await peer->read();
  said.emplace_back(value.text());
}
// end snippet

TEST(client, secured) {
  simulation sim;
  said.clear();
  const dwell::tls_certificate shown = dwell::self_signed({"10.0.0.2"});
  auto& server = sim.serve({.tls = dwell::tls_options{.certificate = shown}}, echo);
  there = {"10.0.0.2", sim.where(server).port};
  dwell::tls_client secure{{.authorities = shown.chain}};
  sim.start_client().spawn([&secure] { return ask_secretly(secure); });
  sim.advance(1s);
  EXPECT_EQ(said, std::vector<std::string>{"key"});
}

// snippet: upstream
struct question {
  int number = 0;
};

dwell::upstream<question> make_upstream(const dwell::connect_options& to,
                                        std::vector<int>& answered, std::vector<int>& failed) {
  const dwell::callbacks<question> calls{
      .on_open =
          [](dwell::connection& peer, question&) {
            peer.send("?");
            return true;
          },
      .on_data =
          [&answered](dwell::connection& peer, question& self, dwell::bytes data) {
            answered.push_back(self.number);
            peer.close();
            return data.size();
          }};
  const auto on_failed = [&failed](question& self, const dwell::connect_error&) {
    failed.push_back(self.number);
  };
  return {to, calls, dwell::callback<void(question&, const dwell::connect_error&)>{on_failed}};
}

dwell::task<> ask_at_a_rate(const dwell::upstream<question>& to, int count) {
  for (int i = 0; i < count; ++i) {
    to.connect({.number = i});  // on_open or on_failed tells; never inside this call
    co_await dwell::sleep_for(10ms);
  }
}
// end snippet

TEST(client, upstream) {
  simulation sim;
  auto& server = sim.serve({}, echo);
  std::vector<int> answered, failed;
  const auto to =
      make_upstream({.host = "10.0.0.2", .port = sim.where(server).port}, answered, failed);
  auto& client = sim.start_client();
  client.spawn([&to] { return ask_at_a_rate(to, 5); });
  sim.advance(1s);
  EXPECT_EQ(answered, (std::vector<int>{0, 1, 2, 3, 4}));
  EXPECT_TRUE(failed.empty());
}

}  // namespace
