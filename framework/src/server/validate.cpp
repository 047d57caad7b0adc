#include "server/validate.hpp"

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

void validate(const server_options& options) {
  require(options.threads >= 0 && options.threads <= 1024,
          "threads = " + std::to_string(options.threads) + ": use 0 (one per CPU) to 1024");
  require(options.connections >= 1, "connections = 0: use at least 1, or dwell::unlimited");
  require(options.workers >= 1 && options.workers <= 1024,
          "workers = " + std::to_string(options.workers) + ": use 1 to 1024");
  require(options.mailbox >= 1, "mailbox = 0: use at least 1");
  require(options.drain.deadline == off ||
              (options.drain.deadline >= duration{0} && options.drain.deadline <= longest_deadline),
          "drain.deadline = " + std::to_string(options.drain.deadline.count()) +
              " ms: use 0 to 24 days, or dwell::off");
  require(options.drain.delay >= duration{0} && options.drain.delay <= longest_deadline,
          "drain.delay = " + std::to_string(options.drain.delay.count()) + " ms: use 0 to 24 days");
}

void validate(const service_options& options, const connection_handler& what) {
  validate(options.deadlines);
  validate(options.limits);
  validate(options.socket);
  validate_keepalive(options);
  require(options.close.idle != close_method::peer_first || what.announces_close(),
          "close.idle = peer_first: the handler cannot announce a close to its peer; use graceful, "
          "abort_after_fin or abort");
}

}  // namespace dwell::inline v0
