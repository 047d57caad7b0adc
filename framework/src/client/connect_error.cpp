#include <dwell/client/connect_error.hpp>

#include <system_error>

namespace dwell::inline v0 {
namespace {

std::string_view advice(connect_failure what) noexcept {
  switch (what) {
    case connect_failure::none: return "connected";
    case connect_failure::name_not_found:
      return "no address of that name: see `getent ahosts NAME`";
    case connect_failure::refused: return "nobody listens there: start it, or see the port";
    case connect_failure::unreachable: return "there is no way there: see `ip route get ADDRESS`";
    case connect_failure::timed_out:
      return "no answer in time: a firewall that drops, a host that is gone, a full accept queue, "
             "or a deadline (`connect`) that is too short";
    case connect_failure::out_of_ports:
      return "no local port is free for this destination: use more addresses (`source`), widen "
             "net.ipv4.ip_local_port_range, keep connections longer, or let the peer close first, "
             "since our FIN keeps the port for 60 s";
    case connect_failure::out_of_descriptors:
      return "no descriptor is free: raise RLIMIT_NOFILE (`ulimit -n`)";
    case connect_failure::no_such_source:
      return "no interface has an address of `source`: see `ip address`";
    case connect_failure::over_limit:
      return "as many connections as `connections` allows are open, those on their way included: "
             "raise it";
    case connect_failure::ended: return "whoever waited for it has ended";
    case connect_failure::other: return "connect(2) failed";
    case connect_failure::not_trusted:
      return "its certificate is not trusted: see `authorities` and the name that it is for";
    case connect_failure::handshake_failed: return "the TLS handshake failed";
  }
  return "connect(2) failed";
}

}  // namespace

std::string to_string(const connect_error& error) {
  std::string text{advice(error.what)};
  if (error.code != 0) {
    text += " (";
    text += std::generic_category().message(error.code);
    text += ')';
  }
  if (!error.detail.empty()) text.append(": ").append(error.detail);
  return text;
}

}  // namespace dwell::inline v0
