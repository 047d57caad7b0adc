#pragma once

#include <dwell/testing/simulation.hpp>

#include <openssl/ssl.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// What a TLS client of a test asks for.
struct tls_peer_options {
  int version = TLS1_3_VERSION;
  std::string server_name{};
  std::vector<std::string> protocols{};  ///< ALPN
  dwell::tls_certificate certificate{};  ///< its own; empty: none
  SSL_SESSION* resumes = nullptr;
  const char* suites = nullptr;  ///< of TLS 1.3; null: OpenSSL's
  std::string_view first{};      ///< sent before anything of TLS
};

/// A TLS client on the simulated network. Trusts everybody: what it is shown can be asked for.
class tls_peer {
 public:
  tls_peer(dwell::testing::simulation& sim, const dwell::server& to, tls_peer_options options = {});
  ~tls_peer();
  tls_peer(const tls_peer&) = delete;
  tls_peer& operator=(const tls_peer&) = delete;

  /// Lets time pass; what comes is read, and what is to be said is sent, each millisecond.
  void advance(dwell::duration time);
  bool run_until(const std::function<bool()>& done, dwell::duration within);

  void write(std::string_view data);  ///< once the handshake is done, at the latest
  void send_close_notify();

  bool is_open() const;                 ///< the handshake is done
  const std::string& received() const;  ///< so far
  bool got_close_notify() const;
  bool got_alert() const { return failed_; }  ///< or something else that ended it
  SSL* native() const { return ssl_; }
  dwell::testing::peer& socket() { return socket_; }
  /// The host names of the certificate that it was shown.
  std::string shown() const;
  /// For another connection, once a ticket has come; to be freed with SSL_SESSION_free().
  SSL_SESSION* session() const;
  /// Reads and says what there is, without time passing.
  void pump();

 private:
  dwell::testing::simulation& sim_;
  dwell::testing::peer socket_;
  SSL_CTX* context_;
  SSL* ssl_;
  std::string received_, to_write_;
  bool failed_ = false;
};
