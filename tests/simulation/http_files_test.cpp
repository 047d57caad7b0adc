// Static files over HTTP: what is answered, that any range of any file is its bytes, and how long
// that may take.
#include <dwell/http.hpp>

#include "http_cases/answers.hpp"
#include "scenario.hpp"
#include "temporary_folder.hpp"
#include "tls_peer.hpp"

#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <random>
#include <sys/stat.h>
#include <vector>

namespace {

namespace http = dwell::http;
using dwell::testing::answer;
using dwell::testing::read_answers;

std::string get_of(const std::string& target, const std::string& fields = {},
                   const std::string& method = "GET") {
  return method + ' ' + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

class http_files : public ::testing::Test {
 protected:
  http_files() {
    folder_.write("site/small.txt", "hello");
    folder_.write("site/big.bin", big_);
    folder_.write("site/empty", "");
    folder_.write("site/sub/index.html", "<p>");
    folder_.write("site/plain/file", "x");
    folder_.write("site/.env", "secret");
    folder_.write("site/.well-known/token", "public");
    folder_.write("site/map.geojson", "{}");
    folder_.write("secret", "secret");
    std::filesystem::create_symlink("../secret", folder_.path() / "site/out");
    for (const char* name : {"site/small.txt", "site/big.bin"}) {
      // Simulations begin with the year 2000, and Last-Modified is never later than Date.
      const timespec then{.tv_sec = 784'111'777, .tv_nsec = 5};
      const timespec times[] = {then, then};
      ::utimensat(AT_FDCWD, (folder_.path() / name).c_str(), times, 0);
    }
  }

  http::router routes(http::files_options options = {}) const {
    http::router made;
    made.get("/f/*path", http::files{(folder_.path() / "site").string(), std::move(options)})
        .get("/ping", [](const http::request&) { return http::response{.body = "pong"}; });
    return made;
  }

  /// One request on a connection of its own.
  answer ask(const std::string& request, http::files_options options = {}) {
    simulation sim{{.seed = 2}};
    auto& server = sim.serve({}, http::serve(routes(std::move(options))));
    auto client = sim.connect(server);
    client.send(request);
    sim.advance(1s);
    auto read = read_answers(client.received(), false);
    EXPECT_EQ(read.fault, "") << request;
    EXPECT_EQ(read.all.size(), 1U) << request;
    return read.all.empty() ? answer{} : read.all.front();
  }

  const std::string big_ = pattern(700'001);
  temporary_folder folder_;
};

TEST_F(http_files, are_answered_with_what_a_client_needs_to_know) {
  const answer small = ask(get_of("/f/small.txt"));
  EXPECT_EQ(small.status, 200);
  EXPECT_EQ(small.body, "hello");
  EXPECT_EQ(small.field("content-type"), "text/plain; charset=utf-8");
  EXPECT_EQ(small.field("last-modified"), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(small.field("accept-ranges"), "bytes");
  EXPECT_EQ(small.field("cache-control"), "");
  EXPECT_TRUE(small.field("etag").starts_with('"') && small.field("etag").ends_with('"'));

  const answer big = ask(get_of("/f/big.bin"), {.cache_control = "max-age=60"});
  EXPECT_TRUE(big.body == big_);
  EXPECT_EQ(big.field("content-length"), "700001");
  EXPECT_EQ(big.field("content-type"), "application/octet-stream");
  EXPECT_EQ(big.field("cache-control"), "max-age=60");
  EXPECT_NE(big.field("etag"), small.field("etag"));

  const answer head = ask(get_of("/f/big.bin", "Range: bytes=0-1\r\n", "HEAD"));
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.field("content-length"), "700001");
  EXPECT_EQ(head.field("etag"), big.field("etag"));
  EXPECT_FALSE(head.has_body);

  EXPECT_EQ(ask(get_of("/f/empty")).field("content-length"), "0");
  EXPECT_EQ(ask(get_of("/f/sub/")).body, "<p>");
  EXPECT_EQ(ask(get_of("/f/.well-known/token")).body, "public");
  EXPECT_EQ(ask(get_of("/f/map.geojson"), {.types = {{"geojson", "application/geo+json"}}})
                .field("content-type"),
            "application/geo+json");
  EXPECT_EQ(ask(get_of("/f/.env"), {.dotfiles = true}).body, "secret");
}

TEST_F(http_files, paths_lead_to_what_is_served_and_nowhere_else) {
  const std::vector<std::pair<std::string, int>> table{
      {"/f/small.txt?version=2", 200},
      {"/f/small%2etxt", 200},
      {"/f/%73mall.txt", 200},
      {"http://a/f/small.txt", 200},
      {"/f/sub", 301},
      {"/f/plain/", 404},  // no index
      {"/f/", 404},
      {"/f/none", 404},
      {"/f/small.txt/", 404},
      {"/f/small.txt/x", 404},
      {"/f/.env", 404},
      {"/f/sub/../.env", 404},
      {"/f/../secret", 404},
      {"/f/%2e%2e/secret", 404},
      {"/f/..%2fsecret", 404},
      {"/f/%2e%2e%2fsecret", 404},
      {"/f/sub/%2e%2e/%2e%2e/secret", 404},
      {"/f/sub%2findex.html", 404},
      {"/f/sub%2Findex.html", 404},
      {"/f//small.txt", 404},
      {"/f/./small.txt", 404},
      {"/f/small.txt%00", 404},
      {"/f/%00", 404},
      {"/f//etc/passwd", 404},
      {"/f/%2fetc/passwd", 404},
      {"/f/%252e%252e/secret", 404},
      {"/f/out", 404},
      {"/f/%", 400},
  };
  for (const auto& [target, status] : table) {
    const answer got = ask(get_of(target));
    EXPECT_EQ(got.status, status) << target;
    EXPECT_EQ(got.body.find("secret"), std::string::npos) << target;
  }
  EXPECT_EQ(ask(get_of("/f/sub")).field("location"), "/f/sub/");
  EXPECT_EQ(ask(get_of("/f/sub?a=b")).field("location"), "/f/sub/?a=b");
  EXPECT_EQ(ask(get_of("/f/sub/"), {.index = ""}).status, 404);
  EXPECT_EQ(ask(get_of("/f/small.txt", {}, "DELETE")).status, 405);
}

TEST_F(http_files, conditions_decide) {
  const std::string etag{ask(get_of("/f/big.bin")).field("etag")};
  const answer none = ask(get_of("/f/big.bin", "If-None-Match: " + etag + "\r\n"));
  EXPECT_EQ(none.status, 304);
  EXPECT_EQ(none.field("etag"), etag);
  EXPECT_FALSE(none.has_body);
  const std::string date = "Sun, 06 Nov 1994 08:49:37 GMT\r\n";
  EXPECT_EQ(ask(get_of("/f/big.bin", "If-Modified-Since: " + date)).status, 304);
  EXPECT_EQ(ask(get_of("/f/big.bin", "If-Match: \"other\"\r\n")).status, 412);
  const std::string range = "Range: bytes=1-3\r\n";
  EXPECT_EQ(ask(get_of("/f/big.bin", range + "If-Range: " + etag + "\r\n")).status, 206);
  EXPECT_EQ(ask(get_of("/f/big.bin", range + "If-Range: \"other\"\r\n")).status, 200);
  EXPECT_EQ(ask(get_of("/f/big.bin", range + "If-None-Match: " + etag + "\r\n")).status, 304);

  folder_.write("site/big.bin", pattern(700'001));  // the same again, but later
  const answer changed = ask(get_of("/f/big.bin", "If-None-Match: " + etag + "\r\n"));
  EXPECT_EQ(changed.status, 200);
  EXPECT_NE(changed.field("etag"), etag);
}

TEST_F(http_files, any_range_of_any_file_is_its_bytes) {
  std::mt19937_64 random{11};
  simulation sim{{.seed = 3}};
  auto& server = sim.serve({.limits = {.exchanges = 10'000}}, http::serve(routes()));
  auto client = sim.connect(server);
  for (int i = 0; i < 300; ++i) {
    const bool small = i % 3 == 0;
    const std::string& content = small ? std::string{"hello"} : big_;
    const std::uint64_t most = i % 5 == 0 ? 20 : content.size() + 2;
    const std::uint64_t first = random() % most, last = first + random() % most;
    const int form = static_cast<int>(random() % 3);
    const std::string spec = form == 0   ? std::to_string(first) + '-' + std::to_string(last)
                             : form == 1 ? std::to_string(first) + '-'
                                         : '-' + std::to_string(first);
    client.send(get_of(small ? "/f/small.txt" : "/f/big.bin", "Range: bytes=" + spec + "\r\n"));
    sim.advance(100ms);
    const auto read = read_answers(client.take_received(), false);
    ASSERT_EQ(read.all.size(), 1U) << spec;
    const answer& got = read.all.front();
    const std::string length = std::to_string(content.size());
    std::uint64_t from = first, to = std::min<std::uint64_t>(last, content.size() - 1);
    if (form == 1) to = content.size() - 1;
    if (form == 2) {
      from = content.size() - std::min<std::uint64_t>(first, content.size());
      to = content.size() - 1;
    }
    if (from >= content.size()) {
      EXPECT_EQ(got.status, 416) << spec;
      EXPECT_EQ(got.field("content-range"), "bytes */" + length) << spec;
      continue;
    }
    EXPECT_EQ(got.status, 206) << spec;
    EXPECT_TRUE(got.body == content.substr(from, to - from + 1)) << spec;
    EXPECT_EQ(got.field("content-range"),
              "bytes " + std::to_string(from) + '-' + std::to_string(to) + '/' + length);
  }
}

TEST_F(http_files, several_ranges_are_the_whole_file) {
  const answer got = ask(get_of("/f/big.bin", "Range: bytes=0-1,5-6\r\n"));
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.body.size(), big_.size());
}

TEST_F(http_files, pipelined_answers_keep_their_order) {
  with_seeds([this](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.jitter = 2ms, .short_writes = 0.2}}};
    auto& server = sim.serve({}, http::serve(routes()));
    auto client = sim.connect(server);
    std::string all;
    for (const char* target :
         {"/f/big.bin", "/ping", "/f/small.txt", "/f/big.bin", "/f/none", "/f/big.bin", "/ping"}) {
      all += get_of(target);
    }
    client.send(all);
    client.shutdown_send();  // and waits for the answers
    sim.advance(30s);
    const auto read = read_answers(client.received(), client.got_end());
    ASSERT_EQ(read.all.size(), 7U);
    for (const int i : {0, 3, 5}) EXPECT_TRUE(read.all[static_cast<std::size_t>(i)].body == big_);
    for (const int i : {1, 6}) EXPECT_EQ(read.all[static_cast<std::size_t>(i)].body, "pong");
    EXPECT_EQ(read.all[2].body, "hello");
    ASSERT_FALSE(client.is_open());
    EXPECT_EQ(client.record().exchanges, 7U);
  });
}

TEST_F(http_files, a_slow_download_outlives_every_deadline_but_a_stalled_one_does_not) {
  folder_.write("site/huge", pattern(5'000'000));
  simulation sim{{.seed = 6, .faults = {.delay = 20ms}}};
  auto& server = sim.serve({.deadlines = {.idle = 2s, .read = 2s, .handle = 2s, .write = 4s}},
                           http::serve(routes()));
  auto client = sim.connect(server);
  client.send(get_of("/f/huge"));
  sim.run_until([&] { return !client.received().empty(); }, 5s);
  for (int i = 0; i < 10; ++i) {
    client.stop_reading();
    sim.advance(3s);
    ASSERT_TRUE(client.is_open());
    client.start_reading();
    sim.advance(1ms);
  }
  client.stop_reading();
  ASSERT_TRUE(sim.run_until([&] { return !client.is_open(); }, 10s));
  EXPECT_EQ(client.record().reason, close_reason::write_timeout);
  EXPECT_EQ(client.record().done, close_method::abort);
}

TEST_F(http_files, a_download_is_finished_by_a_drain_and_the_next_request_is_not_served) {
  simulation sim{{.seed = 8, .faults = {.delay = 5ms}}};
  auto& server = sim.serve({}, http::serve(routes()));
  auto client = sim.connect(server);
  client.send(get_of("/f/big.bin"));
  sim.run_until([&] { return !client.received().empty(); }, 5s);
  server.drain();
  sim.advance(30s);
  const auto read = read_answers(client.received(), client.got_end());
  ASSERT_EQ(read.all.size(), 1U);
  EXPECT_TRUE(read.all[0].body == big_);
  ASSERT_FALSE(client.is_open());
  EXPECT_EQ(client.record().reason, close_reason::drain);
}

TEST_F(http_files, becoming_shorter_cuts_the_answer_by_a_reset) {
  simulation sim{{.seed = 9, .faults = {.delay = 20ms}}};
  auto& server = sim.serve({}, http::serve(routes()));
  auto client = sim.connect(server);
  client.send(get_of("/f/big.bin"));
  sim.run_until([&] { return !client.received().empty(); }, 5s);
  std::filesystem::resize_file(folder_.path() / "site/big.bin", 400'000);
  sim.advance(30s);
  ASSERT_FALSE(client.is_open());
  EXPECT_TRUE(client.got_reset());
  EXPECT_FALSE(client.got_end());
  EXPECT_EQ(client.record().reason, close_reason::handler_failed);
}

TEST_F(http_files, are_bounded_and_let_go) {
  simulation sim{{.seed = 10, .faults = {.delay = 20ms}}};
  auto& server = sim.serve({.deadlines = {.write = 2s}}, http::serve(routes({.open = 3})));
  std::vector<peer> slow;
  for (int i = 0; i < 3; ++i) {
    slow.push_back(sim.connect(server));
    slow.back().send(get_of("/f/big.bin"));
    slow.back().stop_reading();
  }
  sim.advance(200ms);
  auto late = sim.connect(server);
  late.send(get_of("/f/big.bin"));
  sim.advance(200ms);
  const auto refused = read_answers(late.take_received(), false);
  ASSERT_EQ(refused.all.size(), 1U);
  EXPECT_EQ(refused.all[0].status, 503);
  EXPECT_EQ(refused.all[0].field("retry-after"), "1");
  slow[0].reset();
  slow[1].start_reading();  // the third stalls, and is ended
  sim.advance(5s);
  EXPECT_FALSE(slow[2].is_open());
  std::string three;
  for (int i = 0; i < 3; ++i) {
    auto next = sim.connect(server);
    next.send(get_of("/f/big.bin"));
    next.stop_reading();
    sim.advance(200ms);
    next.start_reading();
    sim.advance(1s);
    EXPECT_EQ(read_answers(next.received(), false).all.at(0).status, 200);
  }
}

TEST_F(http_files, go_over_tls_and_http_1_0) {
  simulation sim{{.seed = 12}};
  dwell::service_options options;
  options.tls = dwell::tls_options{.certificate = dwell::self_signed({"localhost"})};
  auto& server = sim.serve(std::move(options), http::serve(routes()));
  tls_peer client{sim, server};
  client.write(get_of("/f/big.bin") + get_of("/f/big.bin", "Range: bytes=-7\r\n") +
               "GET /f/big.bin HTTP/1.0\r\nHost: a\r\n\r\n");
  client.run_until([&] { return client.got_close_notify(); }, 60s);
  const auto read = read_answers(client.received(), true);
  ASSERT_EQ(read.all.size(), 3U);
  EXPECT_TRUE(read.all[0].body == big_);
  EXPECT_EQ(read.all[1].body, big_.substr(big_.size() - 7));
  EXPECT_TRUE(read.all[2].body == big_);
  EXPECT_TRUE(read.all[2].close);
}

TEST_F(http_files, answers_of_a_handler_s_own) {
  simulation sim{{.seed = 13}};
  const std::string path = (folder_.path() / "site/big.bin").string();
  const http::files files{(folder_.path() / "site").string()};
  http::router routes;
  routes
      .get("/report",
           [=](const http::request&) { return http::response{.file = dwell::whole_file(path)}; })
      .get("/both",
           [=](const http::request&) {
             return http::response{.file = dwell::whole_file(path),
                                   .stream = [] { return std::string{}; }};
           })
      .get("/status",
           [=](const http::request&) {
             return http::response{.status = http::status::not_modified,
                                   .file = dwell::whole_file(path)};
           })
      .get("/missing",
           [=](const http::request&) { return http::response{.file = dwell::whole_file("/none")}; })
      .get("/no/name", files)
      .get("/added/*path", [=](const http::request& request) {
        http::response answer = files(request);
        answer.headers.push_back({"X-Content-Type-Options", "nosniff"});
        return answer;
      });
  auto& server = sim.serve({}, http::serve(std::move(routes)));
  auto client = sim.connect(server);
  client.send(get_of("/report") + get_of("/both") + get_of("/status") + get_of("/missing") +
              get_of("/no/name") + get_of("/added/small.txt"));
  sim.advance(1s);
  const auto read = read_answers(client.received(), false);
  ASSERT_EQ(read.all.size(), 6U);
  EXPECT_EQ(read.all[0].field("content-type"), "application/octet-stream");
  EXPECT_TRUE(read.all[0].body == big_);
  EXPECT_EQ(read.all[1].status, 500);
  EXPECT_EQ(read.all[2].status, 304);
  EXPECT_EQ(read.all[3].status, 500);
  EXPECT_EQ(read.all[4].status, 500);  // its pattern does not end in *path
  EXPECT_EQ(read.all[5].field("x-content-type-options"), "nosniff");
}

TEST(http_files_options, say_what_is_wrong) {
  EXPECT_THROW(http::files{"/nowhere/at/all"}, std::system_error);
  EXPECT_THROW(http::files("/", {.open = 0}), std::invalid_argument);
}

}  // namespace
