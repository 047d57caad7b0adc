#pragma once

#include <dwell/net/tls_options.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace dwell::inline v0 {

class client_contexts;

/// How connections that we make speak TLS, 1.2 or 1.3.
struct tls_client_options {
  /// Who may have signed the server's certificate: PEM, a file or the text. Empty: whom the system
  /// trusts.
  std::string authorities{};
  /// Whether the server's certificate must verify, and be for the name that was asked for. Off, it
  /// may be anybody's: for tests.
  bool verify = true;
  /// What the certificate must be for, and what the server is asked for (SNI). Empty:
  /// connect_options::host.
  std::string server_name{};
  /// Application protocols, the preferred one first (ALPN).
  std::vector<std::string> protocols{};
  /// Shown to servers that ask for it; empty: none.
  tls_certificate certificate{};
  /// Whether the last session with each host and port is kept, and used again: nothing is signed
  /// then. Whoever watches the network can tell that it is the same client.
  bool resume = true;
  /// Called last with the context that was made, for what is not here. Must not throw.
  std::function<void(ssl_ctx_st*)> configure{};
};

/// Given to connect_options::tls; has the sessions that are used again, of 1,024 hosts and ports.
/// For any thread; must outlive the connections made with it. Throws std::invalid_argument, naming
/// the field and the file, for what cannot be used.
class tls_client {
 public:
  explicit tls_client(tls_client_options options = {});
  ~tls_client();
  tls_client(const tls_client&) = delete;
  tls_client& operator=(const tls_client&) = delete;

 private:
  friend class client_contexts;
  std::shared_ptr<client_contexts> contexts_;
};

}  // namespace dwell::inline v0
