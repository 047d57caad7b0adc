// Every close method and form, against every peer, in both modes: where TIME_WAIT is, asked of the
// kernel on both sides, what arrived, what the peer saw, how long anything was left, and whether
// the close records say so. Each test prints its part of the matrix; DWELL_MATRIX=FOLDER keeps it
// as JSON.

#include "matrix/report.hpp"
#include "matrix/run.hpp"
#include "matrix/verdict.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

namespace dwell {
namespace {

constexpr std::size_t trials = 20;
constexpr std::size_t trials_over_tls = 5;  // a handshake takes its time

void hold(const peer_behaviour& peer, wire over) {
  in_two_networks([&](two_networks& networks) {
    const std::deque<cell_run> runs =
        run_peer(networks, peer, over, over == wire::tls ? trials_over_tls : trials);
    print(peer, runs);
    for (const cell_run& run : runs) {
      SCOPED_TRACE(std::string{run.cell.form.name} + ", " + std::string{to_string(run.cell.mode)});
      check(run, count(run));
    }
    check_expected(runs);
    const char* const folder = std::getenv("DWELL_MATRIX");
    if (folder != nullptr && over == wire::plain) write_json(folder, peer, runs);
  });
}

void hold(std::string_view name, wire over = wire::plain) {
  const auto* const peer = std::ranges::find(peer_behaviours(), name, &peer_behaviour::name);
  ASSERT_NE(peer, peer_behaviours().end());
  hold(*peer, over);
}

TEST(matrix, closes_at_once) { hold("closes at once"); }
TEST(matrix, holds_half_open) { hold("holds half-open"); }
TEST(matrix, vanishes) { hold("vanishes"); }
TEST(matrix, reads_slowly) { hold("reads slowly, 1 MB in flight"); }
TEST(matrix, never_reads) { hold("never reads"); }
TEST(matrix, still_uploading) { hold("still uploading"); }
TEST(matrix, sends_more_after_our_fin) { hold("sends more after our FIN"); }
TEST(matrix, closes_at_the_same_moment) { hold("closes at the same moment"); }
TEST(matrix, fins_cross) { hold("FINs cross"); }

TEST(matrix_over_tls, closes_at_once) { hold("closes at once", wire::tls); }
TEST(matrix_over_tls, holds_half_open) { hold("holds half-open", wire::tls); }
TEST(matrix_over_tls, vanishes) { hold("vanishes", wire::tls); }
TEST(matrix_over_tls, reads_slowly) { hold("reads slowly, 1 MB in flight", wire::tls); }
TEST(matrix_over_tls, never_reads) { hold("never reads", wire::tls); }
TEST(matrix_over_tls, still_uploading) { hold("still uploading", wire::tls); }
TEST(matrix_over_tls, sends_more_after_our_fin) { hold("sends more after our FIN", wire::tls); }
TEST(matrix_over_tls, closes_at_the_same_moment) { hold("closes at the same moment", wire::tls); }
TEST(matrix_over_tls, fins_cross) { hold("FINs cross", wire::tls); }
TEST(matrix_over_tls, leaves_its_tickets_unread) { hold(leaves_tickets_unread(), wire::tls); }

}  // namespace
}  // namespace dwell
