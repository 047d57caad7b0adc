#pragma once

#include <dwell/connection/callbacks.hpp>
#include <dwell/connection/connection.hpp>
#include <dwell/http/serve.hpp>

#include "http/head.hpp"
#include "http/refusal.hpp"
#include "http/response_writer.hpp"
#include "http/route_tree.hpp"
#include "http/session.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dwell::http {

/// One service's HTTP: reads requests, has them answered, in order. Shared by all loops, and
/// nothing in it changes but the clock of its log.
class responder {
 public:
  responder(router routes, http::options options);

  std::size_t on_data(connection& peer, session& self, bytes data) const;
  void on_writable(connection& peer, session& self) const;
  void on_peer_closed(connection& peer, session& self) const;
  void on_deadline(connection& peer, session& self, close_reason why) const;
  void on_closing(const session& self) const;
  void on_close(const connection& peer, session& self, const close_record& record) const;

 private:
  std::size_t read_request(connection& peer, session& self, std::string_view input) const;
  std::size_t read_body(connection& peer, session& self, std::string_view input) const;
  void await_body(connection& peer, session& self, const head& read, bool nothing_came) const;
  bool enough_came(connection& peer, held_request& current, std::size_t came) const;
  void refuse(connection& peer, session& self, const refusal& why, method asked) const;
  void say_last_words(connection& peer, session& self, const refusal& why, method asked) const;

  void dispatch(connection& peer, session& self, incoming_request& what, const head& read) const;
  std::optional<response> answer_without_handler(const incoming_request& what,
                                                 const route_match& match) const;
  response call(connection& peer, const request& what, const route_handler::plain& handler) const;
  task<> run(connection& peer, session& self, const route_handler::coroutine& handler) const;
  task<response> guarded(connection& peer, const request& what,
                         const route_handler::coroutine& handler) const;
  void start_stream(connection& peer, session& self, const route_handler::streaming& handler,
                    bool asks_to_continue) const;
  task<> run_stream(connection& peer, session& self, const route_handler::streaming& handler) const;
  void end_stream(connection& peer, session& self, std::string fault) const;
  std::size_t feed_stream(connection& peer, session& self, std::string_view input) const;
  bool keeps_pace(connection& peer, held_request& current, std::size_t came) const;
  void cut_stream(connection& peer, session& self, close_reason why, const refusal& said) const;
  static void pause_unread(connection& peer, const session& self);
  static void end_input(const session& self);
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
