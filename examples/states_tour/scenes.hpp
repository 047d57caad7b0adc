#pragma once

#include <dwell/kernel/tcp_state.hpp>

#include "segment.hpp"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

/// What a side may be told.
enum class call : std::uint8_t { connect, shutdown_send, close, abort, abort_after_fin };

/// A call, or the arrival of a segment; and in which states RFC 9293 then has both ends.
struct step {
  side who = side::client;  ///< who is told, or where the segment arrives
  std::optional<call> does{};
  /// Of the segment that the call sends, or that arrives; empty: the call sends none.
  std::string_view flags{};
  dwell::tcp_state client{};
  dwell::tcp_state server{};
};

enum class server_kind : std::uint8_t {
  dwells,  ///< a dwell::server
  plain,   ///< a socket like the client's, which connects too
};

struct scene {
  std::string_view title;
  std::string_view lesson;
  server_kind server = server_kind::dwells;
  bool begins_established = true;
  std::vector<step> steps;

  dwell::tcp_state client_begins() const noexcept;
  dwell::tcp_state server_begins() const noexcept;
  /// After how many steps one of both ends is in that state for the last time; nullopt: it never
  /// is.
  std::optional<std::size_t> last_time(dwell::tcp_state state) const;
};

/// Every state of RFC 9293's diagram.
const std::vector<scene>& all_scenes();

/// As in a program: a client's on a socket, the server's on a dwell::connection.
std::string_view to_string(call does, side who, server_kind server) noexcept;
