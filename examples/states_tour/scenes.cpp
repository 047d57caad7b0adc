#include "scenes.hpp"

#include <array>

namespace {

using enum dwell::tcp_state;

constexpr side client_side = side::client;
constexpr side server_side = side::server;

step calls(side who, call does, std::string_view sends, dwell::tcp_state client,
           dwell::tcp_state server) {
  return {.who = who, .does = does, .flags = sends, .client = client, .server = server};
}

step arrives(side where, std::string_view flags, dwell::tcp_state client, dwell::tcp_state server) {
  return {.who = where, .flags = flags, .client = client, .server = server};
}

scene handshake() {
  return {
      .title = "The handshake",
      .lesson =
          "Until the last ACK has come, the server's end is only a request: it has no descriptor, "
          "and the tracepoint tells of it only afterwards. Then it waits for accept(), which has "
          "just been called.",
      .begins_established = false,
      .steps = {calls(client_side, call::connect, "SYN", syn_sent, listen),
                arrives(server_side, "SYN", syn_sent, syn_received),
                arrives(client_side, "SYN, ACK", established, syn_received),
                arrives(server_side, "ACK", established, established)}};
}

scene server_first() {
  return {.title = "The server closes first",
          .lesson =
              "Who sends the first FIN keeps TIME_WAIT, for 60 s: here the server, without a "
              "descriptor "
              "and without a port that anybody else would want. Only sock_diag knows of it: the "
              "tracepoint calls it CLOSED.",
          .steps = {calls(server_side, call::shutdown_send, "FIN, ACK", established, fin_wait_1),
                    arrives(client_side, "FIN, ACK", close_wait, fin_wait_1),
                    arrives(server_side, "ACK", close_wait, fin_wait_2),
                    calls(client_side, call::shutdown_send, "FIN, ACK", last_ack, fin_wait_2),
                    arrives(server_side, "FIN, ACK", last_ack, time_wait),
                    arrives(client_side, "ACK", closed, time_wait)}};
}

scene client_first() {
  return {.title = "The client closes first",
          .lesson =
              "The same, mirrored: TIME_WAIT is the client's, where it holds a port for 60 s. In "
              "CLOSE_WAIT nothing runs that would end it: it lasts until the program closes.",
          .steps = {calls(client_side, call::shutdown_send, "FIN, ACK", fin_wait_1, established),
                    arrives(server_side, "FIN, ACK", fin_wait_1, close_wait),
                    arrives(client_side, "ACK", fin_wait_2, close_wait),
                    calls(server_side, call::close, "FIN, ACK", fin_wait_2, last_ack),
                    arrives(client_side, "FIN, ACK", time_wait, last_ack),
                    arrives(server_side, "ACK", time_wait, closed)}};
}

scene both_close() {
  return {.title = "Both close at once",
          .lesson =
              "The two FINs cross on the wire, so that each end has been first: both pass through "
              "CLOSING, and both keep a TIME_WAIT.",
          .steps = {calls(server_side, call::shutdown_send, "FIN, ACK", established, fin_wait_1),
                    calls(client_side, call::shutdown_send, "FIN, ACK", fin_wait_1, fin_wait_1),
                    arrives(client_side, "FIN, ACK", closing, fin_wait_1),
                    arrives(server_side, "FIN, ACK", closing, closing),
                    arrives(client_side, "ACK", time_wait, closing),
                    arrives(server_side, "ACK", time_wait, time_wait)}};
}

scene fin_then_reset() {
  return {
      .title = "The server wants no TIME_WAIT",
      .lesson =
          "Dwell's abort_after_fin: the client gets its end of stream, and TIME_WAIT is nowhere. "
          "The descriptor goes with the call; the kernel sees to the rest, with an orphan.",
      .steps = {calls(server_side, call::abort_after_fin, "FIN, ACK", established, fin_wait_1),
                arrives(client_side, "FIN, ACK", close_wait, fin_wait_1),
                arrives(server_side, "ACK", close_wait, closed),
                arrives(client_side, "RST", closed, closed)}};
}

scene reset() {
  return {.title = "The server resets",
          .lesson =
              "No FIN, no waiting, and no TIME_WAIT; but what was not delivered is lost, and the "
              "client gets ECONNRESET instead of an end.",
          .steps = {calls(server_side, call::abort, "RST, ACK", established, closed),
                    arrives(client_side, "RST, ACK", closed, closed)}};
}

scene both_open() {
  return {.title = "Both open at once",
          .lesson =
              "Rare, and without a listener: two plain sockets that connect to each other. Here "
              "SYN_RECEIVED is a socket with a descriptor, at both ends.",
          .server = server_kind::plain,
          .begins_established = false,
          .steps = {calls(client_side, call::connect, "SYN", syn_sent, closed),
                    calls(server_side, call::connect, "SYN", syn_sent, syn_sent),
                    arrives(client_side, "SYN", syn_received, syn_sent),
                    arrives(server_side, "SYN", syn_received, syn_received),
                    arrives(client_side, "SYN, ACK", established, syn_received),
                    arrives(server_side, "SYN, ACK", established, established)}};
}

}  // namespace

dwell::tcp_state scene::client_begins() const noexcept {
  return begins_established ? established : closed;
}

dwell::tcp_state scene::server_begins() const noexcept {
  if (begins_established) return established;
  return server == server_kind::dwells ? listen : closed;
}

std::optional<std::size_t> scene::last_time(dwell::tcp_state state) const {
  for (std::size_t count = steps.size(); count > 0; --count) {
    const step& one = steps[count - 1];
    if (one.client == state || one.server == state) return count;
  }
  if (client_begins() == state || server_begins() == state) return 0;
  return std::nullopt;
}

const std::vector<scene>& all_scenes() {
  static const std::vector<scene> all{handshake(),  server_first(),   client_first(),
                                      both_close(), fin_then_reset(), reset(),
                                      both_open()};
  return all;
}

std::string_view to_string(call does, side who, server_kind server) noexcept {
  const bool dwells = who == side::server && server == server_kind::dwells;
  switch (does) {
    case call::connect: return "connect()";
    case call::shutdown_send: return dwells ? "shutdown_send()" : "shutdown(SHUT_WR)";
    case call::close: return "close()";
    case call::abort: return "close(.., abort)";
    case call::abort_after_fin: return "close(.., abort_after_fin)";
  }
  return "";
}
