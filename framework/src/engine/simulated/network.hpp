#pragma once

#include "base/block_pool.hpp"
#include "base/slab.hpp"
#include "engine/simulated/random.hpp"
#include "engine/simulated/tcp.hpp"
#include "net/listener.hpp"
#include "net/socket_address.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <sys/uio.h>
#include <vector>

namespace dwell::inline v0 {

/// What goes wrong. Probabilities are 0 to 1, times are milliseconds.
struct network_faults {
  std::uint64_t delay = 0;   ///< one way
  std::uint64_t jitter = 0;  ///< up to this much more, for each segment; never reordered
  double loss = 0;           ///< of a segment: it arrives after a retransmission; of a reset: never
  double short_reads =
      0;  ///< of a segment to be cut, and of a receive to return less than there is
  double short_writes = 0;     ///< of a send to take less than there is room for
  double resets = 0;           ///< of a client to reset when it would read or send
  double accept_failures = 0;  ///< of an accept4 to fail
  int accept_error = EMFILE;
  double watch_failures = 0;  ///< of an epoll_ctl to fail
  double syn_loss = 0;        ///< of an engine's SYN, or its answer: sent again after 1, 2, 4 … s
  double connect_failures = 0;  ///< of an engine's connect(2) to fail
  int connect_error = EADDRNOTAVAIL;
};

/// Runs on the network's time: a server's loop.
class network_host {
 public:
  virtual bool has_work() const = 0;
  /// When it will have work if nothing comes; in the network's time.
  virtual std::optional<std::uint64_t> due() const = 0;
  virtual void run_turn() = 0;
  /// The readiness of an end that this host has may have changed.
  virtual void notice(tcp_connection& what, side at) = 0;

 protected:
  ~network_host() = default;
};

/// TCP as far as Dwell can see it, in virtual milliseconds: states, buffers, windows, resets,
/// orphans and where TIME_WAIT ends up, as Linux does it (tcp(7), RFC 9293; the rows are tests).
/// Segments are delivered in order; a loss is the delay of a retransmission. What happens at the
/// same instant happens in an order drawn from the seed. An idle connection costs no time and
/// sizeof(tcp_connection) bytes.
class network {
 public:
  static constexpr std::uint32_t mss = 1448;
  static constexpr std::uint32_t default_send_buffer = 256 * 1024;
  static constexpr std::uint32_t default_receive_buffer = 64 * 1024;

  explicit network(std::uint64_t seed) : random_{seed} {}
  network(const network&) = delete;
  network& operator=(const network&) = delete;

  network_faults faults;
  random_numbers& random() noexcept { return random_; }

  // ── time ──
  /// Milliseconds since the start.
  std::uint64_t now() const noexcept { return now_; }
  /// Lets everything happen that is due until then, inclusive, or until `stop` says so.
  /// True when it did. Throws std::runtime_error when a loop spins at one instant.
  bool run(std::uint64_t until, const std::function<bool()>& stop = {});

  // ── hosts and listeners ──
  std::uint16_t add_host(network_host& host);
  void remove_host(std::uint16_t host);
  /// Throws std::system_error when the port is taken. Returns the listener's number.
  std::uint16_t listen(std::uint16_t host, const listener_options& options);
  const endpoint& endpoint_of(std::uint16_t which) const { return listeners_[which].options.where; }
  bool has_queued(std::uint16_t which) const { return !listeners_[which].queue.empty(); }
  /// The oldest connection in the queue, or null.
  tcp_connection* accept(std::uint16_t which);
  /// What is queued is reset.
  void close_listener(std::uint16_t which);

  // ── connections ──
  /// A client connects; refused when nobody listens there.
  tcp_connection& connect(std::uint16_t port);
  /// A host connects, and goes through SYN_SENT. After `syn_retries` SYNs more than the first it
  /// has failed (ETIMEDOUT).
  tcp_connection& connect_from(std::uint16_t host, std::uint16_t port, int syn_retries);
  tcp_connection& operator[](std::uint32_t index) { return connections_[index]; }
  std::uint32_t size() const noexcept { return connections_.size(); }
  static socket_address address_of(std::uint32_t index);
  /// The connection whose client has this address.
  static std::optional<std::uint32_t> index_of(const endpoint& client);

  // ── system calls, of either end ──
  std::size_t readable(const tcp_connection& c, side at) const noexcept;
  /// poll(2)'s bits: POLLIN, POLLOUT, POLLRDHUP, POLLHUP, POLLERR.
  short readiness(const tcp_connection& c, side at) const noexcept;
  /// recv(2): bytes; 0: end; negative: -errno.
  std::ptrdiff_t receive(tcp_connection& c, side at, std::span<std::byte> into);
  /// sendmsg(2): bytes; negative: -errno.
  /// `more`: MSG_MORE.
  std::ptrdiff_t send(tcp_connection& c, side at, std::span<const iovec> data, bool more = false);
  void shutdown_send(tcp_connection& c, side at);
  /// TCP_CORK; off sends what was held back.
  void cork(tcp_connection& c, side at, bool on);
  void close(tcp_connection& c, side at);
  /// SO_LINGER of 0, then close.
  void reset(tcp_connection& c, side at);
  /// SIOCOUTQ: bytes, and one for a FIN.
  std::uint32_t unacknowledged(const tcp_connection& c, side at) const noexcept;
  /// Bytes the peer has room for, beyond what it acknowledged.
  std::uint32_t send_window(const tcp_connection& c, side at) const noexcept;
  /// What TCP_INFO says: a TIME_WAIT that still has a descriptor is TCP_CLOSE.
  std::uint8_t state_of(const tcp_connection& c, side at) const noexcept;
  /// The client is gone without a word, and the server's segments get lost.
  void vanish(tcp_connection& c);

 private:
  enum class event_kind : std::uint8_t {
    arrival,
    patience,
    uncork,
    keepalive,
    syn,
    syn_ack,
    queue,
    peer_turn
  };
  struct event {
    std::uint64_t at;
    std::uint32_t order;
    std::uint32_t connection;
    event_kind kind;
    side from;
  };
  static bool later(const event& a, const event& b) noexcept {
    return a.at != b.at ? a.at > b.at : a.order > b.order;
  }
  struct listener {
    std::uint16_t host;
    listener_options options;
    std::deque<std::uint32_t> queue;
    bool open = true;
  };

  void schedule(std::uint64_t at, event_kind kind, const tcp_connection& c, side from);
  bool step();
  void happen(const event& what);
  bool choose_listener(tcp_connection& c, std::uint16_t port);
  void take_syn(tcp_connection& c);
  void take_syn_ack(tcp_connection& c);
  void enqueue(tcp_connection& c);
  void keep_alive(tcp_connection& c);
  void notify(tcp_connection& c, side at);

  // sockets.cpp
  std::uint32_t buffered(const tcp_connection& c, side at) const noexcept;
  std::uint32_t room(const tcp_connection& c, side at) const noexcept;
  std::uint32_t receive_buffer(const tcp_connection& c, side at) const noexcept;
  std::uint32_t send_buffer(const tcp_connection& c, side at) const noexcept;

  // tcp.cpp
  tcp_flow& flow_from(tcp_connection& c, side from);
  void tidy(tcp_connection& c, side from);
  void transmit(tcp_connection& c, side from, bool whole_segments);
  void put_on_wire(tcp_connection& c, side from, segment what);
  void forget_lost(tcp_flow& f) const;
  void arrive(tcp_connection& c, side from);
  void take(tcp_connection& c, side at, segment& what);
  void take_acknowledgement(tcp_connection& c, side at, const segment& what);
  void take_reset(tcp_connection& c, side at);
  void send_reset(tcp_connection& c, side from);
  bool queue_fin(tcp_connection& c, side from);
  void enter(tcp_connection& c, side at, std::uint8_t state);
  void drop_unread(tcp_connection& c, side at);
  void fail(tcp_connection& c, side at, int error);
  void expire(tcp_connection& c, side at);
  bool outstanding(const tcp_connection& c, side at) const noexcept;
  void watch_patience(tcp_connection& c, side at);
  void check_patience(tcp_connection& c, side at);
  std::uint64_t patience(const tcp_connection& c, side at) const noexcept;
  std::uint32_t now32() const noexcept { return static_cast<std::uint32_t>(now_); }

  block_pool pool_;  // before what holds its blocks
  random_numbers random_;
  std::uint64_t now_ = 0;
  std::uint64_t steps_now_ = 0;  // at this instant
  std::vector<event> events_;    // a heap
  std::vector<network_host*> hosts_;
  std::vector<listener> listeners_;
  slab<tcp_connection> connections_;
  std::uint16_t next_port_ = 20'000;
};

}  // namespace dwell::inline v0
