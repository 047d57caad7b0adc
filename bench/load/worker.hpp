#pragma once

#include <dwell/client/upstream.hpp>
#include <dwell/dwell.hpp>

#include "http_answer.hpp"
#include "plan.hpp"
#include "schedule.hpp"
#include "tally_queue.hpp"
#include "window.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace load {

/// What the threads of a run and the one that leads it tell each other.
struct starting_line {
  std::atomic<std::int64_t> begin{0};  ///< when the schedule begins, in ns of the clock; 0: not yet
  std::atomic<bool> stop{false};       ///< end now
  std::atomic<bool> leave{false};      ///< all has been seen: connections may close
};

/// One thread's share of a run. Everything but the queue is for its loop's thread.
class worker {
 public:
  worker(const plan& of, std::uint32_t thread, const starting_line& line);
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  /// Opens connections, waits for the beginning, and puts the load. To be spawned on its loop;
  /// `this` has to live until the client has ended.
  dwell::task<> run();

  /// First what came of opening connections; then a tally for each second of `window`.
  tally_queue& tallies() noexcept { return tallies_; }

 private:
  enum class state : std::uint8_t {
    free,        ///< has no request; maybe a connection
    connecting,  ///< `pending` says whether for a request
    waiting,     ///< for the answer
    leaving,     ///< for the server's FIN
    abandoned,   ///< timed out while it was connecting, which goes on
  };

  /// A place for a connection, and for the request on it.
  struct slot {
    std::list<slot>::iterator place;
    dwell::connection* peer = nullptr;
    std::uint32_t generation = 0;  ///< of what it has to do with; older ones do not know it
    load::worker::state state = load::worker::state::free;
    bool pending = false;  ///< there is a request
    nanoseconds intended{0};
    nanoseconds started{0};
    nanoseconds sent{0};
    std::size_t received = 0;
    std::uint64_t exchanges = 0;  ///< on this connection
    std::optional<http_answers> http;
  };
  using slots = std::list<slot>;

  struct session {
    slot* of = nullptr;
    std::uint32_t generation = 0;
  };

  static slot* known(const session& from) noexcept;

  dwell::upstream<session> make_upstream();
  dwell::connect_options where();
  void prepare_requests();
  bool server_ends() const noexcept {
    return plan_.ending != ending::client && plan_.ending != ending::client_abort;
  }
  /// For connecting: longer than a request may take, whose own timeout comes first.
  nanoseconds patience() const noexcept {
    return std::max<nanoseconds>(plan_.timeout, std::chrono::seconds{5});
  }

  // ── what the loop tells ──
  bool opened(dwell::connection& peer, session& from);
  std::size_t received(dwell::connection& peer, session& from, std::string_view data);
  void closed(session& from, const dwell::close_record& record);
  void not_connected(session& from, const dwell::connect_error& why);

  // ── one request ──
  void launch(nanoseconds at);
  void start(slot& s, nanoseconds intended, nanoseconds at);
  void count_sent(nanoseconds late);
  void send_request(slot& s, nanoseconds at);
  void read_echo(slot& s, std::string_view data, nanoseconds at);
  void read_http(slot& s, std::string_view data, nanoseconds at);
  void answered(slot& s, nanoseconds at, bool keeps_alive);
  void exchange_over(slot& s, nanoseconds at, bool keeps_alive);
  void fail(slot& s, std::string_view why, nanoseconds at);
  void let_go(slot& s, dwell::close_method how);
  void forget(slot& s) noexcept;
  void abandon(slot& s);
  void take_back(slot& s) noexcept;
  bool is_last(const slot& s) const noexcept;
  bool counts(nanoseconds intended) const noexcept;

  // ── time ──
  void open_some(nanoseconds at);
  bool opening() const noexcept { return to_open_ != 0 || !opening_.empty(); }
  void begin(nanoseconds at);
  nanoseconds turn(nanoseconds at);
  void pass(nanoseconds at);
  void hand_over();
  void end_waits(nanoseconds at);
  void give_up_unsent(nanoseconds until, nanoseconds at, bool timed_out);
  nanoseconds next_wake(nanoseconds at) const noexcept;
  bool over(nanoseconds at) const noexcept;
  void interrupt(nanoseconds at);
  void finish();
  void leave();

  plan plan_;
  const starting_line& line_;
  bool closed_loop_;
  dwell::close_method close_;
  std::string request_;
  std::string last_request_;  ///< asks the server to close
  std::optional<dwell::tls_client> tls_;
  dwell::upstream<session> upstream_;

  // Each slot is in one of these; the front has been there longest.
  slots free_;
  slots opening_;
  slots busy_;
  slots leaving_;
  slots abandoned_;
  slots resting_;  ///< could not connect; not to be tried again at once
  std::uint32_t to_open_ = 0;
  std::uint64_t open_ = 0;

  schedule schedule_;
  schedule due_;  ///< the same, a second at a time: how many were due
  load::window window_;
  nanoseconds begin_{0};  ///< of the schedule
  nanoseconds measured_from_{0};
  nanoseconds end_{0};
  nanoseconds boundary_{0};
  nanoseconds rested_{0};
  nanoseconds abandon_at_ = nanoseconds::max();
  bool accepting_ = false;  ///< what is due is sent
  bool measuring_ = false;  ///< what is counted is of no warm-up

  tally_queue tallies_;
  std::unique_ptr<tally> tally_;
};

}  // namespace load
