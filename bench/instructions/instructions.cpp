// A number of exchanges over the simulated engine, where no clock and no kernel disturb: their
// instructions, counted by valgrind's callgrind, repeat exactly.

#include <dwell/dwell.hpp>
#include <dwell/http.hpp>
#include <dwell/testing/simulation.hpp>

#include <spdlog/logger.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace {

using namespace std::chrono_literals;
using dwell::testing::simulation;

const std::string message(64, 'x');
constexpr std::string_view request = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

dwell::server_options silent() {
  return {.logger = std::make_shared<spdlog::logger>("instructions")};
}

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "instructions: %s\n", what);
  std::exit(1);
}

/// `count` answers over one connection.
void over_one(simulation& network, const dwell::server& server, std::string_view asks, long count) {
  auto client = network.connect(server);
  for (long i = 0; i < count; ++i) {
    client.send(asks);
    network.advance(1ms);
    if (client.take_received().empty()) fail("an answer is missing");
  }
}

void echo_long(simulation& network, long count) {
  const dwell::callbacks<> echo{
      .on_data = [](dwell::connection& peer, dwell::no_session&, dwell::bytes data) {
        peer.send(data);
        return data.size();
      }};
  over_one(network, network.serve({}, echo, silent()), message, count);
}

dwell::task<> echo_coroutine(dwell::connection& peer) {
  while (auto data = co_await peer.read()) co_await peer.write(data);
}

void echo_long_coroutine(simulation& network, long count) {
  over_one(network, network.serve({}, echo_coroutine, silent()), message, count);
}

void echo_short(simulation& network, long count) {
  const dwell::callbacks<> echo{
      .on_data = [](dwell::connection& peer, dwell::no_session&, dwell::bytes data) {
        peer.send(data);
        return data.size();
      }};
  auto& server = network.serve({.mode = dwell::connection_mode::short_lived}, echo, silent());
  for (long i = 0; i < count; ++i) {
    auto client = network.connect(server);
    client.send(message);
    network.advance(1ms);
    if (client.take_received().empty() || !client.got_end()) fail("an answer is missing");
  }
}

void http(simulation& network, long count) {
  dwell::http::router routes;
  routes.get("/", [](const dwell::http::request&) { return dwell::http::response{.body = "OK"}; });
  over_one(network, network.serve({}, dwell::http::serve(std::move(routes)), silent()), request,
           count);
}

}  // namespace

int main(int argc, char** argv) {
  const std::map<std::string_view, void (*)(simulation&, long)> cases{
      {"echo-long", echo_long},
      {"echo-long-coroutine", echo_long_coroutine},
      {"echo-short", echo_short},
      {"http", http}};
  const auto chosen = argc == 3 ? cases.find(argv[1]) : cases.end();
  if (chosen == cases.end()) {
    std::fputs("usage: instructions echo-long|echo-long-coroutine|echo-short|http COUNT\n", stderr);
    return 2;
  }
  simulation network{{.seed = 1}};
  chosen->second(network, std::atol(argv[2]));
}
