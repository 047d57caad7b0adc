// Every raw request of tests/http_cases on real sockets: whole, in a few pieces, and some byte by
// byte. What comes of it is the table's.
#include <dwell/testing/loopback.hpp>

#include "http_cases/answers.hpp"
#include "http_cases/service.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

namespace {

using namespace std::chrono_literals;
using dwell::testing::loopback;
using dwell::testing::peer;
using dwell::testing::raw_case;
using dwell::testing::setup;
using dwell::testing::then;

constexpr int parts = 4;  // of the table, so that they run side by side

class http_cases_on_sockets : public ::testing::TestWithParam<int> {
 protected:
  struct attempt {
    const raw_case* what;
    std::vector<std::string_view> pieces;
    std::size_t sent = 0;
    peer client;
  };

  dwell::server& server_for(setup which) {
    if (!servers_.contains(which)) {
      servers_[which] = &net_.serve(
          options_of(which), dwell::http::serve(routes_of_cases(seen_), http_options_of(which)));
    }
    return *servers_[which];
  }
  void begin(const raw_case& what, std::vector<std::string_view> pieces) {
    attempts_.push_back({&what, std::move(pieces), 0, net_.connect(server_for(what.at))});
  }
  /// Each attempt's next piece.
  void send_pieces() {
    for (bool more = true; more; net_.advance(2ms)) {
      more = false;
      for (attempt& each : attempts_) {
        if (each.sent < each.pieces.size()) each.client.send(each.pieces[each.sent]);
        if (++each.sent == each.pieces.size() && each.what->client == then::ends) {
          each.client.shutdown_send();
        }
        more = more || each.sent < each.pieces.size();
      }
    }
  }
  static std::string answered(const attempt& by) {
    return to_string(dwell::testing::read_answers(by.client.received(), by.client.got_end()));
  }
  static bool is_as_told(const attempt& one) {
    const std::string now = answered(one);
    const bool as_told =
        now == one.what->answered || (one.pieces.size() > 1 && now == one.what->or_in_pieces);
    return as_told && one.client.is_open() == (one.what->fate == "stays");
  }
  void expect_as_told(const attempt& one) {
    SCOPED_TRACE(one.what->name + " in " + std::to_string(one.pieces.size()) + " pieces");
    if (is_as_told(one)) {
      EXPECT_EQ(one.client.is_open() ? "stays" : to_string(one.client.record().reason),
                one.what->fate);
      EXPECT_EQ(one.client.got_reset(), one.what->fate == "handler_failed");
    } else {
      EXPECT_EQ(answered(one), one.what->answered);
      EXPECT_EQ(one.client.is_open(), one.what->fate == "stays");
    }
  }
  bool all_as_told() const {
    return std::ranges::all_of(attempts_, [](const attempt& each) { return is_as_told(each); });
  }

  loopback net_;
  std::vector<attempt> attempts_;

 private:
  dwell::testing::seen_requests seen_;
  std::map<setup, dwell::server*> servers_;
};

TEST_P(http_cases_on_sockets, come_to_what_the_table_says) {
  const auto& all = dwell::testing::raw_cases();
  for (std::size_t i = static_cast<std::size_t>(GetParam()); i < all.size(); i += parts) {
    const raw_case& what = all[i];
    const std::string_view text = what.sent;
    begin(what, {text});
    for (const std::size_t at : {text.size() / 2, text.size() - 1}) {
      if (at > 0 && at < text.size()) begin(what, {text.substr(0, at), text.substr(at)});
    }
    if (i % 5 != 0 || text.size() > 200 || what.at == setup::impatient) continue;
    std::vector<std::string_view> bytes;
    for (std::size_t at = 0; at < text.size(); ++at) bytes.push_back(text.substr(at, 1));
    begin(what, std::move(bytes));
  }
  send_pieces();
  net_.run_until([&] { return all_as_told(); }, 5s);
  for (const attempt& each : attempts_) expect_as_told(each);
}

INSTANTIATE_TEST_SUITE_P(part, http_cases_on_sockets, ::testing::Range(0, parts));

}  // namespace
