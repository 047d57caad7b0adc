#include "http/websocket_decoder.hpp"

#include "../../websocket_frames.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace dwell::http {
namespace {

using namespace dwell::testing;
using kind = websocket_event::kind;

constexpr std::size_t limit = 65536;

std::string name_of(kind what) {
  switch (what) {
    case kind::none: return "none";
    case kind::text: return "text";
    case kind::binary: return "binary";
    case kind::ping: return "ping";
    case kind::pong: return "pong";
    case kind::close: return "close";
    case kind::failure: return "failure";
  }
  return "?";
}

std::string shown(std::string_view payload) {
  if (payload.size() <= 40) return std::string{payload};
  return std::to_string(payload.size()) + " bytes, " +
         std::to_string(std::hash<std::string_view>{}(payload));
}

std::string shown(const websocket_event& what) {
  std::string made = name_of(what.what);
  if (what.code != 0) made += ' ' + std::to_string(what.code);
  if (what.what == kind::failure) return made;
  return made + '(' + shown(what.payload.text()) + ')';
}

/// The events of `pieces`, each in memory of its own that is gone when the next one comes.
std::vector<std::string> events_of(websocket_decoder& decoder,
                                   const std::vector<std::string>& pieces) {
  std::vector<std::string> made;
  for (const std::string& piece : pieces) {
    std::vector<std::byte> memory(piece.size());
    std::memcpy(memory.data(), piece.data(), piece.size());
    std::span<std::byte> input{memory};
    while (true) {
      const websocket_event found = decoder.decode(input);
      if (found.what == kind::none) break;
      made.push_back(shown(found));
    }
    EXPECT_TRUE(input.empty());
  }
  return made;
}

std::vector<std::string> events_of(const std::vector<std::string>& pieces) {
  websocket_decoder decoder{limit};
  return events_of(decoder, pieces);
}

std::string repeated(std::string_view what, std::size_t times) {
  std::string made;
  for (std::size_t i = 0; i < times; ++i) made += what;
  return made;
}

std::string fragment(std::uint8_t opcode, std::string payload, bool fin = false) {
  return encode({.opcode = opcode, .payload = std::move(payload), .fin = fin});
}

struct autobahn_case {
  std::string name;
  std::string sent;
  std::vector<std::string> events;
};

std::string big(char filling, std::size_t size) { return std::string(size, filling); }

/// The cases of the Autobahn test suite (crossbar.io/autobahn), by its numbers: what a server makes
/// of each.
std::vector<autobahn_case> autobahn_cases() {
  std::vector<autobahn_case> all;
  const auto add = [&all](std::string name, std::string sent, std::vector<std::string> events) {
    all.push_back({std::move(name), std::move(sent), std::move(events)});
  };
  const auto fails = [](int code) { return "failure " + std::to_string(code); };

  // 1: framing
  int number = 0;
  for (const std::size_t size : {0U, 125U, 126U, 127U, 128U, 65535U, 65536U}) {
    const std::string suffix = std::to_string(++number);
    const std::string stars = big('*', size), bytes = big('\xFE', size);
    add("1.1." + suffix, text_frame(stars), {"text(" + shown(stars) + ')'});
    add("1.2." + suffix, binary_frame(bytes), {"binary(" + shown(bytes) + ')'});
  }
  // 2: pings and pongs
  add("2.1", ping_frame(), {"ping()"});
  add("2.2", ping_frame("Hello, world!"), {"ping(Hello, world!)"});
  add("2.3", ping_frame({"\x00\xFF\xFE\xFD\xFC\xFB\x00\xFF", 8}),
      {"ping(" + std::string{"\x00\xFF\xFE\xFD\xFC\xFB\x00\xFF", 8} + ")"});
  add("2.4", ping_frame(big('\xFE', 125)), {"ping(" + shown(big('\xFE', 125)) + ')'});
  add("2.5", encode({.opcode = 9, .payload = big('\xFE', 126)}), {fails(1002)});
  add("2.7", pong_frame(), {"pong()"});
  add("2.8", pong_frame("unsolicited"), {"pong(unsolicited)"});
  add("2.9", pong_frame("unsolicited") + ping_frame("ours"), {"pong(unsolicited)", "ping(ours)"});
  add("2.10", repeated(ping_frame("payload"), 10), std::vector<std::string>(10, "ping(payload)"));
  // 3: reserved bits
  for (std::uint8_t rsv = 1; rsv <= 7; ++rsv) {
    add("3." + std::to_string(rsv),
        text_frame("small") + encode({.opcode = 1, .payload = "Hello", .rsv = rsv}),
        {"text(small)", fails(1002)});
  }
  add("3.5 of control", encode({.opcode = 9, .payload = "x", .rsv = 5}), {fails(1002)});
  // 4: reserved opcodes
  for (const std::uint8_t opcode :
       std::initializer_list<std::uint8_t>{3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
    add("4 opcode " + std::to_string(opcode), encode({.opcode = opcode, .payload = "reserved"}),
        {fails(1002)});
    add("4 opcode " + std::to_string(opcode) + " without payload",
        text_frame("Hello") + encode({.opcode = opcode}) + ping_frame(),
        {"text(Hello)", fails(1002)});
  }
  // 5: fragmentation
  add("5.1", fragment(9, "frag") + fragment(0, "ment", true), {fails(1002)});
  add("5.2", fragment(10, "frag") + fragment(0, "ment", true), {fails(1002)});
  add("5.3", fragment(1, "frag") + fragment(0, "ment", true), {"text(fragment)"});
  add("5.6", fragment(1, "frag") + ping_frame("ping") + fragment(0, "ment", true),
      {"ping(ping)", "text(fragment)"});
  add("5.9", fragment(0, "non-continuation", true) + text_frame("Hello"), {fails(1002)});
  add("5.12", fragment(0, "non-continuation") + text_frame("Hello"), {fails(1002)});
  add("5.15",
      fragment(1, "frag") + fragment(0, "ment", true) + fragment(0, "again") + text_frame("x"),
      {"text(fragment)", fails(1002)});
  add("5.16", repeated(fragment(0, "frag") + fragment(1, "ment", true), 2), {fails(1002)});
  add("5.18", fragment(1, "frag") + fragment(1, "ment", true), {fails(1002)});
  add("5.19",
      fragment(1, "fragment1") + fragment(0, "fragment2") + ping_frame("pongme 1!") +
          fragment(0, "fragment3") + fragment(0, "fragment4") + ping_frame("pongme 2!") +
          fragment(0, "fragment5", true),
      {"ping(pongme 1!)", "ping(pongme 2!)",
       "text(" + shown("fragment1fragment2fragment3fragment4fragment5") + ')'});
  // 6: UTF-8
  add("6.1.1", text_frame(""), {"text()"});
  add("6.1.2", fragment(1, "") + fragment(0, "") + fragment(0, "", true), {"text()"});
  add("6.1.3", fragment(1, "") + fragment(0, "middle frame payload") + fragment(0, "", true),
      {"text(middle frame payload)"});
  const std::string greek =
      "Hello-\xC2\xB5@\xC3\x9F\xC3\xB6\xC3\xA4\xC3\xBC\xC3\xA0\xC3\xA1-UTF-8!!";
  add("6.2.1", text_frame(greek), {"text(" + greek + ')'});
  add("6.2.2", fragment(1, greek.substr(0, 13)) + fragment(0, greek.substr(13), true),
      {"text(" + greek + ')'});
  std::string bytewise;
  for (std::size_t i = 0; i < greek.size(); ++i) {
    bytewise += fragment(i == 0 ? 1 : 0, greek.substr(i, 1), i + 1 == greek.size());
  }
  add("6.2.3", bytewise, {"text(" + greek + ')'});
  const std::string kosme = "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5";
  const std::string surrogate =
      "\xED\xA0\x80"
      "edited";
  add("6.3.1", text_frame(kosme + surrogate), {fails(1007)});
  // Fails fast: what makes it wrong has come, and the end of its frame, or message, has not.
  add("6.4.1", fragment(1, kosme + "\xF4\x90\x80\x80"), {fails(1007)});
  add("6.4.3",
      text_frame(kosme + "\xF4\x90\x80\x80"
                         "edited")
          .substr(0, 6 + 11 + 2),
      {fails(1007)});
  add("6.4.4 the byte before", text_frame(kosme + "\xF4\x8F").substr(0, 6 + 11 + 1), {});
  add("6.5 ends within a character", text_frame("\xCE\xBA\xE1\xBD"), {fails(1007)});
  add("6.6 ends within a fragment's character", fragment(1, "\xE1\xBD") + fragment(0, "", true),
      {fails(1007)});
  add("binary may be anything", binary_frame("\xFF\xFE"), {"binary(\xFF\xFE)"});
  // 7: closing
  add("7.1.1", text_frame("Hello World!") + close_frame(), {"text(Hello World!)", "close 1000()"});
  add("7.1.2", close_frame() + close_frame(), {"close 1000()"});
  add("7.1.3", close_frame() + ping_frame(), {"close 1000()"});
  add("7.1.4", close_frame() + text_frame("x"), {"close 1000()"});
  add("7.1.5", fragment(1, "fragment1") + close_frame() + fragment(0, "fragment2", true),
      {"close 1000()"});
  add("7.3.1", encode({.opcode = 8}), {"close 1005()"});
  add("7.3.2", encode({.opcode = 8, .payload = "a"}), {fails(1002)});
  add("7.3.3", close_frame(1000), {"close 1000()"});
  add("7.3.4", close_frame(1000, "Hello World!"), {"close 1000(Hello World!)"});
  add("7.3.5", close_frame(1000, big('*', 123)), {"close 1000(" + shown(big('*', 123)) + ')'});
  add("7.3.6", close_frame(1000, big('*', 124)), {fails(1002)});
  add("7.5.1", close_frame(1000, kosme + surrogate), {fails(1007)});
  for (const int code : {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
                         3000, 3999, 4000, 4999}) {
    add("7.7 code " + std::to_string(code), close_frame(static_cast<std::uint16_t>(code)),
        {"close " + std::to_string(code) + "()"});
  }
  for (const int code : {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535}) {
    add("7.9 code " + std::to_string(code), close_frame(static_cast<std::uint16_t>(code)),
        {fails(1002)});
  }
  // Beyond the suite: what a client must not send, and limits.
  add("unmasked", encode({.payload = "x", .masked = false}), {fails(1002)});
  add("length in two bytes for nothing", encode({.payload = "x", .length_bytes = 2}),
      {fails(1002)});
  add("length in eight bytes for nothing", encode({.payload = big('x', 300), .length_bytes = 8}),
      {fails(1002)});
  add("length with its first bit", encode({.length_bytes = 8, .announced = 1ULL << 63}),
      {fails(1002)});
  add("announces more than the limit", encode({.length_bytes = 8, .announced = limit + 1}),
      {fails(1009)});
  add("announces all that fits into 63 bits", encode({.length_bytes = 8, .announced = ~0ULL >> 1}),
      {fails(1009)});
  add("fragments beyond the limit",
      fragment(2, big('x', 65535)) + fragment(0, "y") + fragment(0, "z"), {fails(1009)});
  return all;
}

TEST(websocket_decoder, makes_of_the_autobahn_cases_what_they_ask_for) {
  for (const auto& [name, sent, events] : autobahn_cases()) {
    SCOPED_TRACE(name);
    EXPECT_EQ(events_of({sent}), events);
    std::vector<std::string> bytewise;
    for (const char c : sent) bytewise.emplace_back(1, c);
    EXPECT_EQ(events_of(bytewise), events);
    const std::size_t step = sent.size() > 2000 ? 977 : 1;
    for (std::size_t at = 1; at < sent.size(); at += step) {
      ASSERT_EQ(events_of({sent.substr(0, at), sent.substr(at)}), events) << "split at " << at;
    }
  }
}

/// Messages at random, in fragments at random, with control frames between.
TEST(websocket_decoder, gives_back_what_was_sent_in_any_pieces) {
  std::mt19937 random{42};
  const auto up_to = [&random](std::size_t most) {
    return std::uniform_int_distribution<std::size_t>{0, most}(random);
  };
  for (int round = 0; round < 300; ++round) {
    std::string sent;
    std::vector<std::string> expected;
    for (std::size_t messages = 1 + up_to(4); messages > 0; --messages) {
      const bool text = up_to(1) == 0;
      std::string payload(up_to(up_to(3) == 0 ? 70000 : 300), ' ');
      payload.resize(std::min(payload.size(), limit));
      for (char& c : payload) c = static_cast<char>(up_to(text ? 127 : 255));
      for (std::size_t done = 0, fragments = 0;; ++fragments) {
        const std::size_t part =
            up_to(2) == 0 ? payload.size() - done : up_to(payload.size() - done);
        const bool last = done + part == payload.size() && up_to(1) == 0;
        client_frame frame{.opcode = static_cast<std::uint8_t>(fragments != 0 ? 0
                                                               : text         ? 1
                                                                              : 2),
                           .payload = payload.substr(done, part),
                           .fin = last};
        for (auto& byte : frame.mask) byte = static_cast<std::uint8_t>(up_to(255));
        sent += encode(frame);
        done += part;
        if (last) break;
        if (up_to(2) == 0) {
          const std::string ping(up_to(125), 'p');
          sent += ping_frame(ping);
          expected.push_back("ping(" + shown(ping) + ')');
        }
      }
      expected.push_back((text ? "text(" : "binary(") + shown(payload) + ')');
    }
    std::vector<std::string> pieces;
    for (std::size_t at = 0; at < sent.size();) {
      const std::size_t size = 1 + up_to(up_to(1) == 0 ? 20 : 9000);
      pieces.push_back(sent.substr(at, size));
      at += size;
    }
    ASSERT_EQ(events_of(pieces), expected) << "round " << round;
  }
}

TEST(websocket_decoder, hands_out_a_whole_frame_where_it_lies) {
  for (const std::size_t size : {0U, 5U, 125U, 126U, 4000U}) {
    std::string sent = text_frame(std::string(size, 'x')) + text_frame("next");
    std::span<std::byte> input{reinterpret_cast<std::byte*>(sent.data()), sent.size()};
    websocket_decoder decoder{limit};
    const websocket_event found = decoder.decode(input);
    ASSERT_EQ(found.payload.size(), size);
    if (size != 0) {
      EXPECT_GE(found.payload.text().data(), sent.data());
      EXPECT_LT(found.payload.text().data(), sent.data() + sent.size());
    }
    EXPECT_EQ(decoder.decode(input).payload.text(), "next");
  }
}

TEST(websocket_decoder, knows_when_nothing_has_begun) {
  const std::string sent =
      fragment(1, "ab") + ping_frame("p") + fragment(0, "c", true) + ping_frame("q");
  const std::size_t message = sent.size() - ping_frame("q").size();
  websocket_decoder decoder{limit};
  for (std::size_t i = 0; i < sent.size(); ++i) {
    EXPECT_EQ(decoder.at_rest(), i == 0 || i == message) << i;
    events_of(decoder, {sent.substr(i, 1)});
  }
  EXPECT_TRUE(decoder.at_rest());
}

}  // namespace
}  // namespace dwell::http
