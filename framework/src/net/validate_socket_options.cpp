#include "net/listener.hpp"

#include <cstdint>
#include <stdexcept>
#include <string>

namespace dwell::inline v0 {
namespace {

void require(bool fits, const char* name, std::int64_t value, const char* expected) {
  if (fits) return;
  throw std::invalid_argument{std::string{"socket."} + name + " = " + std::to_string(value) + ": " +
                              expected};
}

void within(std::int64_t value, std::int64_t least, std::int64_t most, const char* name,
            const char* expected) {
  require(value >= least && value <= most, name, value, expected);
}

}  // namespace

void validate(const socket_options& socket) {
  within(socket.backlog, 1, 65'535, "backlog", "use 1 to 65535");
  if (socket.user_timeout && *socket.user_timeout != off) {
    within(socket.user_timeout->count(), 1, 24LL * 24 * 3600 * 1000, "user_timeout",
           "use 1 ms to 24 days, or dwell::off");
  }
  if (socket.keepalive) {
    within(socket.keepalive->idle.count(), 1, 32'767, "keepalive.idle", "use 1 s to 32767 s");
    within(socket.keepalive->interval.count(), 1, 32'767, "keepalive.interval",
           "use 1 s to 32767 s");
    within(socket.keepalive->count, 1, 127, "keepalive.count", "use 1 to 127");
  }
  if (socket.linger2) {
    within(socket.linger2->count(), 1, 60, "linger2",
           "use 1 s to 60 s; 61 to 120 would live 2 * (n - 60) s");
  }
  if (socket.defer_accept) {
    within(socket.defer_accept->count(), 1, 3'600, "defer_accept", "use 1 s to 1 h");
  }
  if (socket.notsent_lowat) {
    within(*socket.notsent_lowat, 1, INT32_MAX, "notsent_lowat", "use at least 1 byte");
  }
  constexpr int gibibyte = 1 << 30;
  constexpr const char* buffer = "use 4096 bytes to 1 GiB";
  if (socket.receive_buffer)
    within(*socket.receive_buffer, 4'096, gibibyte, "receive_buffer", buffer);
  if (socket.send_buffer) within(*socket.send_buffer, 4'096, gibibyte, "send_buffer", buffer);
}

}  // namespace dwell::inline v0
