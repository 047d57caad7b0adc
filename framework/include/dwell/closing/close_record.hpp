#pragma once

#include <dwell/closing/close_plan.hpp>
#include <dwell/closing/close_reason.hpp>
#include <dwell/deadline/deadlines.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace dwell::inline v0 {

/// Who sent the first FIN or RST, as far as this end could see: two FINs that cross on the wire
/// look from here as if each end had been first.
enum class first_closer : std::uint8_t { here, peer };

/// Where the connection's TIME_WAIT is. The record is made when the descriptor is released, and a
/// direct close releases it before the peer has answered our FIN; see certainty. A peer that does
/// not do its part takes a TIME_WAIT away and never adds one, so that `here` and `both` together
/// are an upper bound: size net.ipv4.tcp_max_tw_buckets by them. One exception: FINs that cross
/// `abort_after_fin` make a TIME_WAIT on both ends (RFC 9293, CLOSING), which no option prevents.
enum class time_wait : std::uint8_t {
  here,     ///< our FIN was first. Until the peer's comes the kernel keeps FIN_WAIT_2, at the
            ///< same price and in the same table as TIME_WAIT
  there,    ///< the peer's FIN was first, and ours ended the connection
  both,     ///< the two FINs crossed (RFC 9293, CLOSING)
  nowhere,  ///< a reset ended the connection, or will
  not_applicable,  ///< not TCP: a Unix socket
};

/// What a time_wait claim rests on.
enum class certainty : std::uint8_t {
  /// The calls made, and a peer that acknowledges our FIN and then closes without sending more. One
  /// that vanishes, sends more to a connection closed directly, or holds its half open for longer
  /// than socket_options::linger2 leaves no TIME_WAIT where `here` is expected; one whose last
  /// acknowledgement is lost, or whose FIN crossed ours, may leave it on the other end or on both.
  expected,
  /// The socket's state was seen to say so: what is said to be `here` or `there` is. The peer may
  /// have one beside ours, after FINs that crossed.
  observed,
};

inline constexpr std::size_t time_wait_count = 5;

constexpr std::string_view to_string(first_closer who) noexcept {
  return who == first_closer::here ? "here" : "peer";
}
constexpr std::string_view to_string(time_wait where) noexcept {
  constexpr std::string_view names[time_wait_count] = {"here", "there", "both", "nowhere",
                                                       "not_applicable"};
  return names[static_cast<std::size_t>(where)];
}
constexpr std::string_view to_string(certainty how) noexcept {
  return how == certainty::expected ? "expected" : "observed";
}

/// What became of one connection; made once, when its descriptor is released. A plain value.
struct close_record {
  close_reason reason = close_reason::finished;
  /// The phase the connection was in when its end was decided.
  dwell::phase phase = phase::idle;
  first_closer first = first_closer::here;
  close_method planned = close_method::graceful;
  /// What was carried out; differs from `planned` where that could not be (see close_method).
  close_method done = close_method::graceful;
  /// Input was read and discarded after our FIN (nginx's lingering_close).
  bool lingered = false;
  dwell::time_wait time_wait = time_wait::not_applicable;
  dwell::certainty certainty = certainty::expected;
  /// The socket's error where one ended the connection (an errno value), otherwise 0.
  int error = 0;
  /// Bytes the handler sent that never reached the kernel.
  std::uint64_t unsent = 0;
  /// Bytes the kernel held unacknowledged (SIOCOUTQ) when we reset the connection, which loses
  /// them. nullopt: not asked, since any other close goes on delivering them.
  std::optional<std::uint32_t> unacknowledged;
  /// Bytes received that the handler never consumed, and those discarded while lingering.
  std::uint64_t unread = 0;
  /// Bytes that came after our FIN at an idle deadline, and were not answered: a request that
  /// crossed it on the wire. With abort_after_fin only those that were there at once; whatever
  /// comes later finds nobody.
  std::uint32_t reap_raced = 0;
  duration age{};
  std::uint64_t exchanges = 0;
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  /// The kernel's smoothed round-trip time; nullopt where TCP_INFO was not asked.
  std::optional<std::chrono::microseconds> rtt;
};

}  // namespace dwell::inline v0
