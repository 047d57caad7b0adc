#pragma once

#include <dwell/testing/peer.hpp>

namespace dwell::testing {

/// What peers stand on. Each call is for the peer of that number.
class peer_host {
 public:
  virtual void send(std::uint32_t which, bytes data) = 0;
  virtual void shutdown_send(std::uint32_t which) = 0;
  virtual void close(std::uint32_t which) = 0;
  virtual void reset(std::uint32_t which) = 0;
  virtual void vanish(std::uint32_t which) = 0;
  virtual void read(std::uint32_t which, bool on) = 0;
  virtual void stay_at_end(std::uint32_t which) = 0;
  virtual void close_after(std::uint32_t which, std::size_t bytes) = 0;
  virtual std::string_view received(std::uint32_t which) const = 0;
  virtual std::string take_received(std::uint32_t which) = 0;
  virtual bool got_end(std::uint32_t which) const = 0;
  virtual bool got_reset(std::uint32_t which) const = 0;
  virtual bool is_open(std::uint32_t which) const = 0;
  virtual std::optional<duration> closed_after(std::uint32_t which) const = 0;
  /// Null: none yet.
  virtual const close_record* record(std::uint32_t which) const = 0;
  virtual dwell::time_wait time_wait(std::uint32_t which) const = 0;

 protected:
  ~peer_host() = default;
  peer make_peer(std::uint32_t index) noexcept { return {*this, index}; }
};

}  // namespace dwell::testing
