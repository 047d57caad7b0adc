#include "client/destination.hpp"

#include "connection/validate_options.hpp"
#include "deadline/validate.hpp"
#include "tls/client_contexts.hpp"

#include <arpa/inet.h>
#include <stdexcept>
#include <utility>

namespace dwell::inline v0 {
namespace {

void require(bool fits, const std::string& complaint) {
  if (!fits) throw std::invalid_argument{"connect: " + complaint};
}

/// Names are for the resolver; so is a literal with a mistake in it, which then is not found.
std::vector<raw_address> literal(const std::string& host, std::uint16_t port) {
  const bool numeric = host.starts_with("unix:") || host.find(':') != std::string::npos ||
                       host.find_first_not_of("0123456789.") == std::string::npos;
  if (!numeric) return {};
  try {
    return {to_raw_address({host, port})};
  } catch (const std::invalid_argument& wrong) {
    throw std::invalid_argument{"connect: host = \"" + host +
                                "\": an IPv4 or IPv6 literal, unix:PATH or a name was expected"};
  }
}

}  // namespace

route::route(const connect_options& to)
    : host{to.host},
      port{to.port},
      connect{to.connect},
      source{to.source},
      syn_retries{to.syn_retries},
      tls{to.tls == nullptr ? nullptr : &client_contexts::of(*to.tls)} {
  require(!host.empty(), "host = \"\": say where to, an address or a name");
  require(port != 0 || host.starts_with("unix:"), "port = 0: use 1 to 65535");
  require(
      connect == off || (connect >= duration{1} && connect <= longest_deadline),
      "connect = " + std::to_string(connect.count()) + " ms: use 1 ms to 24 days, or dwell::off");
  if (syn_retries) {
    require(*syn_retries >= 1 && *syn_retries <= 127,
            "syn_retries = " + std::to_string(*syn_retries) + ": use 1 to 127");
  }
  addresses = literal(host, port);
}

service_options to_service_options(const connect_options& to) {
  service_options made{.name = std::string{to.name},
                       .deadlines = to.deadlines,
                       .close = to.close,
                       .limits = to.limits,
                       .socket = to.socket};
  validate_connections(made);
  require(made.deadlines.lifetime == off,
          "deadlines.lifetime: whoever connects decides when to close; use dwell::off");
  return made;
}

destination::destination(const connect_options& to, handler handles)
    : way{to},
      what{.index = 0,
           .options = to_service_options(to),
           .what = std::move(handles),
           .outbound = true} {
  require(
      to.close.idle != close_method::peer_first || what.what->announces_close(),
      "close.idle = peer_first: the callbacks cannot announce a close to the peer; use graceful, "
      "abort_after_fin or abort");
  if (to.on_close != nullptr) {
    what.options.on_close = [seen = to.on_close](const connection& peer,
                                                 const close_record& record) {
      (*seen)(peer, record);
    };
  }
}

}  // namespace dwell::inline v0
