// Requests around the idle deadline of a raw stream.
#include "support/reap_sweep.hpp"

#include <gtest/gtest.h>

namespace dwell {
namespace {

const callbacks<> echo{.on_data = [](connection& peer, no_session&, bytes data) {
  peer.send(data);
  return data.size();
}};

TEST(reap_race, raw) { run({.what = echo, .request = "request"}); }

TEST(reap_race, raw_stalled) { run({.what = echo, .request = "request", .stalled = true}); }

TEST(reap_race, raw_abort_after_fin) {
  run({.what = echo, .request = "request", .method = close_method::abort_after_fin});
}

TEST(reap_race, raw_abort_after_fin_stalled) {
  run({.what = echo,
       .request = "request",
       .method = close_method::abort_after_fin,
       .stalled = true});
}

}  // namespace
}  // namespace dwell
