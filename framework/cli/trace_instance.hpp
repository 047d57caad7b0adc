#pragma once

#include <dwell/kernel/tcp_state.hpp>
#include <dwell/net/endpoint.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// A socket went from one state to another.
struct transition {
  double time = 0;  ///< seconds, of the trace's clock
  dwell::endpoint local;
  dwell::endpoint remote;  ///< port 0 while there is none
  dwell::tcp_state from = dwell::tcp_state::closed;
  dwell::tcp_state to = dwell::tcp_state::closed;
  /// Of TIME_WAIT, where the kernel was asked.
  std::optional<std::chrono::milliseconds> remaining;
};

/// Reads a line of trace_pipe. nullopt: it is something else.
std::optional<transition> parse_transition(const std::string& line);

/// The time of a line that trace_instance::mark() has made. nullopt: it is something else.
std::optional<double> parse_mark(const std::string& line);

/// The tracepoint sock:inet_sock_set_state for one port, in an instance of tracefs that nobody else
/// has; gone with this object.
class trace_instance {
 public:
  /// Throws std::runtime_error that says what is missing.
  explicit trace_instance(std::uint16_t port);
  trace_instance(const trace_instance&) = delete;
  trace_instance& operator=(const trace_instance&) = delete;
  ~trace_instance();

  /// Waits for lines, or not longer than that: then there are none. nullopt: SIGINT or SIGTERM.
  std::optional<std::vector<std::string>> wait(std::optional<std::chrono::milliseconds> how_long);
  /// Makes a line that says what the trace's clock is.
  void mark() const;

 private:
  void write(const std::string& file, const std::string& text) const;
  void remove() noexcept;

  std::string folder_;
  int pipe_ = -1;
  int signals_ = -1;
  std::string unfinished_;
};
