// Every raw request of tests/http_cases, whole, cut in two at each byte, and byte by byte: the same
// comes of it each time.
#include "http_cases/answers.hpp"
#include "http_cases/service.hpp"
#include "scenario.hpp"

#include <algorithm>
#include <functional>
#include <string_view>
#include <vector>

namespace {

using dwell::testing::raw_case;
using dwell::testing::then;

/// What a case came to: the answers, the connection's fate, what the handlers saw.
struct outcome {
  std::string answered;
  std::string fate;
  std::string seen;
};

/// One service, and one connection after the other to it.
class bench {
 public:
  bench(const raw_case& what, std::uint64_t seed)
      : case_{what},
        sim_{{.seed = seed}},
        server_{sim_.serve(options_of(what.at),
                           dwell::http::serve(routes_of_cases(seen_), http_options_of(what.at)))} {}

  /// The case's bytes in pieces, each once the one before has been dealt with.
  outcome run(const std::vector<std::string_view>& pieces, dwell::duration pause) {
    peer client = sim_.connect(server_);
    sim_.advance(1ms);
    for (const auto piece : pieces) {
      client.send(piece);
      if (&piece != &pieces.back()) sim_.advance(pause);
    }
    if (case_.client == then::ends) client.shutdown_send();
    sim_.advance(case_.client == then::waits ? 3s : 500ms);

    outcome made;
    const auto read = dwell::testing::read_answers(client.received(), client.got_end());
    made.answered = to_string(read);
    made.seen = seen_.take();
    made.fate = client.is_open() ? "stays" : to_string(client.record().reason);
    const bool aborted = made.fate == "handler_failed";
    EXPECT_EQ(client.got_reset(), aborted) << "a reset, or none";
    EXPECT_EQ(client.got_end(), !client.is_open() && !aborted);
    const bool lingers = made.fate == "protocol_error" && case_.client != then::ends;
    EXPECT_TRUE(!lingers || client.record().lingered);
    client.reset();
    sim_.advance(1ms);
    EXPECT_EQ(server_.counts().live, 0U);
    return made;
  }

 private:
  const raw_case& case_;
  dwell::testing::seen_requests seen_;
  simulation sim_;
  dwell::server& server_;
};

class http_cases : public ::testing::TestWithParam<raw_case> {};

TEST_P(http_cases, come_to_the_same_however_they_are_cut) {
  const raw_case& what = GetParam();
  const std::string_view all = what.sent;
  bench with{what, std::hash<std::string>{}(what.name)};
  const outcome whole = with.run({all}, 0ms);
  EXPECT_EQ(whole.answered, what.answered);
  EXPECT_EQ(whole.fate, what.fate);

  const auto expect_the_same = [&](const outcome& cut) {
    EXPECT_EQ(cut.answered, cut.answered == what.or_in_pieces ? cut.answered : whole.answered);
    EXPECT_EQ(cut.fate, whole.fate);
    EXPECT_EQ(cut.seen, whole.seen);
  };
  for (std::size_t at = 1; at < all.size() && !HasFailure(); ++at) {
    SCOPED_TRACE("cut before byte " + std::to_string(at));
    expect_the_same(with.run({all.substr(0, at), all.substr(at)}, 20ms));
  }
  std::vector<std::string_view> bytes;
  for (std::size_t at = 0; at < all.size(); ++at) bytes.push_back(all.substr(at, 1));
  SCOPED_TRACE("byte by byte");
  expect_the_same(with.run(bytes, 0ms));
  expect_the_same(with.run(bytes, what.at == dwell::testing::setup::impatient ? 0ms : 1ms));
}

INSTANTIATE_TEST_SUITE_P(, http_cases, ::testing::ValuesIn(dwell::testing::raw_cases()),
                         [](const auto& of) { return of.param.name; });

TEST(http_cases_table, names_each_once) {
  std::vector<std::string> names;
  for (const auto& each : dwell::testing::raw_cases()) names.push_back(each.name);
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  EXPECT_GE(names.size(), 150U);
}

}  // namespace
