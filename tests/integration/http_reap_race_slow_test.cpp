// As http_reap_race_test.cpp, 10,000 tries each.
#include <dwell/http.hpp>

#include "support/reap_sweep.hpp"

#include <gtest/gtest.h>

namespace dwell {
namespace {

constexpr duration idle{2'000};  // announced as 1 s
constexpr const char* get = "GET / HTTP/1.1\r\nHost: here\r\n\r\n";

handler hello() {
  http::router routes;
  routes.get("/", [](const http::request&) { return http::response{.body = "hello"}; });
  return http::serve(std::move(routes));
}

TEST(reap_race, http) {
  run({.what = hello(),
       .request = get,
       .idle = idle,
       .tries = 10'000,
       .half_keep_to_timeout = true});
}

TEST(reap_race, http_over_tls) {
  run({.what = hello(),
       .request = get,
       .idle = idle,
       .over = wire::tls,
       .tries = 2'000,
       .half_keep_to_timeout = true});
}

TEST(reap_race, http_stalled) {
  run({.what = hello(),
       .request = get,
       .idle = idle,
       .tries = 10'000,
       .stalled = true,
       .half_keep_to_timeout = true});
}

}  // namespace
}  // namespace dwell
