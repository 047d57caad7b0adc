#include "scarce_server.hpp"

#include "engine/simulated/simulated_engine.hpp"
#include "scarce_memory.hpp"
#include "server/core.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>

namespace dwell::testing {

using scarce_memory::whose;

/// What the engine tells is the server's work.
class scarce_server::told_to_server final : public engine_events {
 public:
  explicit told_to_server(engine_events& whom) noexcept : to_{&whom} {}

  void for_each_stream(void (*call)(engine&, stream&)) override { to_->for_each_stream(call); }
  stream* find(std::uint32_t slot, std::uint32_t generation) noexcept override {
    return to_->find(slot, generation);
  }
  void on_turn_begin() override {
    const whose scope{true};
    to_->on_turn_begin();
  }
  admission reserve(bool certain) override {
    const whose scope{true};
    return to_->reserve(certain);
  }
  void unreserve(admission unused) override { to_->unreserve(unused); }
  void on_accept(const accepted& fresh) override {
    const whose scope{true};
    to_->on_accept(fresh);
  }
  void on_accept_failed(int error) override {
    const whose scope{true};
    to_->on_accept_failed(error);
  }
  void on_received(stream& from, const received& input) override {
    const whose scope{true};
    to_->on_received(from, input);
  }
  void on_connected(stream& which, bool in_error) override {
    const whose scope{true};
    to_->on_connected(which, in_error);
  }
  void on_writable(stream& to) override {
    const whose scope{true};
    to_->on_writable(to);
  }
  void on_peer_fin(stream& from) override {
    const whose scope{true};
    to_->on_peer_fin(from);
  }
  void on_hangup(stream& from) override {
    const whose scope{true};
    to_->on_hangup(from);
  }
  void on_time() override {
    const whose scope{true};
    to_->on_time();
  }
  void on_wake() override {
    const whose scope{true};
    to_->on_wake();
  }
  void on_turn_end() override {
    const whose scope{true};
    to_->on_turn_end();
  }

 private:
  engine_events* to_;
};

/// What it does itself stands for the kernel, whose memory is another matter.
class scarce_server::counting_engine final : public simulated_engine {
 public:
  using simulated_engine::simulated_engine;

  std::unique_ptr<told_to_server> come_between() {
    auto made = std::make_unique<told_to_server>(events());
    attach(*made);
    return made;
  }

  outgoing_socket connect(stream& fresh, const raw_address& to,
                          const outgoing_options& how) noexcept override {
    const whose scope{false};
    return simulated_engine::connect(fresh, to, how);
  }
  bool watch(stream& what) noexcept override {
    const whose scope{false};
    return simulated_engine::watch(what);
  }
  received receive(stream& from) noexcept override {
    const whose scope{false};
    return simulated_engine::receive(from);
  }
  sent send(stream& to, std::span<const iovec> data, after_this follows) noexcept override {
    const whose scope{false};
    return simulated_engine::send(to, data, follows);
  }
  sent_file send_file(stream& to, int file, std::uint64_t offset,
                      std::size_t count) noexcept override {
    const whose scope{false};
    return simulated_engine::send_file(to, file, offset, count);
  }
  void cork(stream& what, bool on) noexcept override {
    const whose scope{false};
    simulated_engine::cork(what, on);
  }
  void shutdown_send(stream& what) noexcept override {
    const whose scope{false};
    simulated_engine::shutdown_send(what);
  }
  void release(stream& what, dwell::release how) noexcept override {
    const whose scope{false};
    simulated_engine::release(what, how);
  }
};

scarce_server::scarce_server(server_options process)
    : count_close_{[this](const connection& peer, const close_record&) {
        const whose scope{false};
        ++closes_[peer.id()];
      }} {
  // Lines are made, and go nowhere.
  process.logger =
      std::make_shared<spdlog::logger>("scarce", std::make_shared<spdlog::sinks::null_sink_st>());
  process.logger->set_level(spdlog::level::debug);
  auto core = std::make_unique<server_core>(std::move(process), [this](block_pool& pool) {
    auto made = std::make_unique<counting_engine>(pool, net_, 0);
    io_ = made.get();
    return made;
  });
  events_ = io_->come_between();
  server_ = server_core::make_server(std::move(core));
}

scarce_server::~scarce_server() = default;

std::uint16_t scarce_server::serve(service_options options, handler what) {
  options.on_close = count_close_;
  return server_->serve(std::move(options), std::move(what)).port;
}

void scarce_server::advance(duration time) {
  net_.run(net_.now() + static_cast<std::uint64_t>(time.count()));
}

std::string scarce_server::what_is_left() {
  const server_counts now = server_->counts();
  std::uint64_t closed = 0;
  for (const std::uint64_t each : now.closed) closed += each;
  const auto said = [](const char* what, std::uint64_t count) {
    std::string text{what};
    return text.append(": ").append(std::to_string(count));
  };
  if (now.live != 0) return said("live", now.live);
  if (now.waiting_for_frames != 0) return said("waiting for frames", now.waiting_for_frames);
  if (now.opened != closed) return said("opened and not closed", now.opened - closed);
  if (closes_.size() != closed) return said("records", closes_.size());
  for (const auto& [id, times] : closes_) {
    if (times != 1) return said("records of one connection", static_cast<std::uint64_t>(times));
  }
  const std::uint64_t wakeups = io_->wakeups();
  advance(std::chrono::hours{24});
  if (io_->wakeups() != wakeups) return said("wakeups afterwards", io_->wakeups() - wakeups);
  return {};
}

}  // namespace dwell::testing
