#pragma once

#include <dwell/base/bytes.hpp>
#include <dwell/connection/connection.hpp>

#include <concepts>
#include <cstddef>
#include <optional>

namespace dwell::inline v0 {

/// Where the message at the start of some input lies.
struct frame {
  /// Bytes of the message with its framing, at least 1. More than the input has: the message is not
  /// whole, and at least so many are needed.
  std::size_t size = 0;
  /// Where in those bytes what the user gets begins, and how long it is. Looked at only when the
  /// message is whole.
  std::size_t begin = 0;
  std::size_t length = 0;
};

/// How a protocol marks where its messages begin and end; what dwell::framed is told. A value that
/// each connection has a copy of; state in it is that connection's. dwell::length_prefixed and
/// dwell::delimited are two; one of your own needs two functions, called on the connection's loop:
///
///     struct fixed_size {  // messages of 16 bytes
///       std::optional<dwell::frame> find(dwell::bytes, std::size_t) {
///         return dwell::frame{.size = 16, .begin = 0, .length = 16};
///       }
///       bool send(dwell::connection& peer, dwell::bytes message) {
///         if (message.size() != 16) return false;
///         peer.send(message);
///         return true;
///       }
///     };
///
/// find() looks for the message at the start of `input`, which is not empty. The first `seen` bytes
/// are those it was shown the last time, when that message was not whole: whoever does not look at
/// them again takes linear time however small the pieces are in which a message comes. nullopt:
/// this is no message, and the connection ends as `protocol_error`.
///
/// send() sends `message` with its framing. What a handler sends before it suspends leaves in one
/// system call, so pieces may be sent as they are. False, with nothing sent, when the message
/// cannot be framed.
template <class Codec>
concept codec = std::movable<Codec> &&
    requires(Codec& how, connection& peer, bytes input, std::size_t seen) {
  { how.find(input, seen) } -> std::same_as<std::optional<frame>>;
  { how.send(peer, input) } -> std::same_as<bool>;
};

}  // namespace dwell::inline v0
