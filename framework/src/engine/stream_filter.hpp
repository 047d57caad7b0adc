#pragma once

#include <dwell/base/bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace dwell::inline v0 {

struct tls_facts;

/// Between the engine and a connection: turns what comes into what the handler sees, and what it
/// sends into what leaves. One per connection, on its loop.
class stream_filter {
 public:
  enum class progress : std::uint8_t {
    opening,  ///< the handshake goes on
    open,
    ended,   ///< the peer has said that it sends no more
    failed,  ///< the peer broke the protocol; failure() says how
  };
  struct received {
    progress now = progress::opening;
    std::size_t size = 0;  ///< bytes that the handler sees
  };
  /// How much more may come out of receive() than went in: what was a part before.
  static constexpr std::size_t most_held = std::size_t{18} * 1024;

  virtual ~stream_filter() = default;

  /// Takes all of `raw`. What the handler sees is put into `room`, which has space for all of `raw`
  /// and most_held; what has to be answered is appended to `out`. `now`: the loop's clock, for what
  /// expires.
  virtual received receive(bytes raw, std::span<std::byte> room, std::vector<std::byte>& out,
                           std::uint64_t now) = 0;
  /// Appends what `data` becomes to `out`. Once open.
  virtual void send(bytes data, std::vector<std::byte>& out) = 0;
  /// Appends that nothing more will be sent, once; nothing while it opens.
  virtual void end(std::vector<std::byte>& out) noexcept = 0;
  /// The peer's FIN has come.
  virtual void at_end() noexcept = 0;
  /// It has part of something, of which the rest must come.
  virtual bool holds_part() const noexcept = 0;
  /// Valid for ever.
  virtual std::string_view failure() const noexcept = 0;
  /// The failure is that it does not trust the peer.
  virtual bool distrusts() const noexcept = 0;
  /// The handshake went on from an earlier one. Once open.
  virtual bool resumed() const noexcept = 0;
  /// Null while it opens.
  virtual const tls_facts* facts() noexcept = 0;
};

/// Makes them, for all loops.
class filter_maker {
 public:
  virtual ~filter_maker() = default;
  /// For a connection of that loop, on its thread.
  virtual std::unique_ptr<stream_filter> make(std::uint32_t loop) = 0;
};

}  // namespace dwell::inline v0
