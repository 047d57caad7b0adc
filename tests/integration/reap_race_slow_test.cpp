// As reap_race_test.cpp, 10,000 tries each.
#include "support/reap_sweep.hpp"

#include <gtest/gtest.h>

namespace dwell {
namespace {

const callbacks<> echo{.on_data = [](connection& peer, no_session&, bytes data) {
  peer.send(data);
  return data.size();
}};

TEST(reap_race, raw) { run({.what = echo, .request = "request", .tries = 10'000}); }

TEST(reap_race, raw_over_tls) {
  run({.what = echo, .request = "request", .over = wire::tls, .tries = 5'000});
}

TEST(reap_race, raw_over_tls_abort_after_fin) {
  run({.what = echo,
       .request = "request",
       .method = close_method::abort_after_fin,
       .over = wire::tls,
       .tries = 2'000});
}

TEST(reap_race, raw_over_tls_stalled) {
  run({.what = echo, .request = "request", .over = wire::tls, .tries = 600, .stalled = true});
}

TEST(reap_race, raw_stalled) {
  run({.what = echo, .request = "request", .tries = 10'000, .stalled = true});
}

TEST(reap_race, raw_abort_after_fin) {
  run({.what = echo,
       .request = "request",
       .method = close_method::abort_after_fin,
       .tries = 10'000});
}

TEST(reap_race, raw_abort_after_fin_stalled) {
  run({.what = echo,
       .request = "request",
       .method = close_method::abort_after_fin,
       .tries = 10'000,
       .stalled = true});
}

}  // namespace
}  // namespace dwell
