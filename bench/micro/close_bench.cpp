// A connection's life without the kernel's part: accepted, one exchange, closed, its record made
// and told.

#include <dwell/connection/callbacks.hpp>

#include "connection/loop.hpp"

#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <optional>

namespace {

using namespace dwell;

/// Takes everything, brings one message to each new connection, and never waits.
class no_kernel final : public engine {
 public:
  using engine::engine;
  using engine::input_buffer;

  void arm(std::uint64_t) override {}
  void wake() noexcept override {}
  endpoint listen(std::uint32_t, const listener_options&) override { return {}; }
  void set_accepting(bool) override {}
  void accept_queued() override {}
  void close_listeners() override {}
  outgoing_socket connect(stream&, const raw_address&, const outgoing_options&) noexcept override {
    return {};
  }
  int connect_result(const stream&, const raw_address&, bool) noexcept override { return 0; }
  bool watch(stream&) noexcept override { return true; }
  received receive(stream&) noexcept override {
    if (!input_left_) return {};
    input_left_ = false;
    return {.what = received::outcome::data, .data = bytes{input_buffer(), 64}};
  }
  bool has_input(const stream&) noexcept override { return input_left_; }
  sent send(stream&, std::span<const iovec> data, after_this) noexcept override {
    std::size_t count = 0;
    for (const iovec& each : data) count += each.iov_len;
    return {.count = count};
  }
  sent_file send_file(stream&, int, std::uint64_t, std::size_t) noexcept override { return {}; }
  void cork(stream& what, bool on) noexcept override { what.corked = on; }
  void shutdown_send(stream&) noexcept override {}
  std::uint32_t unacknowledged(const stream&) noexcept override { return 0; }
  std::optional<tcp_facts> facts(const stream&) noexcept override { return std::nullopt; }
  endpoint local_endpoint(const stream&) const override { return {}; }
  void release(stream& what, dwell::release) noexcept override { what.descriptor = -1; }
  bool can_avoid_time_wait() const noexcept override { return true; }

  /// A turn in which one connection comes, and is served to its end.
  void accept_one() {
    input_left_ = true;
    events().on_turn_begin();
    const admission terms = events().reserve(true);
    events().on_accept({.descriptor = 1, .service = 0, .peer = {}, .terms = terms});
    events().on_turn_end();
  }

 private:
  std::chrono::sys_time<std::chrono::milliseconds> read_date() const noexcept override {
    return {};
  }
  bool input_left_ = false;
};

class no_server final : public loop_owner {
 public:
  bool has_room(const loop&, bool) noexcept override { return true; }
  bool admit() noexcept override { return true; }
  void admit_over_limit() noexcept override {}
  void readmit() noexcept override {}
  void wait_for_room() noexcept override {}
  bool waits_for_room() const noexcept override { return false; }
  gate accepting() const noexcept override { return gate::open; }
  bool shrinks_idle() const noexcept override { return false; }
  bool evicts() const noexcept override { return false; }
  void evicted() noexcept override {}
  void refused() noexcept override {}
  void saw_descriptor(int) noexcept override {}
  void memory_changed(std::int64_t) noexcept override {}
  void turn_was_long(duration) noexcept override {}
  void watch_pressure() noexcept override {}
  loop* deal(loop&, const service&) noexcept override { return nullptr; }
  void pause_accepting(loop&, bool) noexcept override {}
  duration accept_pause() const noexcept override { return {}; }
  void log_close(const slot&, const close_record&) noexcept override {}
  void log_failure(const slot&, const char*) noexcept override {}
  void task_failed(const char*) noexcept override {}
  void log_accept_failed(int, std::uint64_t) noexcept override {}
  void log_held(const slot&, duration) noexcept override {}
  void log_untrusted(const service&, const socket_address&, std::uint64_t) noexcept override {}
  void run_off_loop(offload_job&) override {}
  server& facade() noexcept override { std::abort(); }
};

// Arguments: the close method, as close_method has them.
void life_and_close_record(benchmark::State& state) {
  block_pool pool;
  no_kernel kernel{pool};
  no_server nobody;
  const auto method = static_cast<close_method>(state.range(0));
  std::uint64_t told = 0;
  service_options options;
  options.on_close = [&told](const connection&, const close_record& record) {
    told += record.received;
  };
  const handler echo = callbacks<>{.on_data = [method](connection& peer, no_session&, bytes data) {
    peer.send(data);
    peer.close(close_reason::finished, method);
    return data.size();
  }};
  const service served{.index = 0, .options = options, .what = echo, .corked = true};
  loop here{0, pool, kernel, nobody,
            loop_options{.mailbox = 16,
                         .full = when_full::refuse,
                         .longest_turn = off,
                         .idle_share = 100,
                         .reap_rate = unlimited}};
  here.host(served);
  std::uint64_t lives = 0;
  for (auto _ : state) {
    kernel.accept_one();
    ++lives;
  }
  if (told != lives * 64) state.SkipWithError("a close record is missing");
}
BENCHMARK(life_and_close_record)
    ->Arg(static_cast<int>(close_method::graceful))
    ->Arg(static_cast<int>(close_method::abort_after_fin))
    ->Arg(static_cast<int>(close_method::abort));

}  // namespace
