#include "client/name_lookup.hpp"

#include <asio/ip/tcp.hpp>

#include <cstring>
#include <utility>

namespace dwell::inline v0 {
namespace {

raw_address to_raw(const asio::ip::tcp::endpoint& from) {
  raw_address made;
  made.length = static_cast<socklen_t>(from.size());
  std::memcpy(&made.storage, from.data(), from.size());
  return made;
}

/// The simulated network has one address; names below .invalid (RFC 6761) do not exist there
/// either.
std::vector<raw_address> look_up_in_simulation(const std::string& host, std::uint16_t port) {
  if (host.ends_with(".invalid")) return {};
  return {to_raw_address({"127.0.0.1", port})};
}

}  // namespace

struct name_lookup::state {
  state(asio::io_context* host, std::function<void(std::vector<raw_address>)> what)
      : done{std::move(what)} {
    if (host != nullptr) resolver.emplace(*host);
  }
  std::optional<asio::ip::tcp::resolver> resolver;
  std::function<void(std::vector<raw_address>)> done;  // empty: nobody waits
};

name_lookup::name_lookup(loop& on, const std::string& host, std::uint16_t port,
                         std::function<void(std::vector<raw_address>)> done)
    : state_{std::make_shared<state>(on.io().host(), std::move(done))} {
  auto tell = [mail = on.mail(), to = state_](std::vector<raw_address> found) {
    mail->order([to, found = std::move(found)](loop&) mutable {
      if (const auto waiting = std::exchange(to->done, nullptr)) waiting(std::move(found));
    });
  };
  if (!state_->resolver) {
    tell(look_up_in_simulation(host, port));
    return;
  }
  state_->resolver->async_resolve(
      host, std::to_string(port), asio::ip::tcp::resolver::numeric_service,
      [tell](const std::error_code&, const asio::ip::tcp::resolver::results_type& found) {
        std::vector<raw_address> addresses;
        for (const auto& each : found) addresses.push_back(to_raw(each.endpoint()));
        tell(std::move(addresses));
      });
}

name_lookup::~name_lookup() {
  state_->done = nullptr;
  if (state_->resolver) state_->resolver->cancel();
}

}  // namespace dwell::inline v0
