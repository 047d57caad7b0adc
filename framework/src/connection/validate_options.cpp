#include "connection/validate_options.hpp"

#include "deadline/validate.hpp"
#include "net/listener.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace dwell::inline v0 {
namespace {

void require(bool fits, const std::string& complaint) {
  if (!fits) throw std::invalid_argument{complaint};
}

void validate(const limits& given) {
  require(given.message >= 1, "limits.message = 0: use at least 1 byte");
  require(given.high_watermark >= 1, "limits.high_watermark = 0: use at least 1 byte");
  require(given.low_watermark >= 1 && given.low_watermark <= given.high_watermark,
          "limits.low_watermark = " + std::to_string(given.low_watermark) +
              ": use 1 to limits.high_watermark (" + std::to_string(given.high_watermark) + ")");
  require(given.output >= given.high_watermark, "limits.output = " + std::to_string(given.output) +
                                                    ": use at least limits.high_watermark (" +
                                                    std::to_string(given.high_watermark) + ")");
  require(given.exchanges >= 1, "limits.exchanges = 0: use at least 1, or dwell::unlimited");
}

/// The user timeout replaces the keepalive count, so probes beyond it would never be sent.
void validate_keepalive(const service_options& options) {
  if (!options.socket.keepalive) return;
  const keepalive_options& probes = *options.socket.keepalive;
  const duration patience = probes.idle + probes.interval * probes.count;
  const duration timeout = user_timeout_of(options);
  require(timeout == off || patience <= timeout,
          "socket.keepalive: idle + interval * count = " + std::to_string(patience.count()) +
              " ms exceeds the user timeout of " + std::to_string(timeout.count()) +
              " ms; shorten the probes or raise socket.user_timeout");
}

}  // namespace

duration user_timeout_of(const service_options& options) {
  if (options.socket.user_timeout) return *options.socket.user_timeout;
  const duration ours = std::max(options.deadlines.write, options.deadlines.close);
  return ours == off ? off : std::min(ours + ours / 4, longest_deadline);
}

void validate_connections(const service_options& options) {
  validate(options.deadlines);
  validate(options.limits);
  validate(options.socket);
  validate_keepalive(options);
}

}  // namespace dwell::inline v0
