#pragma once

#include <dwell/base/bytes.hpp>
#include <dwell/closing/close_record.hpp>
#include <dwell/deadline/deadlines.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dwell::testing {

class peer_host;

/// The client's end of a connection to a server under test. By itself it reads everything, and
/// closes when it has read the server's FIN. A handle: copies name the same connection, which lives
/// as long as the simulation (or loopback) that made it. For the test's thread only.
class peer {
 public:
  // ── what the client does ──
  /// Queues bytes; they leave as its socket takes them.
  void send(bytes data);
  /// FIN after what is queued; it goes on reading.
  void shutdown_send();
  /// Closes after what is queued; with bytes unread that is a reset, as with any socket.
  void close();
  void reset();
  /// Gone without a word: nothing is answered or acknowledged any more. Simulation only; loopback
  /// throws std::logic_error, because a kernel answers for its processes.
  void vanish();
  /// What comes fills its receive buffer, and the window closes.
  void stop_reading();
  void start_reading();
  /// It keeps its end open after the server's FIN.
  void stay_at_end();
  /// It closes right after that many bytes, like a client that knows the length of its answer.
  void close_after(std::size_t bytes);

  // ── what the client has seen ──
  /// Everything so far; valid until it reads on.
  std::string_view received() const;
  /// The same, and forgets it.
  std::string take_received();
  bool got_end() const;    ///< it read the server's FIN
  bool got_reset() const;  ///< its connection failed: reset, refused, or sent to after the end

  // ── what became of the server's end ──
  /// The server has not released its descriptor: it is served, or waits to be accepted.
  bool is_open() const;
  /// From accept (loopback: connect) to the release of the server's descriptor. nullopt: not
  /// closed.
  std::optional<duration> closed_after() const;
  /// Throws std::logic_error while there is none.
  const close_record& record() const;
  /// Where TIME_WAIT is, as the network says: `here` is the server's end. Whatever the record
  /// claims.
  dwell::time_wait time_wait() const;

 private:
  friend class peer_host;
  peer(peer_host& host, std::uint32_t index) noexcept : host_{&host}, index_{index} {}
  peer_host* host_;
  std::uint32_t index_;
};

}  // namespace dwell::testing
