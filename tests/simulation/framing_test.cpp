// Messages out of a stream, whatever pieces it comes in.
#include "scenario.hpp"

#include <array>
#include <vector>

namespace {

using namespace std::string_literals;
using dwell::connection;
using dwell::phase;

std::string prefixed(const std::string& message) {
  std::string made(4, '\0');
  for (std::size_t i = 0; i < 4; ++i) made[3 - i] = static_cast<char>(message.size() >> 8 * i);
  return made + message;
}

/// Answers each message with itself in brackets.
template <class Codec>
auto bracketing(Codec how) {
  return [how](connection& peer) -> dwell::task<> {
    dwell::framed messages{peer, how};
    while (auto message = co_await messages.read()) {
      const std::string answer = '[' + std::string{message.text()} + ']';
      co_await messages.write(answer);
    }
  };
}

/// Sends `input` in the pieces that the cuts make, a millisecond apart; what came back.
std::string answers(const dwell::handler& what, const std::string& input,
                    const std::vector<std::size_t>& cuts) {
  simulation sim{{.seed = 1}};
  auto& server = sim.serve({}, what);
  auto peer = sim.connect(server);
  std::size_t from = 0;
  for (const std::size_t cut : cuts) {
    peer.send(std::string_view{input}.substr(from, cut - from));
    sim.advance(1ms);
    from = cut;
  }
  peer.send(std::string_view{input}.substr(from));
  sim.advance(1ms);
  EXPECT_TRUE(peer.is_open());
  return peer.take_received();
}

void expect_same_in_all_pieces(const dwell::handler& what, const std::string& input,
                               const std::string& expected) {
  for (std::size_t first = 0; first <= input.size(); ++first) {
    for (std::size_t second = first; second <= input.size(); ++second) {
      ASSERT_EQ(answers(what, input, {first, second}), expected) << first << ", " << second;
    }
  }
  std::vector<std::size_t> everywhere(input.size());
  for (std::size_t i = 0; i < input.size(); ++i) everywhere[i] = i;
  EXPECT_EQ(answers(what, input, everywhere), expected);
}

TEST(framed, gives_the_same_messages_however_they_are_split) {
  expect_same_in_all_pieces(bracketing(dwell::length_prefixed{}),
                            prefixed("one") + prefixed("") + prefixed("three") + prefixed("4") +
                                prefixed("fifth one") + "\0"s,
                            prefixed("[one]") + prefixed("[]") + prefixed("[three]") +
                                prefixed("[4]") + prefixed("[fifth one]"));
  expect_same_in_all_pieces(bracketing(dwell::delimited{"\r\n"}),
                            "one\r\n\r\nth\nr\ree\r\n4\r\nfifth one\r\nsix",
                            "[one]\r\n[]\r\n[th\nr\ree]\r\n[4]\r\n[fifth one]\r\n");
}

TEST(framed, answers_thousands_of_pipelined_messages_in_order) {
  with_seeds(
      [](std::uint64_t seed) {
        simulation sim{
            {.seed = seed, .faults = {.delay = 3ms, .short_reads = .3, .short_writes = .3}}};
        auto& server = sim.serve({}, bracketing(dwell::length_prefixed{}));
        auto peer = sim.connect(server);
        std::string input;
        std::string expected;
        for (int i = 0; i < 3'000; ++i) {
          const std::string message =
              std::to_string(i) + std::string(static_cast<std::size_t>(i % 97), '.');
          input += prefixed(message);
          expected += prefixed('[' + message + ']');
        }
        peer.send(input);
        sim.advance(20s);
        EXPECT_EQ(peer.received(), expected);
        EXPECT_TRUE(peer.is_open());
      },
      4);
}

/// Finds what length_prefixed finds, and counts what it was shown and had not been shown before.
struct counting {
  std::size_t* work;
  std::optional<dwell::frame> find(dwell::bytes input, std::size_t seen) const {
    *work += input.size() - seen;
    return dwell::length_prefixed<>::find(input, seen);
  }
  static bool send(connection& peer, dwell::bytes message) {
    return dwell::length_prefixed<>::send(peer, message);
  }
};

TEST(framed, shows_a_codec_each_byte_once_when_they_come_one_by_one) {
  std::size_t work = 0;
  simulation sim{{.seed = 1}};
  auto& server = sim.serve({.deadlines = {.read = dwell::off}}, bracketing(counting{&work}));
  auto peer = sim.connect(server);
  const std::string input = prefixed(pattern(2'000)) + prefixed(pattern(3'000));
  for (const char c : input) {
    peer.send(std::string_view{&c, 1});
    sim.advance(1ms);
  }
  EXPECT_EQ(peer.received().size(), input.size() + 4);
  EXPECT_EQ(work, input.size());
}

TEST(framed, keeps_a_message_while_its_handler_waits) {
  simulation sim{{.seed = 1}};
  auto& server = sim.serve({}, [](connection& peer) -> dwell::task<> {
    dwell::framed messages{peer, dwell::delimited{}};
    while (auto message = co_await messages.read()) {
      co_await dwell::sleep_for(10ms);
      co_await messages.write(message);
    }
  });
  auto one = sim.connect(server), other = sim.connect(server);
  one.send("from one\nand more\nand a h");
  other.send("from the other\n");
  sim.advance(5ms);
  one.send("alf\n");
  sim.advance(1s);
  EXPECT_EQ(one.received(), "from one\nand more\nand a half\n");
  EXPECT_EQ(other.received(), "from the other\n");
}

TEST(framed, is_idle_until_a_message_begins_and_then_has_the_read_deadline) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server =
        sim.serve({.deadlines = {.idle = 60s, .read = 10s}}, bracketing(dwell::delimited{}));
    auto quiet = sim.connect(server), slow = sim.connect(server);
    sim.advance(20s);
    slow.send("whole\nh");  // the first byte of a message comes with the end of another
    sim.advance(9'999ms);
    slow.send("alf");
    EXPECT_TRUE(slow.is_open());
    sim.advance(1min);
    EXPECT_EQ(slow.closed_after(), 30s);
    EXPECT_EQ(slow.record().reason, close_reason::read_timeout);
    EXPECT_EQ(slow.record().phase, phase::read);
    EXPECT_EQ(slow.record().exchanges, 1U);
    EXPECT_EQ(slow.received(), "[whole]\n");
    EXPECT_EQ(quiet.closed_after(), 60s);
    EXPECT_EQ(quiet.record().reason, close_reason::idle_timeout);
  });
}

TEST(framed, gives_each_pipelined_message_a_read_deadline_of_its_own) {
  simulation sim{{.seed = 2}};
  auto& server = sim.serve({.deadlines = {.read = 10s}}, bracketing(dwell::delimited{}));
  auto peer = sim.connect(server);
  for (int i = 0; i < 10; ++i) {  // never a moment without half a message
    peer.send("a");
    sim.advance(6s);
    peer.send("b\nc");
  }
  sim.advance(9s);
  EXPECT_TRUE(peer.is_open());
  sim.advance(1s);
  EXPECT_EQ(peer.closed_after(), 70s);
}

TEST(framed, has_the_handle_deadline_while_an_answer_is_owed) {
  simulation sim{{.seed = 3}};
  auto& server =
      sim.serve({.deadlines = {.idle = 1s, .handle = 30s}}, [](connection& peer) -> dwell::task<> {
        dwell::framed messages{peer, dwell::delimited{}};
        while (auto message = co_await messages.read()) {
          co_await dwell::sleep_for(20s);
          co_await messages.write(message);
          if (message.empty()) co_await dwell::sleep_for(1min);
        }
      });
  auto patient = sim.connect(server), unlucky = sim.connect(server);
  patient.send("work\n");
  unlucky.send("\n");
  sim.advance(2min);
  EXPECT_EQ(patient.record().reason, close_reason::idle_timeout);
  EXPECT_EQ(patient.closed_after(), 21s);
  EXPECT_EQ(unlucky.record().reason, close_reason::handle_timeout);
  EXPECT_EQ(unlucky.closed_after(), 30s);
}

TEST(framed, refuses_a_message_above_the_limit_as_soon_as_that_shows) {
  simulation sim{{.seed = 4}};
  const dwell::service_options small{.limits = {.message = 100}};
  auto& lengths = sim.serve(small, bracketing(dwell::length_prefixed{}));
  auto& lines = sim.serve(small, bracketing(dwell::delimited{}));
  auto fits = sim.connect(lengths), announced = sim.connect(lengths), huge = sim.connect(lengths);
  auto line = sim.connect(lines), endless = sim.connect(lines);
  fits.send(prefixed(pattern(96)));
  announced.send(prefixed("ok") + "\0\0\0\x61"s);
  huge.send("\xff\xff\xff\xff");
  line.send(pattern(99) + "\n");
  endless.send(pattern(100));
  sim.advance(1s);
  EXPECT_TRUE(fits.is_open());
  EXPECT_TRUE(line.is_open());
  for (const auto& peer : {announced, huge, endless}) {
    ASSERT_FALSE(peer.is_open());
    EXPECT_EQ(peer.record().reason, close_reason::protocol_error);
    EXPECT_TRUE(peer.got_end());
  }
  EXPECT_EQ(announced.received(), prefixed("[ok]"));
}

TEST(framed, ends_on_what_its_codec_calls_no_message) {
  struct picky {
    static std::optional<dwell::frame> find(dwell::bytes input, std::size_t) {
      if (input.text()[0] == '!') return std::nullopt;
      return dwell::frame{.size = 2, .begin = 1, .length = 1};
    }
    static bool send(connection& peer, dwell::bytes message) { return peer.send(message); }
  };
  simulation sim{{.seed = 5}};
  auto& server = sim.serve({}, bracketing(picky{}));
  auto peer = sim.connect(server);
  peer.send("-a-b!c");
  sim.advance(1s);
  EXPECT_EQ(peer.received(), "[a][b]");
  EXPECT_EQ(peer.record().reason, close_reason::protocol_error);
}

TEST(framed, does_not_send_what_cannot_be_framed) {
  simulation sim{{.seed = 6}};
  auto& server = sim.serve({}, bracketing(dwell::length_prefixed<std::uint8_t>{}));
  auto peer = sim.connect(server);
  peer.send("\xff" + pattern(255));
  sim.advance(1s);
  EXPECT_EQ(peer.received(), "");
  EXPECT_EQ(peer.record().reason, close_reason::handler_failed);
}

TEST(framed, answers_what_came_before_the_end_of_input_and_leaves_half_a_message) {
  simulation sim{{.seed = 7}};
  auto& server = sim.serve({}, bracketing(dwell::delimited{}));
  auto peer = sim.connect(server);
  peer.send("one\ntwo\nthr");
  peer.shutdown_send();
  sim.advance(1s);
  EXPECT_EQ(peer.received(), "[one]\n[two]\n");
  EXPECT_EQ(peer.record().reason, close_reason::peer_closed);
}

TEST(framed, is_one_exchange_in_short_mode) {
  simulation sim{{.seed = 8}};
  auto& server =
      sim.serve({.mode = dwell::connection_mode::short_lived}, bracketing(dwell::delimited{}));
  auto peer = sim.connect(server);
  peer.send("one\ntwo\n");
  sim.advance(1s);
  EXPECT_EQ(peer.received(), "[one]\n");
  EXPECT_EQ(peer.record().reason, close_reason::finished);
  EXPECT_EQ(peer.record().exchanges, 1U);
}

}  // namespace
