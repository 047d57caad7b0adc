#pragma once

#include <string>
#include <string_view>

namespace dwell::inline v0 {

/// What a TLS handshake came to. Text belongs to the connection and stays valid as long.
struct tls_facts {
  std::string_view version;      ///< "TLSv1.3"
  std::string_view cipher;       ///< "TLS_AES_256_GCM_SHA384"
  std::string_view protocol;     ///< agreed by ALPN; empty: none was
  std::string_view server_name;  ///< that the client asked for; empty: none
  bool resumed = false;          ///< from a ticket: nothing was signed
  bool truncated = false;  ///< its FIN came without close_notify: what was read may not be all
  /// Subject of the client's verified certificate as RFC 2253 writes it; empty: it has shown none.
  std::string peer;
};

}  // namespace dwell::inline v0
