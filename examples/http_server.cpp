// A small site: what a router, plain handlers, coroutines, streams and files look like.

#include <dwell/admin/admin.hpp>
#include <dwell/http.hpp>

#include "common/access_log.hpp"
#include "common/flags.hpp"
#include "common/serve.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace {

namespace http = dwell::http;

/// A parameter of the path that is a number, 0 to `most`.
class number {
 public:
  number(std::string_view text, std::uint32_t most) : most_{most} {
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value_);
    fits_ = error == std::errc{} && rest == end && value_ <= most;
  }

  bool fits() const noexcept { return fits_; }
  std::uint32_t operator*() const noexcept { return value_; }
  http::response complaint() const {
    return {.status = http::status::bad_request,
            .body = "use a number from 0 to " + std::to_string(most_) + '\n'};
  }

 private:
  std::uint32_t value_ = 0;
  std::uint32_t most_;
  bool fits_;
};

http::response ok(const http::request&) { return {.body = "OK"}; }

http::response hello(const http::request& request) {
  return {.body = "Hello, " + std::string{request.param("name")} + "!\n"};
}

http::response body_back(const http::request& request) {
  return {.body = std::string{request.body()}};
}

http::response header_lines(const http::request& request) {
  http::response answer;
  for (const auto& [name, value] : request.headers()) {
    answer.body.append(name).append(": ").append(value) += '\n';
  }
  return answer;
}

http::response cookie_lines(const http::request& request) {
  http::response answer;
  for (const auto& [name, value] : request.cookies()) {
    answer.body.append(name).append("=").append(value) += '\n';
  }
  return answer;
}

/// From one block that all answers share: however many are on their way, they cost no memory.
http::response bytes(const http::request& request) {
  constexpr std::uint32_t most = 10'000'000;
  static const std::string block(most, 'x');
  const number size{request.param("count"), most};
  if (!size.fits()) return size.complaint();
  return {.content_type = "application/octet-stream",
          .static_body = std::string_view{block}.substr(0, *size)};
}

/// Made as fast as the client takes it.
http::response stream(const http::request& request) {
  const number lines{request.param("lines"), 1'000'000};
  if (!lines.fits()) return lines.complaint();
  http::response answer;
  answer.stream = [next = std::uint32_t{0}, end = *lines]() mutable {
    return next == end ? std::string{} : "line " + std::to_string(++next) + '\n';
  };
  return answer;
}

/// Of any size: what is not read yet waits with the client.
dwell::task<http::response> upload(http::exchange& exchange) {
  std::uint64_t size = 0;
  while (auto part = co_await exchange.read()) size += part.size();
  co_return http::response{.body = std::to_string(size) + " bytes\n"};
}

/// Of any size, too: no more of it is made than the client takes.
dwell::task<> download(http::exchange& exchange) {
  static const std::string block(std::size_t{64} * 1024, 'x');
  constexpr std::uint64_t most = 1'000'000'000'000;
  std::uint64_t left = 0;
  const std::string_view size = exchange.request().param("size");
  const auto [rest, error] = std::from_chars(size.data(), size.data() + size.size(), left);
  if (error != std::errc{} || rest != size.data() + size.size() || left > most) {
    exchange.respond({.status = http::status::bad_request, .body = "use 0 to 10^12\n"});
    co_return;
  }
  exchange.begin({.content_type = "application/octet-stream"}, left);
  while (left != 0) {
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(left, block.size()));
    left -= piece;
    if (!co_await exchange.write(std::string_view{block}.substr(0, piece))) co_return;
  }
}

/// Holds nobody else up; what takes longer than deadlines.handle (30 s) is answered with 503.
dwell::task<http::response> slow(const http::request& request) {
  const number time{request.param("ms"), 60'000};
  if (!time.fits()) co_return time.complaint();
  co_await dwell::sleep_for(std::chrono::milliseconds{*time});
  co_return http::response{.body = "after " + std::to_string(*time) + " ms\n"};
}

http::router site() {
  http::router routes;
  routes.get("/", ok)
      .post("/", body_back)
      .post("/echo-body", body_back)
      .get("/hello/:name", hello)
      .get("/echo", header_lines)
      .get("/cookie", cookie_lines)
      .get("/bytes/:count", bytes)
      .get("/stream/:lines", stream)
      .get("/slow/:ms", slow)
      .post("/upload", upload)
      .get("/download/:size", download);
  return routes;
}

}  // namespace

int main(int argc, char** argv) {
  flags chosen;
  chosen.service.listen.port = 8080;
  std::string access_log;
  std::string directory;
  dwell::endpoint admin_at;
  command_line line{"http_server", "Serves a small site over HTTP.",
                    "  http_server --listen 127.0.0.1:8080 --access-log -\n"
                    "  http_server --admin 127.0.0.1:9901\n"
                    "  http_server --files /usr/share/doc\n"
                    "  http_server --listen '[::]:0' --threads 0 --idle 10s\n"
                    "  http_server --mode short --close peer-first\n"
                    "  curl http://127.0.0.1:8080/hello/world\n"
                    "  curl 'http://127.0.0.1:9901/connections?sort=-idle&limit=10'\n"
                    "\n"
                    "GET  /  /hello/:name  /echo (header lines)  /cookie  /bytes/N  /stream/LINES  "
                    "/slow/MS\n"
                    "     /download/SIZE  /files/PATH (with --files)\n"
                    "POST /  /echo-body (the body comes back)  /upload (of any size)\n",
                    chosen};
  line.app()
      .add_option("--access-log", access_log, "A line for each request; -: to standard output")
      ->type_name("FILE|-");
  line.app()
      .add_option("--files", directory, "Serves what is below this directory as /files/PATH")
      ->type_name("DIR");
  const CLI::Option* const admin_flag = line.add_endpoint(
      "--admin", admin_at, "Where /connections, /metrics, /healthz, /readyz and /drain are");

  return line.run(argc, argv, [&] {
    http::options options;
    if (!access_log.empty()) options.access_log = open_access_log(access_log);
    dwell::server server{chosen.server};
    std::optional<dwell::admin> admin;
    if (*admin_flag) {
      admin.emplace(server, dwell::admin_options{.listen = admin_at});
      std::cout << "admin on " << dwell::to_string(admin->endpoint()) << '\n';
    }
    http::router routes = site();
    if (!directory.empty()) routes.get("/files/*path", http::files{directory});
    return serve(server, chosen, http::serve(std::move(routes), std::move(options)));
  });
}
