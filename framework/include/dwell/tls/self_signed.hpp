#pragma once

#include <dwell/net/tls_options.hpp>

#include <string>
#include <vector>

namespace dwell::inline v0 {

/// A certificate for these host names and addresses that nobody but its own key has signed, with
/// that key (P-256), as text: for demos and tests. Good for 30 days, and for nobody who does not
/// say that he trusts it. Throws std::runtime_error when OpenSSL cannot make one.
tls_certificate self_signed(const std::vector<std::string>& names = {"localhost", "127.0.0.1",
                                                                     "::1"});

}  // namespace dwell::inline v0
