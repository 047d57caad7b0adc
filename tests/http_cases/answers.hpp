#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dwell::testing {

/// One response as a client reads it.
struct answer {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> fields;  ///< names in small letters
  std::string body;
  bool chunked = false;
  bool close = false;     ///< Connection: close
  bool has_body = false;  ///< some of it has come
  bool whole = false;

  /// Empty: there is none.
  std::string_view field(std::string_view name) const noexcept;
};

/// What a server has sent, read by the letter of RFC 9112 and by no code of the library's.
struct answers {
  std::vector<answer> all;
  std::string fault;  ///< what is malformed in it; empty: nothing
};

/// `ended`: the server's FIN came after it. A head that announces a body, and is followed by none,
/// is taken as the answer to HEAD.
answers read_answers(std::string_view received, bool ended);

/// For people and comparisons: "200 [OK], 404 close (why)"; see cases.hpp.
std::string to_string(const answers& what);

}  // namespace dwell::testing
