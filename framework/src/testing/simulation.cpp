#include <dwell/testing/simulation.hpp>

#include "engine/simulated/peer.hpp"
#include "engine/simulated/simulated_engine.hpp"
#include "server/core.hpp"
#include "testing/peer_host.hpp"
#include "testing/quiet_logger.hpp"

#include <stdexcept>
#include <vector>

namespace dwell::testing {
namespace {

constexpr std::uint64_t minute_before_wrap = (std::uint64_t{1} << 32U) - 60'000;

network_faults to_network(const faults& from) {
  const auto ms = [](duration length) { return static_cast<std::uint64_t>(length.count()); };
  return {.delay = ms(from.delay),
          .jitter = ms(from.jitter),
          .loss = from.loss,
          .short_reads = from.short_reads,
          .short_writes = from.short_writes,
          .resets = from.resets,
          .accept_failures = from.accept_failures,
          .watch_failures = from.watch_failures,
          .syn_loss = from.syn_loss,
          .connect_failures = from.connect_failures};
}

}  // namespace

class simulation::world final : public peer_host {
 public:
  explicit world(const simulation_options& options)
      : net{options.seed}, epoch{options.seed % 2 == 1 ? minute_before_wrap : 0} {
    net.faults = to_network(options.faults);
  }

  struct running {
    simulated_engine* io;
    endpoint where;
    std::unique_ptr<server> facade;
  };

  server& add_server(server_options process) {
    if (process.logger == nullptr) process.logger = quiet_logger();
    running made{};
    auto core = std::make_unique<server_core>(std::move(process), [&](block_pool& pool) {
      auto io = std::make_unique<simulated_engine>(pool, net, epoch);
      made.io = io.get();
      return io;
    });
    made.facade = server_core::make_server(std::move(core));
    return *servers.emplace_back(std::move(made)).facade;
  }

  endpoint add_service(server& on, service_options options, handler what) {
    options.on_close = [this, asked = std::move(options.on_close)](const connection& peer,
                                                                   const close_record& record) {
      keep(*network::index_of(peer.proxy_endpoint().value_or(peer.peer_endpoint())), record);
      if (asked) asked(peer, record);
    };
    return on.serve(std::move(options), std::move(what));
  }

  running& find(const server& which) {
    for (running& each : servers) {
      if (each.facade.get() == &which) return each;
    }
    throw std::logic_error{"simulation: this server is not one of its own"};
  }

  peer connect(std::uint16_t port) { return make_peer(net.connect(port).index); }

  // ── peer_host ──
  void send(std::uint32_t which, bytes data) override { at(which).send(data.text()); }
  void shutdown_send(std::uint32_t which) override { at(which).shutdown_send(); }
  void close(std::uint32_t which) override { at(which).close(); }
  void reset(std::uint32_t which) override { at(which).reset(); }
  void vanish(std::uint32_t which) override { at(which).vanish(); }
  void read(std::uint32_t which, bool on) override { at(which).read(on); }
  void stay_at_end(std::uint32_t which) override { at(which).close_at_end(false); }
  void close_after(std::uint32_t which, std::size_t count) override {
    at(which).close_after(count);
  }
  std::string_view received(std::uint32_t which) const override { return at(which).received(); }
  std::string take_received(std::uint32_t which) override { return at(which).take_received(); }
  bool got_end(std::uint32_t which) const override { return net[which].peer.got_end; }
  bool got_reset(std::uint32_t which) const override { return net[which].peer.error != 0; }
  bool is_open(std::uint32_t which) const override { return net[which][side::server].held; }
  std::optional<duration> closed_after(std::uint32_t which) const override {
    const tcp_connection& c = net[which];
    if (!c.released) return std::nullopt;
    return duration{c.released_at - c.accepted_at};
  }
  const close_record* record(std::uint32_t which) const override {
    return which < records.size() ? records[which].get() : nullptr;
  }
  dwell::time_wait time_wait(std::uint32_t which) const override {
    const bool there = net[which][side::client].time_wait;
    if (net[which][side::server].time_wait) {
      return there ? dwell::time_wait::both : dwell::time_wait::here;
    }
    return there ? dwell::time_wait::there : dwell::time_wait::nowhere;
  }

  mutable network net;  // a handle to a peer is made from it
  std::uint64_t epoch;
  std::vector<running> servers;  // on the network, so after it
  std::vector<std::unique_ptr<client>> clients;
  std::vector<std::unique_ptr<close_record>> records;  // by connection

 private:
  simulated_peer at(std::uint32_t which) const { return {net, net[which]}; }

  void keep(std::uint32_t which, const close_record& record) {
    if (which >= records.size()) records.resize(net.size());
    records[which] = std::make_unique<close_record>(record);
  }
};

simulation::simulation(simulation_options options) : world_{std::make_unique<world>(options)} {}
simulation::~simulation() = default;

server& simulation::serve(service_options service, handler what, server_options process) {
  server& made = world_->add_server(std::move(process));
  try {
    world_->servers.back().where = world_->add_service(made, std::move(service), std::move(what));
  } catch (...) {
    world_->servers.pop_back();
    throw;
  }
  return made;
}

endpoint simulation::serve(server& on, service_options service, handler what) {
  return world_->add_service(on, std::move(service), std::move(what));
}

client& simulation::start_client(client_options process) {
  if (process.logger == nullptr) process.logger = quiet_logger();
  world& in = *world_;
  auto core = std::make_unique<server_core>(
      server_options{.connections = process.connections, .logger = std::move(process.logger)},
      [&in](block_pool& pool) {
        return std::make_unique<simulated_engine>(pool, in.net, in.epoch);
      });
  return *in.clients.emplace_back(server_core::make_client(std::move(core)));
}

endpoint simulation::where(const server& which) const { return world_->find(which).where; }

peer simulation::connect(const server& to) { return world_->connect(world_->find(to).where.port); }
peer simulation::connect(const endpoint& to) { return world_->connect(to.port); }

void simulation::advance(duration time) { run_until({}, time); }

bool simulation::run_until(const std::function<bool()>& done, duration within) {
  return world_->net.run(world_->net.now() + static_cast<std::uint64_t>(within.count()), done);
}

duration simulation::now() const noexcept {
  return duration{static_cast<std::int64_t>(world_->net.now())};
}

void simulation::set_faults(const faults& from_now_on) {
  world_->net.faults = to_network(from_now_on);
}

void simulation::freeze(const server& which, duration time) {
  world_->find(which).io->freeze(static_cast<std::uint64_t>(time.count()));
}

std::uint64_t simulation::wakeups(const server& of) const { return world_->find(of).io->wakeups(); }

}  // namespace dwell::testing
