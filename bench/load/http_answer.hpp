#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace load {

/// Reads HTTP answers to GET, one after the other, however their bytes are cut (RFC 9112; llhttp,
/// strict). Keeps nothing of them but the status.
class http_answers {
 public:
  http_answers();
  ~http_answers();
  http_answers(http_answers&&) noexcept;
  http_answers& operator=(http_answers&&) noexcept;

  enum class progress : std::uint8_t {
    incomplete,
    complete,  ///< the last byte of an answer was in it
    wrong,     ///< this is no HTTP
  };
  struct result {
    progress what;
    std::size_t used;  ///< bytes that belong to the answer
  };

  /// Of a new connection.
  void reset() noexcept;
  /// After `complete` it goes on with the next answer. Interim ones (1xx) are passed over.
  result read(std::string_view bytes) noexcept;
  /// The peer has sent FIN. True: that ended an answer, as it does without a length (RFC 9112 6.3).
  bool end() noexcept;

  /// Of the answer that is complete.
  int status() const noexcept;
  /// The server takes another request on this connection.
  bool keeps_alive() const noexcept;

 private:
  struct parser;
  std::unique_ptr<parser> parser_;
};

}  // namespace load
