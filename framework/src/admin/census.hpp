#pragma once

#include <dwell/closing/close_record.hpp>
#include <dwell/deadline/deadlines.hpp>
#include <dwell/server/server.hpp>

#include "admin/loop_walk.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace dwell::inline v0 {

/// A service's open connections as the loops see them, counted by what the kernel should say.
struct service_census {
  std::array<std::uint64_t, phase_count> phases{};
  std::uint64_t established = 0;  ///< neither FIN
  std::uint64_t close_wait = 0;   ///< the peer's FIN has come, read or not; ours has not left
  std::uint64_t closing = 0;      ///< our FIN has left
  std::uint64_t lost = 0;         ///< reset, and the handler has not asked: the kernel has none
  std::uint64_t held = 0;         ///< of close_wait: the watchdog has named them

  std::uint64_t connections() const noexcept { return established + close_wait + closing + lost; }
  void add(const service_census& other) noexcept;
};

/// Counts a connection with those of its service, if that is among them. On its loop.
void count(connection& which, std::span<service_census> services) noexcept;

/// Counts the connections of all loops by service, in the order of server::services().
class census final : public loop_walk {
 public:
  census(std::size_t services, std::uint32_t loops, std::shared_ptr<std::atomic<int>> alive);

  struct result {
    std::vector<service_census> services;
    std::vector<std::uint32_t> silent_loops;
  };
  /// Once.
  result take();

 private:
  void look(connection& peer) noexcept override;

  std::size_t services_;
  std::vector<std::vector<service_census>> parts_;
};

}  // namespace dwell::inline v0
