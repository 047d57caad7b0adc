#pragma once

#include "engine/stream_filter.hpp"
#include "net/proxy_header.hpp"

#include <optional>
#include <string_view>
#include <vector>

namespace dwell::inline v0 {

struct slot;

/// Where TLS has its filter, until the proxy's header is whole: a connection that waits for it is
/// in its handshake, and nothing of it reaches a handler.
class proxy_header_reader final : public stream_filter {
 public:
  struct taken {
    proxy_header::progress now;
    std::size_t size;  ///< bytes of `raw`
  };
  /// Takes of `raw` what belongs to the header. Throws std::bad_alloc.
  taken read(bytes raw);
  /// Once complete; nothing: the proxy itself.
  const std::optional<socket_address>& client() const noexcept { return client_; }

  // ── stream_filter ──
  received receive(bytes, std::span<std::byte>, std::vector<std::byte>&, std::uint64_t) override {
    return {};
  }
  void send(bytes, std::vector<std::byte>&) override {}
  void end(std::vector<std::byte>&) noexcept override {}
  void at_end() noexcept override {}
  bool holds_part() const noexcept override { return false; }
  std::string_view failure() const noexcept override { return failure_; }
  bool distrusts() const noexcept override { return false; }
  bool resumed() const noexcept override { return false; }
  const tls_facts* facts() noexcept override { return nullptr; }

 private:
  std::vector<std::byte> held_;  // of a header that comes in parts
  std::optional<socket_address> client_;
  std::string_view failure_ = "the header has not come";
};

/// Before it has another filter. Throws std::bad_alloc.
void await_proxy_header(slot& c);

}  // namespace dwell::inline v0
