#include <dwell/http/websocket.hpp>

#include "deadline/validate.hpp"
#include "http/text.hpp"
#include "http/websocket_handshake.hpp"
#include "http/websocket_session.hpp"

#include <memory>
#include <stdexcept>
#include <utility>

namespace dwell::http {
namespace {

struct websocket_service {
  websocket_callback what;
  websocket_options options;
};

void validate(const websocket_options& given) {
  const auto require = [](bool holds, const char* what) {
    if (!holds) throw std::invalid_argument{std::string{"websocket_options."} + what};
  };
  require(given.message >= 1, "message: use 1 byte or more");
  const duration interval = given.ping_interval;
  require(interval == off || (interval > duration{0} && interval <= longest_deadline),
          "ping_interval: use 1 ms to 24 days, or dwell::off");
  for (const std::string& each : given.protocols) {
    require(is_token(each), "protocols: a name is a token, without spaces and commas");
  }
}

/// The subprotocol, when it is open; else the request is answered.
std::optional<std::string_view> open_websocket(exchange& x, const websocket_options& how) {
  websocket_handshake asked = check_websocket_handshake(x.request(), how.protocols, how.origins);
  if (asked.refused) {
    x.respond(std::move(*asked.refused));
    return std::nullopt;
  }
  std::vector<header> headers{{"Sec-WebSocket-Accept", websocket_accept(asked.key)}};
  if (!asked.protocol.empty()) {
    headers.push_back({"Sec-WebSocket-Protocol", std::string{asked.protocol}});
  }
  if (x.is_complete() && x.upgrade("websocket", headers)) return asked.protocol;
  x.respond(
      {.status = status::bad_request, .body = "a request that opens a WebSocket has no body\n"});
  return std::nullopt;
}

task<> serve_websocket(exchange& x, const websocket_service& how) {
  const std::optional<std::string_view> protocol = open_websocket(x, how.options);
  if (!protocol) co_return;
  websocket_session socket{x, how.options, *protocol};
  try {
    task<> running = how.what(socket);
    co_await std::move(running);
  } catch (...) {
    socket.fail();
    throw;
  }
  if (x.peer().reason()) co_return;  // the peer has left, or it is decided that it has to
  socket.close();
  task<> ending = socket.await_close();
  co_await std::move(ending);
}

}  // namespace

route_handler websocket_handler(websocket_callback what, websocket_options options) {
  validate(options);
  const auto all = std::make_shared<const websocket_service>(
      websocket_service{std::move(what), std::move(options)});
  return route_handler{[all](exchange& x) { return serve_websocket(x, *all); }};
}

std::string encode_websocket_text(std::string_view text) {
  return encode_websocket_frame(websocket_opcode::text, text);
}
std::string encode_websocket_binary(bytes data) {
  return encode_websocket_frame(websocket_opcode::binary, data);
}

}  // namespace dwell::http
