// A server behind a proxy on the simulated engine. Whom it must take its client for, and what must
// come back, is worked out here, by a reader that has everything at once.
#include <dwell/dwell.hpp>

#include "fuzz/plan.hpp"

#include <arpa/inet.h>
#include <array>
#include <chrono>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace {

using namespace dwell::testing;
using namespace std::chrono_literals;

constexpr std::size_t longest = 4096;
const std::string signature{"\r\n\r\n\0\r\nQUIT\n", 12};

/// What a header comes to: whom it names, and what follows it. Nothing: there is none that is whole
/// and good.
struct expectation {
  std::optional<std::string> client;  // nothing: the proxy itself
  std::string_view behind;
};

std::string text_of(int family, const void* address, unsigned port) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(family, address, text.data(), text.size());
  std::string literal = text.data();
  const std::string mapped = "::ffff:";
  if (literal.starts_with(mapped) && literal.find('.') != std::string::npos) {
    return literal.substr(mapped.size()) + ':' + std::to_string(port);
  }
  return (family == AF_INET ? literal : '[' + literal + ']') + ':' + std::to_string(port);
}

std::optional<unsigned> port_in(const std::string& digits) {
  if (digits.empty() || digits.size() > 5 || (digits.size() > 1 && digits[0] == '0')) return {};
  if (digits.find_first_not_of("0123456789") != std::string::npos) return {};
  const unsigned long port = std::stoul(digits);
  if (port > 65'535) return {};
  return static_cast<unsigned>(port);
}

std::optional<expectation> read_line(std::string_view sent) {
  const std::size_t end = sent.find("\r\n");
  if (end == std::string_view::npos || end + 2 > 107) return {};
  const std::string line{sent.substr(0, end)};
  const std::string_view behind = sent.substr(end + 2);
  if (line == "PROXY UNKNOWN" || line.starts_with("PROXY UNKNOWN ")) return {{{}, behind}};
  std::vector<std::string> words{""};
  for (const char each : line) {
    if (each == ' ') {
      words.emplace_back();
    } else {
      words.back() += each;
    }
  }
  if (words.size() != 6 || (words[1] != "TCP4" && words[1] != "TCP6")) return {};
  const int family = words[1] == "TCP4" ? AF_INET : AF_INET6;
  in6_addr addresses[2];
  for (std::size_t i = 0; i < 2; ++i) {
    if (words[2 + i].find('\0') != std::string::npos) return {};
    if (inet_pton(family, words[2 + i].c_str(), &addresses[i]) != 1) return {};
  }
  const auto from = port_in(words[4]);
  if (!from || !port_in(words[5])) return {};
  return {{text_of(family, &addresses[0], *from), behind}};
}

std::size_t number(std::string_view from, std::size_t at, std::size_t digits) {
  std::size_t value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    value = value * 256 + static_cast<unsigned char>(from[at + i]);
  }
  return value;
}

std::size_t crc32c(std::string_view header, std::size_t zeros_at) {
  std::uint32_t crc = 0xffff'ffff;
  for (std::size_t i = 0; i < header.size(); ++i) {
    const bool zero = i >= zeros_at && i < zeros_at + 4;
    for (int bit = 0; bit < 8; ++bit) {
      const std::uint32_t next =
          zero ? 0 : static_cast<unsigned>(static_cast<unsigned char>(header[i])) >> bit & 1U;
      crc = (crc & 1U) == next ? crc >> 1U : crc >> 1U ^ 0x82F6'3B78U;
    }
  }
  return ~crc;
}

bool good_additions(std::string_view header, std::size_t at) {
  int checksums = 0;
  while (at < header.size()) {
    if (at + 3 > header.size()) return false;
    const std::size_t value = at + 3;
    const std::size_t size = number(header, at + 1, 2);
    if (value + size > header.size()) return false;
    if (header[at] == 3) {
      if (++checksums > 1 || size != 4) return false;
      if (number(header, value, 4) != crc32c(header, value)) return false;
    }
    at = value + size;
  }
  return true;
}

std::optional<expectation> read_binary(std::string_view sent) {
  if (sent.size() < 16) return {};
  const std::size_t command = number(sent, 12, 1);
  const std::size_t family = number(sent, 13, 1) / 16;
  const std::size_t protocol = number(sent, 13, 1) % 16;
  const std::size_t size = 16 + number(sent, 14, 2);
  if ((command != 0x20 && command != 0x21) || size > longest || size > sent.size()) return {};
  const std::string_view behind = sent.substr(size);
  if (command == 0x20) return {{{}, behind}};
  if (family > 3 || protocol > 2) return {};
  if (family == 0 || protocol != 1) return {{{}, behind}};
  constexpr std::array<std::size_t, 4> addresses{0, 12, 36, 216};
  if (size < 16 + addresses[family]) return {};
  if (!good_additions(sent.substr(0, size), 16 + addresses[family])) return {};
  if (family == 3) return {{"unix:", behind}};
  if (family == 1)
    return {
        {text_of(AF_INET, sent.data() + 16, static_cast<unsigned>(number(sent, 24, 2))), behind}};
  return {
      {text_of(AF_INET6, sent.data() + 16, static_cast<unsigned>(number(sent, 48, 2))), behind}};
}

std::optional<expectation> expected_of(std::string_view sent) {
  if (sent.starts_with(signature)) return read_binary(sent);
  if (sent.starts_with("PROXY ")) return read_line(sent);
  return {};
}

dwell::task<> serve(dwell::connection& peer) {
  const bool named = peer.proxy_endpoint().has_value();
  const std::string who = (named ? to_string(peer.peer_endpoint()) : "itself") + '\n';
  if (!co_await peer.write(who)) co_return;
  while (auto data = co_await peer.read()) {
    if (!co_await peer.write(data)) co_return;
  }
}

dwell::callbacks<> calls() {
  return {.on_open =
              [](dwell::connection& peer, dwell::no_session&) {
                const bool named = peer.proxy_endpoint().has_value();
                const std::string who = (named ? to_string(peer.peer_endpoint()) : "itself") + '\n';
                peer.send(who);
                return true;
              },
          .on_data =
              [](dwell::connection& peer, dwell::no_session&, dwell::bytes data) {
                peer.send(data);
                return data.size();
              }};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const plan what = read_plan(input);
  const std::string_view sent = input.substr(std::min<std::size_t>(input.size(), 8));

  simulation network{what.network};
  auto& server =
      network.serve({.proxy_protocol = dwell::proxy_protocol_options{.from = {"10.0.0.0/8"}}},
                    what.variant % 2 == 0 ? dwell::handler{serve} : dwell::handler{calls()});
  const std::vector<peer> clients = play(what, network, server);
  expect_orderly_end(network, server, clients);
  const auto expected = expected_of(sent);
  std::string answer;
  if (expected) answer = expected->client.value_or("itself") + '\n' + std::string{expected->behind};
  for (const peer& each : clients) {
    const std::string_view received = each.received();
    require(answer.starts_with(received), "whom it names, an echo, and nothing else");
    const bool quick = static_cast<std::int64_t>(what.pieces.size()) * what.pause < 4s;
    if (!what.is_plain() || !quick) continue;
    require(received == answer, "a good header is served, and no other");
  }
  return 0;
}
