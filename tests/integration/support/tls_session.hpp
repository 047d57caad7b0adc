#pragma once

#include <dwell/net/tls_options.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

struct ssl_st;  // OpenSSL's SSL

namespace dwell {

/// Self-signed, the same for all tests of a process.
const tls_certificate& test_certificate();

struct tls_session_options {
  int version = 0;  ///< TLS1_2_VERSION, TLS1_3_VERSION; 0: the best of both
  const tls_certificate* certificate = nullptr;  ///< its own; null: none
};

/// The client's end of TLS, away from any socket. Trusts everybody. What OpenSSL objects to throws
/// std::runtime_error.
class tls_session {
 public:
  explicit tls_session(const tls_session_options& how = {});

  bool is_open() const;
  /// Goes on with the handshake; there may be something to send then.
  void handshake();
  void feed(std::string_view from_wire);
  /// What the peer has sent, at most so much of it; empty: nothing that is whole.
  std::string read(std::size_t at_most);
  bool got_close_notify() const;
  void write(std::string_view data);
  void write_close_notify();
  void write_key_update(bool wants_one_back);
  /// For the wire; what has left is to be dropped.
  std::string& unsent();
  /// Of what the server has shown: its subject's common name.
  std::string shown() const;

 private:
  struct freed {
    void operator()(ssl_st* what) const noexcept;
  };
  std::unique_ptr<ssl_st, freed> ssl_;
  std::string unsent_;
};

}  // namespace dwell
