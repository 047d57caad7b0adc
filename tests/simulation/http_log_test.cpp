// The access log: a line for each request, and why the connection ended in the last.
#include <dwell/http.hpp>

#include "http_cases/service.hpp"
#include "scenario.hpp"

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <sstream>

namespace {

/// Without the fields that begin so, each with the space after it.
std::string without(std::string_view field, std::string text) {
  for (auto at = text.find(field); at != std::string::npos; at = text.find(field, at)) {
    text.erase(at, text.find(' ', at) + 1 - at);
  }
  return text;
}

/// What a client's bytes leave in the log, without times and addresses.
std::string logged(const std::string& sent, bool reset = false) {
  std::ostringstream text;
  auto logger = std::make_shared<spdlog::logger>(
      "access", std::make_shared<spdlog::sinks::ostream_sink_mt>(text));
  logger->set_pattern("%v");
  dwell::testing::seen_requests seen;
  simulation sim{{.seed = 4}};
  auto& server = sim.serve({.deadlines = {.read = 1s, .handle = 1s}},
                           dwell::http::serve(routes_of_cases(seen), {.access_log = logger}));
  auto client = sim.connect(server);
  client.send(sent);
  if (reset) {
    client.stop_reading();
    sim.advance(1s);
    client.reset();
  }
  sim.advance(5min);
  return without("peer=", without("ms=", text.str()));
}

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

TEST(http_access_log, has_a_line_for_each_request_and_the_close_reason_at_the_end) {
  EXPECT_EQ(logged(get + "GET /no?x HTTP/1.0\r\n\r\n"),
            "request=\"GET / HTTP/1.1\" status=200 bytes=2 close=-\n"
            "request=\"GET /no?x HTTP/1.0\" status=404 bytes=14 close=finished exchanges=2\n");
}

TEST(http_access_log, says_why_a_connection_ended_after_its_last_request) {
  EXPECT_EQ(logged(get),
            "request=\"GET / HTTP/1.1\" status=200 bytes=2 close=-\n"
            "request=- status=- close=idle_timeout exchanges=1\n");
  EXPECT_EQ(logged(""), "request=- status=- close=idle_timeout exchanges=0\n");
}

TEST(http_access_log, has_what_was_refused) {
  EXPECT_EQ(logged("GET\n"), "request=- status=400 close=protocol_error exchanges=0\n");
  EXPECT_EQ(logged("GET / HTTP/1.1\r\n"), "request=- status=408 close=read_timeout exchanges=0\n");
  EXPECT_EQ(logged("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc"),
            "request=\"POST /echo HTTP/1.1\" status=408 bytes=55 close=read_timeout exchanges=0\n");
  EXPECT_EQ(logged("GET /much-later HTTP/1.1\r\nHost: a\r\n\r\n"),
            "request=\"GET /much-later HTTP/1.1\" status=503 bytes=50 close=handle_timeout "
            "exchanges=0\n");
}

TEST(http_access_log, says_how_much_of_a_cut_answer_was_sent) {
  const std::string line = logged("GET /bytes/9000000 HTTP/1.1\r\nHost: a\r\n\r\n", true);
  const std::string begin = "request=\"GET /bytes/9000000 HTTP/1.1\" status=200 bytes=";
  ASSERT_TRUE(line.starts_with(begin)) << line;
  EXPECT_TRUE(line.ends_with(" close=peer_reset exchanges=0\n")) << line;
  const int sent = std::stoi(line.substr(begin.size()));
  EXPECT_GT(sent, 1'000);
  EXPECT_LT(sent, 9'000'000);
}

TEST(http_access_log, is_not_cut_by_what_a_client_sends) {
  EXPECT_EQ(logged("GET /\"\\x HTTP/1.0\r\n\r\n"),
            "request=\"GET /\\\"\\\\x HTTP/1.0\" status=404 bytes=14 close=finished exchanges=1\n");
}

}  // namespace
