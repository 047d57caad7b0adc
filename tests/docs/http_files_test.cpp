// What docs/files.md shows.
#include <dwell/http.hpp>
#include <dwell/testing/simulation.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

using namespace std::chrono_literals;

namespace {

namespace http = dwell::http;
using dwell::testing::simulation;

// snippet: routes
http::router site(const std::string& directory) {
  http::router routes;
  routes.get("/static/*path", http::files{directory, {.cache_control = "max-age=3600"}});
  return routes;
}
// end snippet

// snippet: guarded
http::router guarded(const std::string& directory) {
  http::router routes;
  routes.get("/reports/*path", [files = http::files{directory}](const http::request& request) {
    if (request.cookie("session") != "secret") {
      return http::response{.status = http::status::forbidden};
    }
    http::response answer = files(request);
    answer.headers.push_back({"Content-Disposition", "attachment"});
    return answer;
  });
  return routes;
}
// end snippet

// snippet: own
http::router one_file(const std::string& path) {
  http::router routes;
  routes.get("/manual", [path](const http::request&) {
    return http::response{.content_type = "application/pdf", .file = dwell::whole_file(path)};
  });
  return routes;
}
// end snippet

// snippet: raw
dwell::task<> deliver(dwell::connection& peer, std::string path) {
  const dwell::file_part whole = dwell::whole_file(path);
  peer.send(std::to_string(whole.size) + '\n');
  peer.send_file(whole);
  co_await peer.flush();  // its last byte is with the kernel
}
// end snippet

class files_page : public ::testing::Test {
 protected:
  files_page() {
    std::string name = (std::filesystem::temp_directory_path() / "dwell-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    std::ofstream{file()} << std::string(100'000, 'x');
  }
  ~files_page() override { std::filesystem::remove_all(directory_); }
  std::string file() const { return directory_ + "/a.pdf"; }
  static std::string ask(http::router routes, const std::string& head) {
    simulation sim;
    auto& server = sim.serve({}, http::serve(std::move(routes)));
    auto peer = sim.connect(server);
    peer.send(head + "\r\nHost: a\r\n\r\n");
    sim.advance(1s);
    return std::string{peer.received()};
  }
  std::string directory_;
};

TEST_F(files_page, routes) {
  const std::string got = ask(site(directory_), "GET /static/a.pdf HTTP/1.1\r\nRange: bytes=0-9");
  EXPECT_TRUE(got.starts_with("HTTP/1.1 206 Partial Content\r\n")) << got;
  EXPECT_NE(got.find("Cache-Control: max-age=3600\r\n"), std::string::npos);
}

TEST_F(files_page, guarded) {
  EXPECT_TRUE(ask(guarded(directory_), "GET /reports/a.pdf HTTP/1.1")
                  .starts_with("HTTP/1.1 403 Forbidden\r\n"));
  const std::string got =
      ask(guarded(directory_), "GET /reports/a.pdf HTTP/1.1\r\nCookie: session=secret");
  EXPECT_NE(got.find("Content-Disposition: attachment\r\n"), std::string::npos);
  EXPECT_GT(got.size(), 100'000U);
}

TEST_F(files_page, own) {
  const std::string got = ask(one_file(file()), "GET /manual HTTP/1.1");
  EXPECT_NE(got.find("Content-Type: application/pdf\r\n"), std::string::npos);
  EXPECT_GT(got.size(), 100'000U);
}

TEST_F(files_page, raw) {
  simulation sim;
  auto& server = sim.serve({}, [this](dwell::connection& peer) { return deliver(peer, file()); });
  auto peer = sim.connect(server);
  sim.advance(1s);
  EXPECT_EQ(peer.received().size(), 100'007U);
}

}  // namespace
