#pragma once

#include "engine/engine.hpp"
#include "engine/simulated/network.hpp"

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

namespace dwell::inline v0 {

/// An engine in virtual time over a simulated network. What it does in one turn (accept, I/O,
/// timer, wake) and in which order is drawn from the network's seed, within what epoll_engine
/// promises. Time stands still during a turn. Its clock starts `epoch` milliseconds after zero, so
/// that a test may begin before the 32-bit wrap.
class simulated_engine final : public engine, private network_host {
 public:
  simulated_engine(block_pool& pool, network& net, std::uint64_t epoch);
  ~simulated_engine() override;

  /// The process is stopped (SIGSTOP, starvation) until that much later; the network goes on.
  void freeze(std::uint64_t milliseconds) noexcept {
    frozen_until_ = network_->now() + milliseconds;
  }
  /// Events told so far: a loop that spins shows here.
  std::uint64_t wakeups() const noexcept { return wakeups_; }

  void restamp() noexcept override { now_ = epoch_ + network_->now(); }
  void arm(std::uint64_t due) override;
  void wake() noexcept override { woken_.store(true, std::memory_order_release); }
  endpoint listen(std::uint32_t service, const listener_options& options) override;
  void set_accepting(bool on) override { accepting_ = on; }
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
  bool can_avoid_time_wait() const noexcept override { return true; }

 private:
  struct listening {
    std::uint16_t number;  // the network's
    std::uint32_t service;
  };
  enum class turn : std::uint8_t { io, time, wake };

  /// The simulation starts with the year 2000.
  std::chrono::sys_time<std::chrono::milliseconds> read_date() const noexcept override {
    using namespace std::chrono;
    return sys_days{year{2000} / January / 1} + milliseconds{network_->now()};
  }
  bool has_work() const override;
  std::optional<std::uint64_t> due() const override;
  void run_turn() override;
  void notice(tcp_connection& what, side at) override;

  bool is_frozen() const noexcept { return network_->now() < frozen_until_; }
  bool has_io() const;
  bool is_time() const noexcept { return armed_ && *armed_ <= epoch_ + network_->now(); }
  turn choose_turn();
  void stamp();
  void run_io();
  bool accept_from(const listening& where);
  /// An end of a connection that is on this engine; numbered, two to a connection.
  struct end {
    tcp_connection* c;
    side at;
  };
  void tell(const end& which);
  end numbered(std::uint32_t number) const;
  end of(const stream& what) const;

  network* network_;
  std::uint64_t epoch_;
  std::uint16_t host_;
  std::optional<std::uint64_t> armed_;  // in the engine's time
  std::atomic<bool> woken_ = false;
  bool accepting_ = false;
  std::uint64_t frozen_until_ = 0;
  std::uint64_t wakeups_ = 0;
  std::vector<listening> listeners_;
  std::vector<std::uint32_t>
      ready_;  // epoll's ready list, of ends: looked at again in the next turn
  std::vector<std::uint32_t> batch_;
  std::vector<accepted> fresh_;
};

}  // namespace dwell::inline v0
