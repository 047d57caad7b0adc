#pragma once

#include <dwell/dwell.hpp>

#include "support/running_server.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dwell {

/// What becomes of the connections of a cell, as far as it is certain beforehand.
enum class placement : std::uint8_t {
  here,     ///< TIME_WAIT on the server
  there,    ///< TIME_WAIT on the client
  nowhere,  ///< and the record says so
  lost,     ///< nowhere: the peer did not do what `here (expected)` presumes
  late,  ///< here, or lost: bytes of the peer may come in time for the lingering form, or too late
  either,  ///< the same where the record is right both times: here, or nowhere
  any,     ///< a race of two FINs
};

/// The peer did not do what the record presumes, so that it says a TIME_WAIT too many.
constexpr bool is_broken_by_peer(placement what) {
  return what == placement::lost || what == placement::late;
}

/// A close method in one of its forms: the rows of the matrix.
struct close_form {
  std::string_view name;
  close_method method;
  bool lingering = false;  ///< the handler leaves a byte unread
};
inline constexpr std::size_t close_form_count = 6;
const std::array<close_form, close_form_count>& close_forms();

/// What a peer saw. `end` is 0 for a FIN, otherwise an errno value; nullopt: it did not look.
struct seen_by_peer {
  std::size_t bytes = 0;
  bool as_sent = true;
  bool close_notify = false;  ///< over TLS
  std::optional<int> end;
};

/// One connection of the matrix.
struct trial {
  std::uint16_t client_port = 0;
  seen_by_peer seen;
  std::optional<close_record> record;
  bool orphan_in_fin_wait_2 = false;  ///< on the server, while the matrix looked
  bool time_wait_here = false;
  bool time_wait_there = false;
};

/// What all connections with one peer have in common.
struct signals {
  std::atomic<std::size_t> asked = 0;     ///< requests that the server has got
  std::atomic<bool> may_answer = false;   ///< where the peer does something at that moment
  std::atomic<std::size_t> answered = 0;  ///< by the server
  std::atomic<std::size_t> shut = 0;      ///< peers that have sent their FIN
};

/// What a peer has to know of its connection.
struct exchange {
  std::string_view reply;
  bool announced = false;  ///< the server asks it to close first
  trial& of;
  signals& all;
};

/// What the link does from when all have asked.
enum class link : std::uint8_t {
  carries,
  drops,       ///< every segment
  holds_fins,  ///< drops every segment until both ends have closed
};

/// A peer: the columns of the matrix.
struct peer_behaviour {
  std::string_view name;
  /// What becomes of each form, in the order of close_forms().
  std::array<placement, close_form_count> expected;
  void (*act)(raw_client& client, exchange& what);
  std::size_t reply = 1'000;
  int receive_buffer = 0;                ///< of the client; 0: the kernel's
  duration close{10'000};                ///< deadlines.close; long where nothing waits for it
  std::optional<duration> user_timeout;  ///< where something waits for it
  bool on_signal = false;                ///< the server answers all at once, when all have asked
  dwell::link link = dwell::link::carries;
  bool reads = true;
  bool holds = false;             ///< never closes: a direct close leaves an orphan in FIN_WAIT_2
  bool talks_over = false;        ///< sends while it is answered
  bool leaves_meanwhile = false;  ///< says goodbye, over TLS, and closes while it is answered
};
inline constexpr std::size_t peer_behaviour_count = 9;
const std::array<peer_behaviour, peer_behaviour_count>& peer_behaviours();
/// Has asked, and closes without having read anything but the handshake: what is unread, its
/// tickets at least, makes that a reset.
const peer_behaviour& leaves_tickets_unread();

struct matrix_cell {
  const close_form& form;
  const peer_behaviour& peer;
  connection_mode mode;
  wire over = wire::plain;

  placement expected() const;
  bool is_announced() const { return form.method == close_method::peer_first; }
  /// Over TLS graceful has but one form: the goodbye in answer to ours is on its way.
  bool lingers() const;
  /// All of the reply has to arrive.
  bool delivers() const;
  /// How long a socket that the server has closed, or is closing, may be seen.
  duration bound() const;
};

/// What the peer needs the server to do: how it listens, and how it answers "get?".
service_options options_of(const matrix_cell& cell);

struct answering {
  const matrix_cell& cell;
  const std::string& reply;
  signals& all;
};
handler handler_of(answering what);

}  // namespace dwell
