#include "http/responder.hpp"

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace dwell::http {

responder::responder(router routes, http::options options)
    : routes_{std::move(routes)},
      options_{std::move(options)},
      limits_{
          .size = options_.header, .target = options_.target, .fields = options_.header_fields} {
  const auto require = [](bool holds, const char* what) {
    if (!holds) throw std::invalid_argument{std::string{"http::options."} + what};
  };
  constexpr std::size_t most_header = std::size_t{64} * 1024;
  require(options_.header >= 64 && options_.header <= most_header,
          "header: use 64 to 65,536 bytes");
  require(options_.target >= 1 && options_.target <= options_.header,
          "target: use 1 byte to what header allows");
}

namespace {

/// What a connection is told for which there is no room, whatever it was about to ask.
std::string no_room(std::uint32_t retry_after) {
  const std::string_view text = "no room for another connection\n";
  std::string said{"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: "};
  said.append(std::to_string(retry_after));
  said.append("\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ");
  said.append(std::to_string(text.size())).append("\r\n\r\n").append(text);
  return said;
}

}  // namespace

handler serve(router routes, http::options options) {
  constexpr std::uint32_t day = 24 * 60 * 60;
  if (options.retry_after > day) {
    throw std::invalid_argument{"http::options.retry_after: use 0 to 86,400 s"};
  }
  std::string refusal = no_room(options.retry_after);
  const auto all = std::make_shared<const responder>(std::move(routes), std::move(options));
  return callbacks<session>{
      .on_open =
          [](connection& peer, session&) {
            peer.delimits_messages();
            return true;
          },
      .on_data = [all](connection& peer, session& self,
                       bytes data) { return all->on_data(peer, self, data); },
      .on_writable = [all](connection& peer, session& self) { all->on_writable(peer, self); },
      .on_peer_closed = [all](connection& peer, session& self) { all->on_peer_closed(peer, self); },
      .on_deadline = [all](connection& peer, session& self,
                           close_reason why) { all->on_deadline(peer, self, why); },
      .on_closing = [all](connection&, session& self) { all->on_closing(self); },
      .on_close = [all](connection& peer, session& self,
                        const close_record& record) { all->on_close(peer, self, record); },
      .announces_close = true,
      .refusal = std::move(refusal)};
}

}  // namespace dwell::http
