// Clients that people use, against every close method: whether an answer of 200 KB arrives whole,
// with a length and delimited by the end of the connection. Each test prints its counts.

#include <dwell/dwell.hpp>
#include <dwell/http.hpp>
#include <dwell/kernel/kernel_view.hpp>

#include "support/close_log.hpp"
#include "support/running_server.hpp"
#include "support/two_networks.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace dwell {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t downloads = 20;
constexpr auto methods = {close_method::graceful, close_method::peer_first,
                          close_method::abort_after_fin, close_method::abort};

enum class delimited_by {
  length,        ///< http::serve
  end,           ///< callbacks that send a head without a length
  end_of_stream  ///< http::serve, a stream to HTTP/1.0
};

std::string_view to_string(delimited_by which) {
  constexpr std::array<std::string_view, 3> names{"length", "end", "end of a stream"};
  return names[static_cast<std::size_t>(which)];
}

const std::string& wanted() {
  static const std::string body = [] {
    std::string text(200'000, '\0');
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i * 7 % 26);
    return text;
  }();
  return body;
}

/// A folder that holds what is wanted, and what a client puts there.
class scratch_folder {
 public:
  scratch_folder() : path_{make()} { std::ofstream{path_ + "/wanted"} << wanted(); }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  ~scratch_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  static std::string make() {
    std::string name = (std::filesystem::temp_directory_path() / "dwell-clients-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error{name + ": cannot be made"};
    return name;
  }
  std::string path_;
};

handler with_length() {
  http::router routes;
  routes.get("/", [](const http::request&) { return http::response{.static_body = wanted()}; });
  return http::serve(std::move(routes));
}

handler as_stream() {
  http::router routes;
  routes.get("/", [](const http::request&) {
    return http::response{.stream = [at = std::size_t{0}]() mutable {
      std::string part = wanted().substr(at, 10'000);
      at += part.size();
      return part;
    }};
  });
  return http::serve(std::move(routes));
}

handler without_length() {
  return callbacks<>{.on_data = [](connection& peer, no_session&, bytes data) -> std::size_t {
    if (!data.text().ends_with("\r\n\r\n")) return 0;
    peer.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    peer.send(wanted());
    return data.size();
  }};
}

handler answers(delimited_by which) {
  if (which == delimited_by::length) return with_length();
  return which == delimited_by::end ? without_length() : as_stream();
}

/// What a shell command prints, run in the network of the calling thread.
std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe{::popen(command.c_str(), "r"), &::pclose};
  if (!pipe) throw std::runtime_error{command + ": cannot be started"};
  std::string text;
  std::array<char, 256> part{};
  while (std::fgets(part.data(), part.size(), pipe.get()) != nullptr) text += part.data();
  return text;
}

bool is_installed(const std::string& tool) {
  return std::system(("command -v " + tool + " >/dev/null").c_str()) == 0;
}

/// Runs in an empty folder with `wanted`, and prints how many of `downloads` are the same.
std::string repeated(const std::string& fetch_to_got) {
  return "n=0; for i in $(seq " + std::to_string(downloads) + "); do rm -f got; " + fetch_to_got +
         " && cmp -s got wanted && n=$((n+1)); done; echo $n";
}

struct client {
  std::string tool;
  /// A command for a URL.
  std::string (*command)(const std::string& url);
};

const client curl{"curl", [](const std::string& url) { return repeated("curl -s -o got " + url); }};
const client curl_1_0{
    "curl", [](const std::string& url) { return repeated("curl --http1.0 -s -o got " + url); }};
const client wget{"wget",
                  [](const std::string& url) { return repeated("wget -q -t 1 -O got " + url); }};
const client python{"python3", [](const std::string& url) {
                      return R"(python3 -c '
import http.client, sys, urllib.parse
where = urllib.parse.urlsplit(sys.argv[1]).netloc
wanted, whole = open("wanted", "rb").read(), 0
for _ in range(int(sys.argv[2])):
    peer = http.client.HTTPConnection(where, timeout=30)
    try:
        peer.request("GET", "/")
        whole += peer.getresponse().read() == wanted
    except (OSError, http.client.HTTPException):
        pass
    peer.close()
print(whole)' )" + url + ' ' +
                             std::to_string(downloads);
                    }};
const client node{"node", [](const std::string& url) {
                    return R"(node -e '
const wanted = require("fs").readFileSync("wanted", "latin1");
(async () => {
  let whole = 0;
  for (let i = 0; i < Number(process.argv[2]); ++i) {
    try {
      whole += await (await fetch(process.argv[1])).text() === wanted;
    } catch { }
  }
  console.log(whole);
  process.exit();
})()' )" + url + ' ' + std::to_string(downloads);
                  }};

struct offer {
  close_method method;
  delimited_by how;
  close_log log{};
  endpoint where{};

  offer(close_method by, delimited_by end) : method{by}, how{end} {}
};

void download(const two_networks& networks, const client& with,
              std::initializer_list<delimited_by> delimiters) {
  std::deque<offer> offers;
  server all{quietly()};
  for (const close_method method : methods) {
    for (const delimited_by how : delimiters) {
      offer& made = offers.emplace_back(method, how);
      made.where = all.serve(made.log.listening({.listen = {two_networks::server_address},
                                                 .mode = connection_mode::short_lived,
                                                 .close = {.finished = method}}),
                             answers(how));
    }
  }
  all.start();
  const scratch_folder folder;
  for (const offer& one : offers) {
    SCOPED_TRACE(std::string{to_string(one.method)} + ", delimited by " +
                 std::string{to_string(one.how)});
    std::string whole;
    networks.on_client_side([&] {
      whole = output_of("unset http_proxy; cd " + folder.path() + " && " +
                        with.command("http://" + to_string(one.where)));
    });
    EXPECT_TRUE(one.log.wait_for(downloads));
    std::size_t slow = 0;
    for (const close_record& record : one.log.all()) slow += record.age >= 4s;
    std::printf("  %-8s %-16s delimited by %-16s whole %s of %zu\n", with.tool.c_str(),
                to_string(one.method).data(), to_string(one.how).data(),
                whole.substr(0, whole.find('\n')).c_str(), downloads);
    if (one.method == close_method::abort) continue;  // loses what is not acknowledged
    EXPECT_EQ(whole, std::to_string(downloads) + '\n');
    EXPECT_EQ(slow, 0U) << "the client waited for our close deadline to learn of the end";
  }
}

void all_methods_with(const client& with, std::initializer_list<delimited_by> delimiters) {
  if (!is_installed(with.tool)) GTEST_SKIP() << with.tool << " is not installed";
  in_two_networks([&](two_networks& networks) { download(networks, with, delimiters); });
}

TEST(http_clients, curl_gets_all_by_every_method_but_abort) {
  all_methods_with(curl, {delimited_by::length, delimited_by::end});
}
TEST(http_clients, curl_with_http_1_0_gets_all_by_every_method_but_abort) {
  all_methods_with(curl_1_0,
                   {delimited_by::length, delimited_by::end, delimited_by::end_of_stream});
}
TEST(http_clients, wget_gets_all_by_every_method_but_abort) {
  all_methods_with(wget, {delimited_by::length, delimited_by::end});
}
TEST(http_clients, python_gets_all_by_every_method_but_abort) {
  all_methods_with(python, {delimited_by::length, delimited_by::end});
}
TEST(http_clients, node_gets_all_by_every_method_but_abort) {
  all_methods_with(node, {delimited_by::length, delimited_by::end});
}

}  // namespace
}  // namespace dwell
