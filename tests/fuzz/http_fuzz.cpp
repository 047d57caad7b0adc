// A whole HTTP server on the simulated engine: the input says what is sent to it, in which pieces,
// and what goes wrong. What is sent back is read by a reader of its own, and what came in pieces
// must have come to the same in one.
#include "fuzz/plan.hpp"
#include "http_cases/answers.hpp"
#include "http_cases/service.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <stdexcept>

namespace {

using namespace dwell::testing;
using namespace std::chrono_literals;

constexpr unsigned setups = 5;

// Bodies as they come and go, beside the routes of the cases.

dwell::task<> echo_streamed(dwell::http::exchange& with) {
  with.begin({});
  while (const dwell::bytes part = co_await with.read()) {
    if (!co_await with.write(part)) co_return;
  }
  if (!with.is_complete()) throw std::runtime_error{"the body is cut"};
}

dwell::task<dwell::http::response> count_streamed(dwell::http::exchange& with) {
  std::uint64_t size = 0;
  while (const dwell::bytes part = co_await with.read()) {
    size += part.size();
    if (size % 7 == 0) co_await dwell::sleep_for(1ms);
  }
  if (!with.is_complete())
    co_return dwell::http::response{.status = dwell::http::status::bad_request};
  co_return dwell::http::response{.body = std::to_string(size)};
}

dwell::task<dwell::http::response> answer_early(dwell::http::exchange& with) {
  co_await with.read();
  co_return dwell::http::response{.body = "enough"};
}

dwell::task<> tick(dwell::http::exchange& with) {
  with.begin({});
  for (int i = 0; i < 3; ++i) {
    if (!co_await with.write("tick ")) co_return;
    co_await dwell::sleep_for(1ms);
  }
}

dwell::task<> throw_midway(dwell::http::exchange& with) {
  with.begin({});
  co_await with.write("some");
  co_await with.read();
  throw std::runtime_error{"told to"};
}

dwell::task<> write_less(dwell::http::exchange& with) {
  with.begin({}, 10);
  co_await with.write("too few");
}

/// How much had come, or left, by then makes a difference.
constexpr std::array<std::string_view, 3> hasty{"/streamed/early", "/streamed/throws",
                                                "/streamed/echo"};

void add_streamed(dwell::http::router& routes) {
  routes.post("/streamed/echo", echo_streamed);
  routes.post("/streamed/count", count_streamed);
  routes.post("/streamed/early", answer_early);
  routes.post("/streamed/throws", throw_midway);
  routes.get("/streamed/ticks", tick).get("/streamed/less", write_less);
}

struct outcome {
  std::string answered;
  std::string fate;
  std::string seen;
};

outcome run(const plan& what) {
  const auto which = static_cast<setup>(what.variant % setups);
  seen_requests seen;
  outcome made;
  simulation network{what.network};
  int opened_and_closed = 0;
  dwell::service_options options = options_of(which);
  options.on_close = [&](const dwell::connection&, const dwell::close_record&) {
    ++opened_and_closed;
  };
  dwell::http::router routes = routes_of_cases(seen);
  add_streamed(routes);
  auto& server = network.serve(std::move(options),
                               dwell::http::serve(std::move(routes), http_options_of(which)));
  const std::vector<peer> clients = play(what, network, server);
  expect_orderly_end(network, server, clients);
  require(static_cast<std::uint64_t>(opened_and_closed) == server.counts().opened,
          "one record for each connection");
  for (const peer& each : clients) {
    const answers read = read_answers(each.received(), each.got_end());
    if (!read.fault.empty()) fail("the answers are well-formed: " + read.fault);
    const bool complete = each.got_end() && !each.got_reset();
    for (const answer& one : read.all) {
      const bool may_be_cut = !complete && &one == &read.all.back();
      require(one.whole || may_be_cut, "answers are whole, before an orderly end");
    }
    made.answered = to_string(read);
    const dwell::close_record* const record = record_of(each);
    made.fate = record == nullptr ? "not let in" : to_string(record->reason);
  }
  made.seen = seen.take();
  return made;
}

bool mentions_expect(std::string_view text) {
  constexpr std::string_view word = "expect";
  return std::search(text.begin(), text.end(), word.begin(), word.end(), [](char a, char b) {
           return std::tolower(static_cast<unsigned char>(a)) == b;
         }) != text.end();
}

/// So that neither a deadline nor 100 Continue makes a difference.
bool pieces_make_no_difference(const plan& what, std::string_view sent) {
  const bool quick = static_cast<std::int64_t>(what.pieces.size()) * what.pause < 5s &&
                     static_cast<setup>(what.variant % setups) != setup::impatient;
  const auto is_sent = [sent](std::string_view path) {
    return sent.find(path) != std::string_view::npos;
  };
  return what.is_plain() && quick && what.pieces.size() > 1 && !mentions_expect(sent) &&
         std::ranges::none_of(hasty, is_sent);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const plan what = read_plan(input);
  const outcome cut = run(what);
  const std::string_view sent = input.substr(std::min<std::size_t>(input.size(), 8));
  if (!pieces_make_no_difference(what, sent)) return 0;

  plan whole = what;
  whole.pieces = {sent};
  const outcome once = run(whole);
  if (cut.answered != once.answered || cut.fate != once.fate ||
      (!what.two_clients && cut.seen != once.seen)) {
    fail("pieces make no difference:\n  " + once.answered + " " + once.fate + "\n  in " +
         std::to_string(what.pieces.size()) + " pieces: " + cut.answered + " " + cut.fate);
  }
  return 0;
}
