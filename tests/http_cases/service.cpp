#include "http_cases/service.hpp"

#include <charconv>
#include <chrono>
#include <stdexcept>
#include <utility>

namespace dwell::testing {
namespace {

using http::request;
using http::response;
using namespace std::chrono_literals;

std::size_t number(std::string_view text) {
  std::size_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string letters(std::size_t count) {
  std::string made(count, 'a');
  for (std::size_t i = 0; i < count; ++i) made[i] = static_cast<char>('a' + i % 23);
  return made;
}

/// `pieces` of them, of `size` bytes each.
std::function<std::string()> stream_of(std::size_t pieces, std::size_t size) {
  return [pieces, size]() mutable { return pieces-- == 0 ? std::string{} : letters(size); };
}

void add_bodies(http::router& routes) {
  routes.get("/bytes/:n", [](const request& what) {
    return response{.body = letters(number(what.param("n")))};
  });
  routes.get("/stream/:pieces/:size", [](const request& what) {
    return response{.stream = stream_of(number(what.param("pieces")), number(what.param("size")))};
  });
  routes.get("/static", [](const request&) { return response{.static_body = "static"}; });
  routes.get("/none/:status", [](const request& what) {
    return response{.status = static_cast<http::status>(number(what.param("status"))),
                    .body = "not to be sent"};
  });
  routes.get("/created", [](const request&) {
    response made{.status = http::status::created, .content_type = "text/html"};
    made.headers = {{"Location", "/1"}, {"X-Two", "b"}};
    return made;
  });
  routes.get("/last", [](const request&) { return response{.body = "bye", .close = true}; });
}

void add_faults(http::router& routes) {
  routes.get("/throws", [](const request&) -> response { throw std::runtime_error{"told to"}; });
  routes.get("/throws-a-number", [](const request&) -> response { throw 1; });
  routes.get("/throws-later", [](const request&) -> task<response> {
    co_await dwell::sleep_for(2ms);
    throw std::runtime_error{"told to"};
  });
  const auto cut = [] {
    return response{.stream = [left = 2]() mutable -> std::string {
      if (left-- == 0) throw std::runtime_error{"told to"};
      return "some";
    }};
  };
  routes.get("/throws-midway", [cut](const request&) { return cut(); });
  routes.get("/at-once-throws-midway",
             [cut](const request&) -> task<response> { co_return cut(); });
  routes.get("/later-throws-midway", [cut](const request&) -> task<response> {
    co_await dwell::sleep_for(2ms);
    co_return cut();
  });
  const auto with = [](http::header bad) {
    return [bad](const request&) {
      response made{.body = "never"};
      made.headers.push_back(bad);
      return made;
    };
  };
  routes.get("/splits-a-field", with({"X", "a\r\nSet-Cookie: b"}));
  routes.get("/bad-name", with({"X Y", "a"}));
  routes.get("/own-length", with({"content-length", "1"}));
  routes.get("/bad-type", [](const request&) {
    return response{.body = "never", .content_type = "text/plain\r\nX: y"};
  });
}

void add_coroutines(http::router& routes, seen_requests& seen) {
  const auto later = [&seen](const request& what) -> task<response> {
    std::string saw = shown(what);
    seen.add(saw);
    co_await dwell::sleep_for(5ms);
    co_return response{.body = shown(what)};
  };
  routes.get("/later", later).post("/later", later);
  routes.get("/later/:name", [](const request& what) -> task<response> {
    co_await dwell::sleep_for(1ms);
    co_return response{.body = std::string{what.param("name")}};
  });
  routes.get("/at-once", [](const request& what) -> task<response> {
    co_return response{.body = shown(what)};
  });
  routes.get("/later-bytes/:n", [](const request& what) -> task<response> {
    co_await dwell::sleep_for(1ms);
    co_return response{.body = letters(number(what.param("n")))};
  });
  routes.get("/much-later", [](const request&) -> task<response> {
    co_await dwell::sleep_for(2s);
    co_return response{.body = "nobody waits for this"};
  });
}

}  // namespace

void seen_requests::add(const std::string& what) {
  const std::lock_guard held{mutex_};
  (all_ += what) += '\n';
}

std::string seen_requests::take() {
  const std::lock_guard held{mutex_};
  return std::exchange(all_, {});
}

std::string shown(const request& what) {
  std::string made{to_string(what.method())};
  (made += ' ') += what.target();
  if (!what.is_http_1_1()) made += " 1.0";
  for (const auto& [name, value] : what.headers()) {
    if (name == "Host") continue;
    (((made += ' ') += name) += '=') += value;
  }
  if (!what.body().empty()) ((made += " {") += what.body()) += '}';
  return made;
}

http::router routes_of_cases(seen_requests& seen) {
  http::router routes;
  const auto echo = [&seen](const request& what) {
    std::string saw = shown(what);
    seen.add(saw);
    return response{.body = std::move(saw)};
  };
  routes.get("/", [](const request&) { return response{.body = "OK"}; });
  for (const auto how : {http::method::get, http::method::post, http::method::put,
                         http::method::patch, http::method::delete_, http::method::trace}) {
    routes.on(how, "/echo", echo);
  }
  routes.post("/post", echo);
  routes.get("/hello/:name",
             [](const request& what) { return response{.body = std::string{what.param("name")}}; });
  routes.get("/hello/world", [](const request&) { return response{.body = "literal"}; });
  routes.get("/files/*path", [](const request& what) {
    return response{.body = "<" + std::string{what.param("path")} + ">"};
  });
  routes.get("/a/:x/b/:y", [](const request& what) {
    return response{.body = std::string{what.param("x")} + "," + std::string{what.param("y")}};
  });
  routes.get("/cookies", [](const request& what) {
    std::string made;
    for (const auto& [name, value] : what.cookies()) {
      (((made += '<') += name) += '|') += value;
      made += '>';
    }
    return response{.body = made};
  });
  routes.get("/query", [](const request& what) {
    return response{.body = "a=" + what.query("a").value_or("none") +
                            " b=" + what.query("b").value_or("none")};
  });
  add_bodies(routes);
  add_faults(routes);
  add_coroutines(routes, seen);
  return routes;
}

service_options options_of(setup which) {
  service_options made;
  switch (which) {
    case setup::plain:
    case setup::tight: break;
    case setup::once: made.mode = connection_mode::short_lived; break;
    case setup::twice: made.limits.exchanges = 2; break;
    case setup::impatient: made.deadlines.read = made.deadlines.handle = 300ms; break;
  }
  return made;
}

http::options http_options_of(setup which) {
  if (which != setup::tight) return {};
  return {.header = 200, .header_fields = 4, .target = 40, .body = 10};
}

}  // namespace dwell::testing
