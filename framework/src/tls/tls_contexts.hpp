#pragma once

#include <dwell/net/tls_options.hpp>

#include "engine/stream_filter.hpp"
#include "tls/openssl.hpp"
#include "tls/ticket_keys.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace dwell::inline v0 {

/// The certificates of a service, read at one time, for one loop: OpenSSL counts references to a
/// context, and takes locks for it. Throws std::invalid_argument, naming the field and the file.
class tls_contexts {
 public:
  tls_contexts(const tls_options& options, std::shared_ptr<ticket_keys> tickets);

  /// Throws std::bad_alloc.
  static std::unique_ptr<stream_filter> make_filter(std::shared_ptr<const tls_contexts> from);

 private:
  context_ptr make(const tls_certificate& shown, const std::string& field,
                   const tls_options& options);
  static int on_server_name(SSL* of, int* alert, void* self);
  static int on_protocols(SSL* of, const unsigned char** chosen, unsigned char* size,
                          const unsigned char* offered, unsigned offered_size, void* self);

  std::shared_ptr<ticket_keys> tickets_;
  std::string protocols_;  // as the extension has them: length and name, one after the other
  std::vector<context_ptr> contexts_;  // the one for no known name first
};

/// What a service makes its filters of; it can be told to read its files again.
class tls_service final : public filter_maker {
 public:
  using contexts_of_loops = std::vector<std::shared_ptr<const tls_contexts>>;

  tls_service(tls_options options, std::size_t loops);

  std::unique_ptr<stream_filter> make(std::uint32_t loop) override;
  /// What the files hold now. Throws as tls_contexts.
  contexts_of_loops read() const;
  /// For new connections.
  void use(contexts_of_loops fresh);

 private:
  tls_options options_;
  std::shared_ptr<ticket_keys> tickets_;
  std::size_t loops_;
  std::mutex mutex_;
  contexts_of_loops contexts_;
};

}  // namespace dwell::inline v0
