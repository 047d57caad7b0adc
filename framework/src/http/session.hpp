#pragma once

#include <dwell/connection/callbacks.hpp>
#include <dwell/connection/connection.hpp>
#include <dwell/http/serve.hpp>

#include "http/block_scanner.hpp"
#include "http/body_reader.hpp"
#include "http/head.hpp"
#include "http/response_writer.hpp"
#include "http/route_tree.hpp"

#include <atomic>
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
struct exchange {
  exchange(connection& peer, const head& read);

  std::string block;  // of the head
  head what;          // views of it
  incoming_request request;
  std::string body;
  std::optional<body_reader> reader;
  std::optional<body_writer> writer;
  std::uint64_t in_window = 0;  // bytes that came since the read deadline was set anew
};

/// What a connection keeps. Idle, it is this and nothing more.
struct session {
  std::unique_ptr<exchange> current;
  std::unique_ptr<std::string> last_line;  // of the access log, until the close reason is known
  duration started{0};                     // the request under way, as the connection's age
  block_scanner scanner{block_scanner::kind::head};
  bool reading : 1 = false;       // the first byte of a request has come
  bool answering : 1 = false;     // the next ones wait
  bool head_sent : 1 = false;     // of the answer
  bool skipped_line : 1 = false;  // an empty line before the request (RFC 9112, 2.2)
  bool more : 1 = false;          // input waits that can be used
  bool peer_closed : 1 = false;
};

/// One service's HTTP: reads requests, has them answered, in order. Shared by all loops, and
/// nothing in it changes but the clock of its log.
class responder {
 public:
  responder(router routes, http::options options);

  std::size_t on_data(connection& peer, session& self, bytes data) const;
  void on_writable(connection& peer, session& self) const;
  void on_peer_closed(connection& peer, session& self) const;
  void on_deadline(connection& peer, session& self, close_reason why) const;
  void on_close(const connection& peer, session& self, const close_record& record) const;

 private:
  std::size_t read_request(connection& peer, session& self, std::string_view input) const;
  std::size_t read_body(connection& peer, session& self, std::string_view input) const;
  void await_body(connection& peer, session& self, const head& read, bool nothing_came) const;
  void refuse(connection& peer, session& self, const refusal& why, method asked) const;
  void say_last_words(connection& peer, session& self, const refusal& why, method asked) const;

  void dispatch(connection& peer, session& self, incoming_request& what, const head& read) const;
  std::optional<response> answer_without_handler(const incoming_request& what,
                                                 const route_match& match) const;
  response call(connection& peer, const request& what, const route_handler::plain& handler) const;
  task<> run(connection& peer, session& self, const route_handler::coroutine& handler) const;
  task<response> guarded(connection& peer, const request& what,
                         const route_handler::coroutine& handler) const;
  void respond(connection& peer, session& self, const request& what, const head& read,
               response&& answer) const;
  void send_body(connection& peer, session& self) const;
  void finish(connection& peer, session& self, const request& what, sent_answer sent) const;
  static void go_on(connection& peer, session& self);
  response failed(connection& peer, const request& what, std::string_view why) const;

  router routes_;
  http::options options_;
  head_limits limits_;
  mutable std::atomic<std::int64_t> logged_second_{0};
  mutable std::atomic<int> logged_lines_{0};
};

}  // namespace dwell::http
