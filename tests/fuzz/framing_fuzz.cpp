// A whole server of framed messages on the simulated engine, which sends each back. What must come
// back is worked out here, byte by byte.
#include <dwell/dwell.hpp>

#include "fuzz/plan.hpp"

#include <bit>
#include <chrono>
#include <stdexcept>

namespace {

using namespace dwell::testing;
using namespace std::chrono_literals;

constexpr std::size_t most = 300;  // bytes of a message with its framing
const std::string delimiter = "\r\n";

enum class how : std::uint8_t { lengths_big, lengths_little, lengths_of_32_bits, lines };
constexpr unsigned ways = 4;

/// Echoes; but the first letter of a message may ask for something else.
template <class Codec>
dwell::task<> serve(dwell::connection& peer, Codec codec) {
  dwell::framed messages{peer, std::move(codec)};
  while (const dwell::bytes message = co_await messages.read()) {
    const char first = message.empty() ? '\0' : message.text().front();
    if (first == 's') co_await dwell::sleep_for(3ms);
    if (first == 'q') co_return;
    if (first == 't') throw std::runtime_error{"told to"};
    if (!co_await messages.write(message)) co_return;
  }
}

dwell::handler handler_for(how which) {
  using dwell::connection;
  switch (which) {
    case how::lengths_big:
      return [](connection& peer) { return serve(peer, dwell::length_prefixed<std::uint16_t>{}); };
    case how::lengths_little:
      return [](connection& peer) {
        return serve(peer, dwell::length_prefixed<std::uint16_t, std::endian::little>{});
      };
    case how::lengths_of_32_bits:
      return [](connection& peer) { return serve(peer, dwell::length_prefixed{}); };
    case how::lines: break;
  }
  return [](connection& peer) { return serve(peer, dwell::delimited{delimiter}); };
}

/// The message at the start of `text`, with its framing; empty: there is none that is whole, or it
/// is too large.
std::string_view first_message(std::string_view text, how which, std::size_t& prefix) {
  if (which == how::lines) {
    prefix = 0;
    const auto end = text.find(delimiter);
    const bool whole = end != std::string_view::npos && end + delimiter.size() <= most;
    return whole ? text.substr(0, end + delimiter.size()) : std::string_view{};
  }
  prefix = which == how::lengths_of_32_bits ? 4 : 2;
  if (text.size() < prefix) return {};
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < prefix; ++i) {
    const auto byte =
        static_cast<unsigned char>(text[which == how::lengths_little ? prefix - 1 - i : i]);
    length = length * 256 + byte;
  }
  if (length + prefix > most || length + prefix > text.size()) return {};
  return text.substr(0, prefix + length);
}

struct expectation {
  std::string echoed;
  bool throws = false;
};

expectation expected_of(std::string_view sent, how which) {
  expectation made;
  std::size_t prefix = 0;
  for (auto message = first_message(sent, which, prefix); !message.empty();
       message = first_message(sent, which, prefix)) {
    const auto inner = message.substr(
        prefix, which == how::lines ? message.size() - delimiter.size() : std::string_view::npos);
    const char first = inner.empty() ? '\0' : inner.front();
    made.throws = first == 't';
    if (first == 'q' || first == 't') break;
    made.echoed += message;
    sent.remove_prefix(message.size());
  }
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const plan what = read_plan(input);
  const how which = static_cast<how>(what.variant % ways);
  const std::string_view sent = input.substr(std::min<std::size_t>(input.size(), 8));

  simulation network{what.network};
  auto& server = network.serve({.limits = {.message = most}}, handler_for(which));
  const std::vector<peer> clients = play(what, network, server);
  expect_orderly_end(network, server, clients);
  const expectation expected = expected_of(sent, which);
  for (const peer& each : clients) {
    const std::string_view received = each.received();
    require(std::string_view{expected.echoed}.starts_with(received), "an echo, and nothing else");
    const bool quick = static_cast<std::int64_t>(what.pieces.size()) * what.pause < 5s;
    if (!what.is_plain() || expected.throws || !quick) continue;
    require(received == expected.echoed, "each message comes back");
  }
  return 0;
}
