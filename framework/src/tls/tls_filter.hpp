#pragma once

#include <dwell/tls/tls_facts.hpp>

#include "engine/stream_filter.hpp"
#include "tls/openssl.hpp"
#include "tls/record_layer.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace dwell::inline v0 {

class client_contexts;
class tls_contexts;

/// One end of a TLS connection. OpenSSL reads from the received span and writes into the
/// output, so an idle connection has no buffer, and none waits inside between two calls. With TLS
/// 1.3 the server's OpenSSL object goes when the handshake is over.
class tls_filter final : public stream_filter {
 public:
  tls_filter(ssl_ptr ssl, std::shared_ptr<const tls_contexts> contexts);
  /// The client's end. `destination`: what its sessions are kept for.
  tls_filter(ssl_ptr ssl, std::shared_ptr<client_contexts> contexts, std::string destination);
  ~tls_filter() override;

  received receive(bytes raw, std::span<std::byte> room, std::vector<std::byte>& out,
                   std::uint64_t now) override;
  void send(bytes data, std::vector<std::byte>& out) override;
  void end(std::vector<std::byte>& out) noexcept override;
  void at_end() noexcept override;
  bool holds_part() const noexcept override;
  std::string_view failure() const noexcept override { return failure_; }
  bool distrusts() const noexcept override { return distrusts_; }
  bool resumed() const noexcept override;
  const tls_facts* facts() noexcept override;

  /// A message of the handshake protocol has come.
  void count_message(std::uint8_t type) noexcept;
  /// A record has been written.
  void count_record() noexcept;
  /// A line as SSL_CTX_set_keylog_callback(3) has it. False: not one of those wanted.
  bool learn_secret(std::string_view line) noexcept;
  /// To be used for a later connection. False: not wanted.
  bool offer_session(SSL_SESSION* session) noexcept;
  /// The loop's clock in the call that runs on this thread.
  static std::uint64_t now() noexcept;

 private:
  /// What is needed as long as OpenSSL has the connection.
  struct session;
  /// tls_facts, and the text that it points to.
  struct agreement;

  void connect_bio();
  progress fail();
  bool shake_hands(received& result);
  void take_over();
  received read(std::span<std::byte> room);
  std::unique_ptr<agreement> agree() const;

  std::unique_ptr<session> session_;       // null once `records_` does without
  std::unique_ptr<record_layer> records_;  // null as long as OpenSSL has the connection
  std::unique_ptr<agreement> agreed_;
  std::string_view failure_;
  std::uint8_t key_updates_ = 0;  // since the last byte for the handler
  bool open_ = false;
  bool failed_ = false;
  bool truncated_ = false;
  bool distrusts_ = false;
};

}  // namespace dwell::inline v0
