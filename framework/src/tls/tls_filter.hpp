#pragma once

#include <dwell/tls/tls_facts.hpp>

#include "engine/stream_filter.hpp"
#include "tls/openssl.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace dwell::inline v0 {

class tls_contexts;

/// The server's end of a TLS connection. OpenSSL reads from the received span and writes into the
/// output, so an idle connection has no buffer, and none waits inside between two calls.
class tls_filter final : public stream_filter {
 public:
  tls_filter(ssl_ptr ssl, std::shared_ptr<const tls_contexts> contexts);

  received receive(bytes raw, std::span<std::byte> room, std::vector<std::byte>& out,
                   std::uint64_t now) override;
  void send(bytes data, std::vector<std::byte>& out) override;
  void end(std::vector<std::byte>& out) noexcept override;
  void at_end() noexcept override;
  bool holds_part() const noexcept override;
  std::string_view failure() const noexcept override { return failure_; }
  const tls_facts* facts() noexcept override;

  /// A message of the handshake protocol has come.
  void count_message(std::uint8_t type) noexcept;
  /// The loop's clock in the call that runs on this thread.
  static std::uint64_t now() noexcept;

 private:
  progress fail();

  std::shared_ptr<const tls_contexts> contexts_;  // the SSL object's callbacks use them
  ssl_ptr ssl_;
  std::unique_ptr<tls_facts> facts_;
  std::string failure_;
  std::uint8_t key_updates_ = 0;  // since the last byte for the handler
  bool open_ = false;
  bool failed_ = false;
  bool truncated_ = false;
};

}  // namespace dwell::inline v0
