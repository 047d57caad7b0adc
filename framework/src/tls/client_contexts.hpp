#pragma once

#include <dwell/tls/tls_client.hpp>

#include "engine/stream_filter.hpp"
#include "tls/openssl.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace dwell::inline v0 {

/// What a tls_client consists of. For any thread.
class client_contexts : public std::enable_shared_from_this<client_contexts> {
 public:
  /// Throws std::invalid_argument, naming the field and the file.
  explicit client_contexts(const tls_client_options& options);

  static client_contexts& of(tls_client& shown) noexcept { return *shown.contexts_; }

  /// For a connection to that host. Throws std::bad_alloc.
  std::unique_ptr<stream_filter> make(const std::string& host, std::uint16_t port);
  /// A session came that may be used again for `destination`.
  void keep(const std::string& destination, SSL_SESSION* session);

 private:
  using session_ptr = std::unique_ptr<SSL_SESSION, freed_by<SSL_SESSION_free>>;

  std::string server_name_;
  std::string protocols_;
  bool verify_, resume_;
  context_ptr context_;
  std::mutex mutex_;
  std::unordered_map<std::string, session_ptr> sessions_;  // the last one of each
};

}  // namespace dwell::inline v0
