#include "plan.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>
#include <utility>

namespace load {
namespace {

template <class Enum>
struct named {
  constexpr named(Enum of, std::string_view text) : value{of}, name{text} {}
  Enum value;
  std::string_view name;
};

constexpr std::array protocols{named{protocol::echo, "echo"}, named{protocol::http, "http"}};
constexpr std::array arrivals{named{arrival::poisson, "poisson"}, named{arrival::even, "even"},
                              named{arrival::closed, "closed"}};
constexpr std::array endings{named{ending::client, "client"},
                             named{ending::client_abort, "client-abort"},
                             named{ending::server, "server"},
                             named{ending::server_abort_after_fin, "server-abort-after-fin"},
                             named{ending::server_abort, "server-abort"}};

constexpr std::array securities{named{security::none, "none"}, named{security::full, "full"},
                                named{security::resumed, "resumed"}};

template <class Table, class Enum>
std::string_view name_in(const Table& table, Enum value) noexcept {
  for (const auto& entry : table) {
    if (entry.value == value) return entry.name;
  }
  return "?";
}

template <class Table, class Enum>
bool find_in(const Table& table, std::string_view name, Enum& into) noexcept {
  for (const auto& entry : table) {
    if (entry.name != name) continue;
    into = entry.value;
    return true;
  }
  return false;
}

}  // namespace

std::string_view to_string(protocol value) noexcept { return name_in(protocols, value); }
std::string_view to_string(arrival value) noexcept { return name_in(arrivals, value); }
std::string_view to_string(ending value) noexcept { return name_in(endings, value); }
std::string_view to_string(security value) noexcept { return name_in(securities, value); }

bool parse(std::string_view name, protocol& into) noexcept {
  return find_in(protocols, name, into);
}
bool parse(std::string_view name, arrival& into) noexcept { return find_in(arrivals, name, into); }
bool parse(std::string_view name, ending& into) noexcept { return find_in(endings, name, into); }
bool parse(std::string_view name, security& into) noexcept {
  return find_in(securities, name, into);
}

std::string target_of(const plan& of) {
  const bool v6 = of.host.find(':') != std::string::npos;
  std::string text{to_string(of.protocol)};
  text += "://";
  if (v6) text += '[';
  text += of.host;
  if (v6) text += ']';
  text += ':';
  text += std::to_string(of.port);
  if (of.protocol == protocol::http) text += of.path;
  return text;
}

void set_target(plan& of, std::string_view url) {
  const auto wrong = [url](std::string_view why) {
    std::string text{url};
    text += ": ";
    text += why;
    text += "; write echo://HOST:PORT, tcp://HOST:PORT (the same) or http://HOST[:PORT]/PATH";
    return std::invalid_argument{text};
  };
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) throw wrong("has no scheme");
  const std::string_view scheme = url.substr(0, scheme_end);
  plan to = of;
  if (scheme == "http") {
    to.protocol = protocol::http;
  } else if (scheme == "echo" || scheme == "tcp") {
    to.protocol = protocol::echo;
  } else {
    throw wrong("unknown scheme");
  }
  std::string_view rest = url.substr(scheme_end + 3);
  const std::size_t authority_end = std::min(rest.find_first_of("/?#"), rest.size());
  std::string_view authority = rest.substr(0, authority_end);
  rest.remove_prefix(authority_end);
  if (rest.find('#') != std::string_view::npos) throw wrong("a fragment is not sent to a server");
  if (to.protocol == protocol::echo && !rest.empty() && rest != "/") {
    throw wrong("an echo server has no path");
  }
  if (rest.find_first_of(" \t\r\n") != std::string_view::npos) throw wrong("has a space in it");
  to.path.clear();
  if (!rest.starts_with('/')) to.path += '/';
  to.path += rest;
  if (authority.find('@') != std::string_view::npos) throw wrong("users are not supported");

  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) throw wrong("`[` without `]`");
    to.host = authority.substr(1, end - 1);
    port = authority.substr(end + 1);
  } else {
    const std::size_t colon = authority.find(':');
    to.host = authority.substr(0, colon);
    if (colon != std::string_view::npos) port = authority.substr(colon);
  }
  if (to.host.empty()) throw wrong("has no host");
  if (port.empty() && to.protocol == protocol::http) port = ":80";
  const char* const last = port.data() + port.size();
  unsigned number = 0;
  if (!port.starts_with(':') || port.size() < 2) throw wrong("has no port");
  const auto [end, error] = std::from_chars(port.data() + 1, last, number);
  if (error != std::errc{} || end != last || number == 0 || number > 65'535) {
    throw wrong("the port is not 1 to 65535");
  }
  to.port = static_cast<std::uint16_t>(number);
  of = std::move(to);
}

}  // namespace load
