// A server of WebSockets on the simulated engine: after the opening handshake a client sends
// anything, in any pieces, and what goes wrong is the plan's. What must come back is worked out
// here, by a reader that has everything at once.
#include <dwell/http.hpp>

#include "../websocket_frames.hpp"
#include "fuzz/plan.hpp"

#include <chrono>
#include <numeric>
#include <stdexcept>

namespace {

using namespace dwell::testing;
using namespace std::chrono_literals;
namespace http = dwell::http;

constexpr std::size_t most = 300;  // bytes of a message

/// Echoes; but the first letter of a message may ask for something else.
dwell::task<> serve(http::websocket& socket) {
  while (const auto message = co_await socket.read()) {
    const char first = message.size() == 0 ? '\0' : message.text().front();
    if (first == 's') co_await dwell::sleep_for(3ms);
    if (first == 'q') co_return;
    if (first == 't') throw std::runtime_error{"told to"};
    if (message.is_text()) {
      if (!co_await socket.write_text(message.text())) co_return;
    } else {
      if (!co_await socket.write_binary(message.data())) co_return;
    }
  }
}

// ── what must come back ──

/// By the book (RFC 3629, 3).
bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto first = static_cast<std::uint8_t>(text[0]);
    const std::size_t size = first < 0x80   ? 1
                             : first < 0xC0 ? 0
                             : first < 0xE0 ? 2
                             : first < 0xF0 ? 3
                             : first < 0xF8 ? 4
                                            : 0;
    if (size == 0 || size > text.size()) return false;
    std::uint32_t point = size == 1 ? first : first & (0xFFU >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
      const auto next = static_cast<std::uint8_t>(text[i]);
      if ((next & 0xC0U) != 0x80) return false;
      point = point << 6 | (next & 0x3FU);
    }
    constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < least[size] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
      return false;
    text.remove_prefix(size);
  }
  return true;
}

/// Something can follow that makes it UTF-8: at most three bytes, and these are all the cases.
bool begins_utf8(const std::string& text, int more = 3) {
  if (is_utf8(text)) return true;
  if (more == 0) return false;
  for (const char next : {'\x80', '\x8F', '\x90', '\x9F', '\xA0', '\xBF'}) {
    if (begins_utf8(text + next, more - 1)) return true;
  }
  return false;
}

/// What a server says to `sent`, all of it; its last word too, when nothing else comes.
std::vector<server_frame> answers_to(std::string_view sent) {
  std::vector<server_frame> made;
  const auto end_with = [&made](std::uint16_t code) {
    made.push_back({8, code == 1005 ? std::string{} : close_payload(code)});
    return made;
  };
  constexpr std::uint16_t idle = 1001, slow = 1008;
  std::string message;
  int kind = 0;  // of the message under way
  while (!sent.empty()) {
    const auto byte = [&sent](std::size_t at) { return static_cast<std::uint8_t>(sent[at]); };
    if (sent.size() < 2) return end_with(slow);
    const int opcode = byte(0) & 0x0F;
    const bool fin = (byte(0) & 0x80) != 0, control = opcode >= 8;
    if ((byte(0) & 0x70) != 0 || (byte(1) & 0x80) == 0) return end_with(1002);
    if (opcode > 10 || (opcode > 2 && opcode < 8)) return end_with(1002);
    std::uint64_t length = byte(1) & 0x7F;
    if (control && (!fin || length > 125)) return end_with(1002);
    if (!control && (opcode == 0) != (kind != 0)) return end_with(1002);
    const std::size_t size = length == 127 ? 8 : length == 126 ? 2 : 0;
    if (sent.size() < 2 + size + 4) return end_with(slow);
    if (size != 0) {
      length = 0;
      for (std::size_t i = 0; i < size; ++i) length = length << 8 | byte(2 + i);
      if (length < (size == 2 ? 126U : 65536U) || length >> 63 != 0) return end_with(1002);
    }
    if (!control && message.size() + length > most) return end_with(1009);
    std::string payload{sent.substr(2 + size + 4, length)};
    for (std::size_t i = 0; i < payload.size(); ++i) {
      payload[i] =
          static_cast<char>(static_cast<std::uint8_t>(payload[i]) ^ byte(2 + size + i % 4));
    }
    const bool whole = payload.size() == length;
    if (!control) {
      if (opcode != 0) kind = opcode;
      message += payload;
      const bool ended = whole && fin;
      if (kind == 1 && !(ended ? is_utf8(message) : begins_utf8(message))) return end_with(1007);
    }
    if (!whole) return end_with(slow);
    sent.remove_prefix(2 + size + 4 + length);
    if (opcode == 9) made.push_back({10, payload});
    if (opcode == 8) {
      if (payload.empty()) return end_with(1005);
      const std::uint16_t code = server_frame{8, payload}.code();
      const bool known = (code >= 1000 && code <= 1014 && (code < 1004 || code > 1006)) ||
                         (code >= 3000 && code <= 4999);
      if (payload.size() == 1 || !known) return end_with(1002);
      return end_with(is_utf8(std::string_view{payload}.substr(2)) ? code : 1007);
    }
    if (control || !fin) continue;
    if (message.starts_with('q')) return end_with(1000);
    if (message.starts_with('t')) return end_with(1011);
    made.push_back({static_cast<std::uint8_t>(kind), message});
    message.clear();
    kind = 0;
  }
  return end_with(kind == 0 ? idle : slow);
}

/// Of failures the reason is for people.
void forget_reasons(std::vector<server_frame>& frames) {
  for (server_frame& each : frames) {
    if (each.opcode == 8 && each.payload.size() > 2) each.payload.resize(2);
  }
}

std::string shown(const std::vector<server_frame>& frames) {
  std::string made;
  for (const server_frame& each : frames) {
    made += std::to_string(each.opcode) + '(' + std::to_string(each.payload.size());
    made += each.opcode == 8 ? ": " + std::to_string(each.code()) + ") " : ") ";
  }
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const std::string_view sent = input.substr(std::min<std::size_t>(input.size(), 8));
  plan what = read_plan(input);
  const std::string opening = websocket_request("/");
  what.pieces.insert(what.pieces.begin(), opening);

  simulation network{what.network};
  http::router routes;
  http::websocket_options options{.message = most};
  if (what.variant % 2 == 1) options.ping_interval = 25s;
  routes.get("/", http::websocket_handler(serve, options));
  auto& server = network.serve({}, http::serve(std::move(routes)));
  const std::vector<peer> clients = play(what, network, server);
  expect_orderly_end(network, server, clients);

  // Neither a deadline nor the end of the run may come between the pieces.
  const bool quick = static_cast<std::int64_t>(what.pieces.size()) * what.pause < 5s;
  for (const peer& each : clients) {
    const std::string_view all = each.received();
    const auto head = all.find("\r\n\r\n");
    if (head == std::string_view::npos) continue;
    server_frames got = read_frames(all.substr(head + 4));
    if (!got.fault.empty()) fail("the frames are well-formed: " + got.fault);
    const bool complete = each.got_end() && !each.got_reset();
    require(!got.cut || !complete, "frames are whole, before an orderly end");
    if (!what.is_plain() || !quick) continue;
    std::erase_if(got.all, [](const server_frame& one) { return one.opcode == 9; });
    std::vector<server_frame> expected = answers_to(sent);
    forget_reasons(got.all);
    forget_reasons(expected);
    if (got.all != expected) {
      fail("what comes back is what it has to be:\n  " + shown(expected) + "\n  is " +
           shown(got.all));
    }
  }
  return 0;
}
