#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

namespace dwell::testing {

/// Which service of service.hpp a case is sent to.
enum class setup : std::uint8_t {
  plain,      ///< defaults
  tight,      ///< a head of 200 bytes, 4 fields, a target of 40 bytes, a body of 10
  once,       ///< short_lived
  twice,      ///< limits.exchanges = 2
  impatient,  ///< deadlines.read and deadlines.handle of 300 ms
};

/// What the client does after the bytes.
enum class then : std::uint8_t {
  stays,  ///< reads
  ends,   ///< half-closes, and reads
  waits,  ///< reads, until the server's deadlines have passed
};

/// Bytes in; answers, and what becomes of the connection, out.
struct raw_case {
  std::string name;
  std::string sent;
  /// "200 [OK], 404": status; "close" with Connection: close; "name: value" of each unusual field;
  /// "chunked"; "cut" when it is not whole; "[body]", "[#bytes]" of a long one, or "(why)" of an
  /// error's. A body is what the handler saw, where service.hpp says so.
  std::string answered;
  /// "stays", or the close reason.
  std::string fate = "stays";
  setup at = setup::plain;
  then client = then::stays;
  /// Allowed as well when the bytes come in pieces: 100 Continue is for those who wait.
  std::string or_in_pieces{};
};

const std::vector<raw_case>& raw_cases();

/// For GoogleTest.
inline void PrintTo(const raw_case& what, std::ostream* to) { *to << what.name; }

}  // namespace dwell::testing
