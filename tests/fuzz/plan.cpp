#include "fuzz/plan.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <numeric>
#include <stdexcept>

namespace dwell::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t header_size = 8;
constexpr std::size_t most_pieces = 1'000;

faults read_faults(unsigned bits) {
  faults made;
  if (bits & 1U) made.delay = 7ms;
  if (bits & 2U) made.jitter = 11ms;
  if (bits & 4U) made.short_reads = 0.5;
  if (bits & 8U) made.short_writes = 0.5;
  if (bits & 16U) made.loss = 0.1;
  if (bits & 32U) made.resets = 0.05;
  if (bits & 64U) made.accept_failures = 0.3;
  if (bits & 128U) made.watch_failures = 0.05;
  return made;
}

void act(peer& by, plan::act what) {
  switch (what) {
    case plan::act::none: return;
    case plan::act::shutdown_send: return by.shutdown_send();
    case plan::act::close: return by.close();
    case plan::act::reset: return by.reset();
    case plan::act::vanish: return by.vanish();
    case plan::act::stop_reading:
    case plan::act::pause_reading: return by.stop_reading();
    case plan::act::stay_at_end: return by.stay_at_end();
  }
}

}  // namespace

plan read_plan(std::string_view input) {
  std::array<unsigned, header_size> header{};
  for (std::size_t i = 0; i < header.size() && i < input.size(); ++i) {
    header[i] = static_cast<unsigned char>(input[i]);
  }
  input.remove_prefix(std::min(header_size, input.size()));

  plan made;
  made.variant = static_cast<std::uint8_t>(header[0]);
  made.network = {.seed = header[1], .faults = read_faults(header[2])};
  constexpr unsigned lossy = 32U | 128U;
  made.faulty = (header[2] & lossy) != 0;

  std::array<std::size_t, 2> sizes{header[3], header[4]};
  for (std::size_t i = 0; !input.empty(); ++i) {
    std::size_t size = sizes[i % 2];
    if (size == 0 || i == most_pieces) size = input.size();
    made.pieces.push_back(input.substr(0, size));
    input.remove_prefix(made.pieces.back().size());
  }
  constexpr std::array<int, 8> pauses{0, 1, 2, 5, 20, 100, 1'000, 4'000};
  made.pause = duration{pauses[header[5] % pauses.size()]};
  made.client = static_cast<plan::act>(header[6] % 8);
  made.client_acts_after = header[6] / 8;
  made.drains = (header[7] & 1U) != 0;
  made.freezes = (header[7] & 2U) != 0;
  made.two_clients = (header[7] & 4U) != 0;
  made.server_acts_after = header[7] / 8;
  return made;
}

std::string plain_input(std::string_view sent, std::uint8_t variant) {
  std::string made(header_size, '\0');
  made[0] = static_cast<char>(variant);
  return made += sent;
}

std::vector<peer> play(const plan& what, simulation& network, dwell::server& against) {
  std::vector<peer> clients;
  clients.push_back(network.connect(against));
  if (what.two_clients) clients.push_back(network.connect(against));

  const std::size_t steps =
      std::max({what.pieces.size(), what.client_acts_after, what.server_acts_after});
  for (std::size_t step = 0; step <= steps; ++step) {
    if (step == what.client_acts_after) {
      for (peer& each : clients) act(each, what.client);
    }
    if (step == what.server_acts_after) {
      if (what.drains) against.drain();
      if (what.freezes) network.freeze(against, 2s);
    }
    if (step < what.pieces.size()) {
      for (peer& each : clients) each.send(what.pieces[step]);
    }
    network.advance(what.pause);
  }
  if (what.client == plan::act::pause_reading) {
    for (peer& each : clients) each.start_reading();
  }
  network.set_faults({});
  const auto over = [&clients] {
    return std::none_of(clients.begin(), clients.end(),
                        [](const peer& each) { return each.is_open(); });
  };
  if (!network.run_until(over, 24h)) fail("a connection is still there after a day");
  network.advance(1min);
  return clients;
}

const close_record* record_of(const peer& client) {
  try {
    return &client.record();
  } catch (const std::logic_error&) {
    return nullptr;
  }
}

void fail(const std::string& what) {
  std::cerr << "does not hold: " << what << std::endl;
  std::abort();
}

void expect_orderly_end(simulation& network, const dwell::server& of,
                        const std::vector<peer>& clients) {
  const auto counts = of.counts();
  const auto closed =
      std::accumulate(std::begin(counts.closed), std::end(counts.closed), std::uint64_t{0});
  require(counts.opened == closed, "each connection has one close reason");
  require(counts.live == 0 && counts.waiting_for_frames == 0, "nothing is left");
  for (const peer& each : clients) {
    const close_record* const record = record_of(each);
    if (record == nullptr || !each.got_end() || each.got_reset()) continue;
    require(each.received().size() == record->sent, "what was sent has arrived");
    require(record->unsent == 0, "all was sent before the end");
  }
  const std::uint64_t before = network.wakeups(of);
  network.advance(24h);
  require(network.wakeups(of) == before, "no timer is left");
}

}  // namespace dwell::testing
