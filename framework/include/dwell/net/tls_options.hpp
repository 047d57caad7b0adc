#pragma once

#include <dwell/deadline/deadlines.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

struct ssl_ctx_st;  // OpenSSL's SSL_CTX

namespace dwell::inline v0 {

/// In PEM: names of files, or the text itself ("-----BEGIN …"). The key must not be encrypted:
/// nobody is there to type its passphrase.
struct tls_certificate {
  std::string chain;        ///< the server's certificate first, then those that lead to a root
  std::string private_key;  ///< of the first one
};

/// Whether a client shows who it is.
enum class client_certificates : std::uint8_t {
  not_asked,
  optional,  ///< one that does not verify ends the handshake; none is fine
  required,
};

/// TLS 1.2 and 1.3 for the connections of a service (RFC 8446, RFC 5246); earlier versions,
/// compression and renegotiation are off, and TLS 1.2 offers forward secrecy with an AEAD only.
/// Files are read by serve(), which throws std::invalid_argument naming the one that cannot be
/// used, and again by server::reload_certificates().
struct tls_options {
  /// What is shown to clients that name no host, or one that no certificate is for.
  tls_certificate certificate;
  /// Shown to those that name a host of its subject alternative names (SNI), `*.example.org`
  /// included.
  std::vector<tls_certificate> others{};
  /// Application protocols, the preferred one first (ALPN): "h2", "http/1.1". A client that offers
  /// none of them is refused; one that offers nothing is not.
  std::vector<std::string> protocols{};
  /// Mutual TLS.
  client_certificates clients = client_certificates::not_asked;
  /// Who signs clients' certificates: PEM, as above. Needed with `optional` and `required`.
  std::string client_authorities{};
  /// After so long the key that session tickets are sealed with is replaced; one more such span it
  /// still opens them. 1 s to 7 days, the longest that RFC 8446 lets a ticket live; `off`: no
  /// tickets, each handshake is a full one. A stolen key opens what it has sealed.
  duration ticket_key_lifetime = std::chrono::hours{12};
  /// An open TLS 1.3 connection is 1 KB: OpenSSL's object of 14 KB goes with the handshake, and
  /// Dwell writes the records, by OpenSSL's ciphers. Off: OpenSSL keeps the connection to its end,
  /// as it does with TLS 1.2. See docs/decisions/records-without-openssl.md.
  bool compact = true;
  /// Called last with each context that was made, one for each loop and certificate, for what is
  /// not here. Must not throw, and must leave the message callback alone.
  std::function<void(ssl_ctx_st*)> configure{};
};

}  // namespace dwell::inline v0
