#pragma once

#include <dwell/testing/simulation.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dwell::testing {

/// What a fuzzer's input says: its first eight bytes how, the rest what is sent.
struct plan {
  enum class act : std::uint8_t {
    none,
    shutdown_send,
    close,
    reset,
    vanish,
    stop_reading,
    pause_reading,  // until everything is sent
    stay_at_end,
  };

  std::uint8_t variant = 0;  ///< of the service
  simulation_options network;
  bool faulty = false;  ///< bytes of the peer's may never come
  std::vector<std::string_view> pieces;
  duration pause{0};  ///< between two
  act client = act::none;
  std::size_t client_acts_after = 0;  ///< pieces
  bool drains = false;
  bool freezes = false;
  bool two_clients = false;
  std::size_t server_acts_after = 0;

  /// No bytes but these decide what comes of it.
  bool is_plain() const noexcept { return !faulty && client == act::none && !drains && !freezes; }
};

/// `pieces` are views of `input`. Bytes that are missing are zeros.
plan read_plan(std::string_view input);

/// What it takes to begin with: eight zeros and some bytes are a plan in which nothing goes wrong.
std::string plain_input(std::string_view sent, std::uint8_t variant = 0);

/// Plays it against a server, until all deadlines have passed. Returns the clients.
std::vector<peer> play(const plan& what, simulation& network, dwell::server& against);

/// Null: it was not let in.
const close_record* record_of(const peer& client);

/// Says what does not hold, and aborts.
[[noreturn]] void fail(const std::string& what);
inline void require(bool holds, const char* what) {
  if (!holds) fail(what);
}

/// One close reason each, nothing left, and nothing lost of what was sent to whom it may concern.
void expect_orderly_end(simulation& network, const dwell::server& of,
                        const std::vector<peer>& clients);

}  // namespace dwell::testing
