#pragma once

#include <dwell/kernel/tcp_state.hpp>

#include "tour.hpp"

#include <iosfwd>
#include <memory>
#include <optional>
#include <string>

struct telling {
  bool colours = false;
  bool unicode = false;
  bool only_ladder = false;
  /// Only what is said about this state.
  std::optional<dwell::tcp_state> only{};
};

/// The ladder, then what each observer says. `missing` is why the tracepoint says nothing.
std::unique_ptr<narrator> tell_as_text(std::ostream& out, const telling& how,
                                       const std::string& missing);
/// A line of JSON per station.
std::unique_ptr<narrator> tell_as_json(std::ostream& out, const telling& how,
                                       const std::string& missing);

/// "TIME_WAIT, 60 s left": what sock_diag says, in one line.
std::string describe(const std::optional<dwell::tcp_socket>& socket);
