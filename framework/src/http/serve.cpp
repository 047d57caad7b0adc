#include "http/responder.hpp"

#include <stdexcept>
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

handler serve(router routes, http::options options) {
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
      .announces_close = true};
}

}  // namespace dwell::http
