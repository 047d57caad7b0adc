#include "server/validate.hpp"

#include "connection/validate_options.hpp"
#include "deadline/validate.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace dwell::inline v0 {
namespace {

void require(bool fits, const std::string& complaint) {
  if (!fits) throw std::invalid_argument{complaint};
}

void validate(const per_address_limits& limits) {
  const std::uint64_t rate = limits.accepts_per_second;
  require(limits.connections >= 1,
          "per_address.connections = 0: use at least 1, or dwell::unlimited");
  require(rate == unlimited || (rate >= 1 && rate <= 1'000'000),
          "per_address.accepts_per_second = " + std::to_string(rate) +
              ": use 1 to 1000000, or dwell::unlimited");
  require(limits.ipv4_prefix >= 1 && limits.ipv4_prefix <= 32,
          "per_address.ipv4_prefix = " + std::to_string(limits.ipv4_prefix) + ": use 1 to 32");
  require(limits.ipv6_prefix >= 1 && limits.ipv6_prefix <= 128,
          "per_address.ipv6_prefix = " + std::to_string(limits.ipv6_prefix) + ": use 1 to 128");
}

void require_time(const std::string& field, duration value) {
  require(value >= duration{0} && value <= longest_deadline,
          field + " = " + std::to_string(value.count()) + " ms: use 0 to 24 days");
}

}  // namespace

void validate(const pressure_options& options) {
  const auto in_percent = [](const char* field, std::uint32_t value, std::uint32_t least) {
    require(value >= least && value <= 100, "pressure." + std::string{field} + " = " +
                                                std::to_string(value) + ": use " +
                                                std::to_string(least) + " to 100 (percent)");
  };
  in_percent("shrink_idle_at", options.shrink_idle_at, 1);
  in_percent("idle_share", options.idle_share, 1);
  in_percent("evict_idle_at", options.evict_idle_at, 1);
  constexpr std::uint64_t least_memory = std::uint64_t{1} << 20;
  require(options.memory >= least_memory, "pressure.memory = " + std::to_string(options.memory) +
                                              " bytes: use at least 1 MiB, or dwell::unlimited");
  require(options.turn == off || (options.turn >= duration{10} && options.turn <= longest_deadline),
          "pressure.turn = " + std::to_string(options.turn.count()) +
              " ms: use 10 ms to 24 days, or dwell::off");
  require(options.patience == off ||
              (options.patience >= duration{0} && options.patience <= longest_deadline),
          "pressure.patience = " + std::to_string(options.patience.count()) +
              " ms: use 0 to 24 days, or dwell::off");
  require(options.reap_rate >= 1,
          "pressure.reap_rate = 0: use at least 1 a second, or dwell::unlimited");
}

void validate(const server_options& options) {
  validate(options.pressure);
  require(options.threads >= 0 && options.threads <= 1024,
          "threads = " + std::to_string(options.threads) + ": use 0 (one per CPU) to 1024");
  require(options.connections >= 1, "connections = 0: use at least 1, or dwell::unlimited");
  require(options.workers >= 1 && options.workers <= 1024,
          "workers = " + std::to_string(options.workers) + ": use 1 to 1024");
  validate(options.per_address);
  require(options.mailbox >= 1, "mailbox = 0: use at least 1");
  require(options.drain.deadline == off ||
              (options.drain.deadline >= duration{0} && options.drain.deadline <= longest_deadline),
          "drain.deadline = " + std::to_string(options.drain.deadline.count()) +
              " ms: use 0 to 24 days, or dwell::off");
  require_time("drain.delay", options.drain.delay);
  require_time("drain.first_request", options.drain.first_request);
  require_time("drain.spread", options.drain.spread);
}

void validate(const tls_options& options) {
  using namespace std::chrono_literals;
  const duration keys = options.ticket_key_lifetime;
  require(keys == off || (keys >= 1s && keys <= 7 * 24h),
          "tls.ticket_key_lifetime = " + std::to_string(keys.count()) +
              " ms: use 1 s to 7 days, or dwell::off");
}

void validate(const proxy_protocol_options& options) {
  const duration deadline = options.deadline;
  require(deadline == off || (deadline >= duration{1} && deadline <= longest_deadline),
          "proxy_protocol.deadline = " + std::to_string(deadline.count()) +
              " ms: use 1 ms to 24 days, or dwell::off");
  require(!options.from.empty(), "proxy_protocol.from is empty: name the proxies' addresses");
}

void validate(const service_options& options, const connection_handler& what) {
  if (options.tls) validate(*options.tls);
  if (options.proxy_protocol) validate(*options.proxy_protocol);
  validate_connections(options);
  constexpr std::size_t longest_refusal = 4'096;
  require(what.refusal().size() <= longest_refusal,
          "callbacks.refusal: use up to 4,096 bytes, since it is said when memory is short");
  require(options.close.idle != close_method::peer_first || what.announces_close(),
          "close.idle = peer_first: the handler cannot announce a close to its peer; use graceful, "
          "abort_after_fin or abort");
}

}  // namespace dwell::inline v0
