#pragma once

#include <dwell/net/tls_options.hpp>

#include "tls/openssl.hpp"

#include <string>
#include <vector>

namespace dwell::inline v0 {

/// What holds for either end: versions, ciphers, no buffers for who is idle.
void set_defaults(SSL_CTX& context);

// Each throws std::invalid_argument that begins with `field`.

void use_certificate(SSL_CTX& context, const tls_certificate& shown, const std::string& field);
/// Whoever a certificate of `authorities` has signed for. `named`: also say so to the peer.
void trust(SSL_CTX& context, const std::string& authorities, const std::string& field, bool named);
/// As the extension has them: length and name, one after the other.
std::string as_extension(const std::vector<std::string>& protocols, const std::string& field);

}  // namespace dwell::inline v0
