#pragma once

#include <dwell/kernel/system_facts.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dwell::inline v0 {

enum class network_side : std::uint8_t { server, client };

/// What is to be carried. What is not asked is not judged, but still said.
struct workload {
  std::optional<network_side> side{};          ///< nullopt: both
  std::optional<double> rate{};                ///< short connections a second; over 0
  std::optional<std::uint64_t> connections{};  ///< open at the same time; at least 1
  std::uint16_t port = 0;                      ///< the server's; 0: not known
};

/// What a limit is counted in: connections open at the same time, or begun per second.
enum class limit_unit : std::uint8_t { at_once, per_second };

/// What happens beyond a limit.
enum class beyond_limit : std::uint8_t {
  fails,    ///< connections are refused, cut, or never begin
  degrades  ///< all are served; some wait, or a protection is lost
};

/// One limit and the figure at which it binds.
struct limit {
  network_side side = network_side::server;
  limit_unit unit = limit_unit::at_once;
  beyond_limit beyond = beyond_limit::fails;
  std::string name{};     ///< "net.core.somaxconn", "RLIMIT_NOFILE"
  std::string value{};    ///< as it is now
  double allows = 0;      ///< connections, in `unit`
  std::string because{};  ///< how `allows` follows from `value`
  std::string then{};     ///< what happens beyond it, by the name of the error or counter
  std::string fix{};
  bool binds = false;  ///< less than what was asked
};

/// A setting that is in force and does not do what it is commonly set for.
struct folk_setting {
  std::string name{};
  std::string value{};
  std::string belief{};
  std::string truth{};
};

/// A setting worth changing. Names without a dot (RLIMIT_NOFILE) are not sysctls.
struct advised_setting {
  std::string name{};
  std::string value{};
  std::string reason{};
};

struct diagnosis {
  workload asked{};
  /// First what binds first: by what is left of what was asked, else by the figure.
  std::vector<limit> limits{};
  std::vector<folk_setting> folk{};
  std::vector<advised_setting> advice{};
  /// What else is worth knowing: limits that are not in force now, assumptions.
  std::vector<std::string> notes{};
  std::vector<std::string> unreadable{};

  /// The limit of that side and unit that binds first; null when none is known.
  const limit* first(network_side side, limit_unit unit) const noexcept;
  /// Whether something binds below what was asked, and does that.
  bool binds(beyond_limit beyond) const noexcept;
};

std::string_view to_string(network_side side) noexcept;
std::string_view to_string(limit_unit unit) noexcept;
std::string_view to_string(beyond_limit beyond) noexcept;

/// What binds first under these facts. Pure: neither reads nor changes anything.
diagnosis diagnose(const system_facts& facts, const workload& asked);

/// Reads this machine's facts and diagnoses them; some milliseconds. For a program's start, before
/// run(): its own limits and descriptors count then.
diagnosis doctor(const workload& asked = {});

}  // namespace dwell::inline v0
