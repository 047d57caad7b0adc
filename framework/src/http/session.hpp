#pragma once

#include <dwell/connection/connection.hpp>
#include <dwell/http/request.hpp>

#include "http/block_scanner.hpp"
#include "http/body_reader.hpp"
#include "http/head.hpp"
#include "http/response_writer.hpp"
#include "http/route_tree.hpp"
#include "http/streamed_exchange.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace dwell::http {

/// A request with what only its maker may set.
struct incoming_request final : request {
  incoming_request(connection& peer, const head& what) noexcept : request{peer, what} {}
  void set_body(std::string_view body) noexcept { body_ = body; }
  /// False: a parameter is not valid percent-encoding.
  bool set_params(const route_match& from);
};

/// A request that outlives the call that brought its beginning: its body is still coming, its
/// handler is a coroutine, or its answer does not fit.
struct held_request {
  held_request(connection& peer, const head& read);

  std::string block;  // of the head
  head what;          // views of it
  incoming_request request;
  std::string body;
  std::optional<body_reader> reader;
  std::optional<body_writer> writer;
  std::optional<streamed_exchange> streamed;
  std::uint64_t in_window = 0;  // bytes that came since the read deadline was set anew
};

/// What a connection keeps. Idle, it is this and nothing more.
struct session {
  std::unique_ptr<held_request> current;
  std::unique_ptr<std::string> last_line;  // of the access log, until the close reason is known
  duration started{0};                     // the request under way, as the connection's age
  block_scanner scanner{block_scanner::kind::head};
  bool reading : 1 = false;       // the first byte of a request has come
  bool answering : 1 = false;     // the next ones wait
  bool head_sent : 1 = false;     // of the answer
  bool skipped_line : 1 = false;  // an empty line before the request (RFC 9112, 2.2)
  bool more : 1 = false;  // input waits that can be used, or follows the request being answered
  bool in_on_data : 1 = false;
  bool peer_closed : 1 = false;

  bool is_upgraded() const noexcept {
    return current != nullptr && current->streamed && current->streamed->is_upgraded();
  }
  /// Input is a streaming handler's, not the next request's.
  bool takes_stream() const noexcept {
    return current != nullptr && current->streamed && current->streamed->takes_input();
  }
};

}  // namespace dwell::http
