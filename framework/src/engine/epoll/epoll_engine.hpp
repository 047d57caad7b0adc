#pragma once

#include "engine/engine.hpp"
#include "engine/epoll/handler_memory.hpp"
#include "engine/epoll/poller.hpp"

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>

#include <atomic>
#include <memory>
#include <vector>

namespace dwell::inline v0 {

/// The engine on Linux: an epoll set of its own, watched through one descriptor of an Asio
/// io_context. Asio carries timers, posts and whatever else its user brings; readiness of
/// connections does not go through Asio's per-socket operations.
///
/// The re-arm rule: exactly one async_wait on the set; each wake-up takes one batch, and waits
/// again, always, also after a full batch, because re-arming (EPOLL_CTL_MOD) checks readiness anew.
/// The edge alone would lose events.
class epoll_engine final : public engine {
 public:
  epoll_engine(asio::io_context& host, block_pool& pool);
  ~epoll_engine() override;

  /// Begins to watch. Before the first run of the io_context, on any thread.
  void start();
  /// Cancels what waits, so that the io_context can run out of work.
  void stop();

  void restamp() noexcept override;
  void arm(std::uint64_t due) override;
  void wake() noexcept override;
  asio::io_context* host() noexcept override { return host_; }
  /// The epoll set that holds its connections.
  int set() const noexcept { return poller_.descriptor(); }

  /// Accepts from `another`'s listeners too, of which this thread's descriptor table has a copy,
  /// whenever it has the turn. Before start().
  void share_listeners(const epoll_engine& another);
  std::vector<int> listeners() const;
  /// Of listeners that are shared, one engine at a time accepts, so many connections at once, and
  /// watches them meanwhile.
  void give_turn(bool mine);
  void accept_at_once(std::size_t connections) { at_once_ = connections; }

  endpoint listen(std::uint32_t service, const listener_options& options) override;
  void set_accepting(bool on) override;
  void accept_queued() override;
  void close_listeners() override;

  outgoing_socket connect(stream& fresh, const raw_address& to,
                          const outgoing_options& how) noexcept override;
  int connect_result(const stream& which, const raw_address& to, bool in_error) noexcept override;
  bool watch(stream& what) noexcept override;
  received receive(stream& from) noexcept override;
  bool has_input(const stream& which) noexcept override;
  sent send(stream& to, std::span<const iovec> data, after_this follows) noexcept override;
  sent_file send_file(stream& to, int file, std::uint64_t offset,
                      std::size_t count) noexcept override;
  void cork(stream& what, bool on) noexcept override;
  void shutdown_send(stream& what) noexcept override;
  std::uint32_t unacknowledged(const stream& what) noexcept override;
  std::optional<tcp_facts> facts(const stream& what) noexcept override;
  endpoint local_endpoint(const stream& what) const override;
  void release(stream& what, dwell::release how) noexcept override;
  bool can_avoid_time_wait() const noexcept override;

 private:
  static constexpr std::size_t accept_batch = 64;

  struct listener {
    int descriptor;
    std::uint32_t service;
    std::string unlink_path;  // of a Unix socket
    bool inherited;
  };

  std::chrono::sys_time<std::chrono::milliseconds> read_date() const noexcept override;
  void wait_for_events();
  void begin_turn();
  void end_turn();
  std::size_t poll();
  void dispatch(const epoll_event& event);
  bool accept_from(const listener& from);
  void count_ghost(std::uint32_t generation);
  void rebuild_set();
  void watch_listeners();

  asio::io_context* host_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // posts outlive the engine
  poller poller_;
  asio::posix::stream_descriptor watched_;
  asio::steady_timer timer_;
  std::shared_ptr<handler_memory> wait_memory_ = std::make_shared<handler_memory>();
  std::shared_ptr<handler_memory> timer_memory_ = std::make_shared<handler_memory>();
  std::shared_ptr<handler_memory> wake_memory_ = std::make_shared<handler_memory>();
  std::vector<listener> listeners_;
  std::uint64_t armed_for_ = 0;  // 0: the timer is not armed
  std::uint64_t turn_began_ = 0;
  std::uint64_t ghosts_since_ = 0;
  std::uint32_t ghost_ = 0;
  std::uint32_t ghosts_ = 0;
  bool is_haunted_ = false;
  std::atomic<bool> woken_ = false;
  bool accepting_ = false;
  bool has_turn_ = true;
  std::size_t at_once_ = accept_batch;
  bool stopped_ = true;
};

}  // namespace dwell::inline v0
