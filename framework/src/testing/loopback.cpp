#include <dwell/testing/loopback.hpp>

#include "engine/epoll/clock.hpp"
#include "testing/peer_host.hpp"
#include "testing/quiet_logger.hpp"
#include "testing/socket_client.hpp"

#include <algorithm>
#include <charconv>
#include <deque>
#include <fstream>
#include <map>
#include <mutex>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace dwell::testing {
namespace {

/// Local and remote port of each TIME_WAIT that the kernel holds for IPv4 (proc(5)).
std::vector<std::pair<std::uint16_t, std::uint16_t>> read_time_waits() {
  constexpr std::string_view time_wait_state = "06";
  const auto port_of = [](const std::string& address) {  // "0100007F:1F90"
    std::uint16_t port = 0;
    std::from_chars(address.data() + address.find(':') + 1, address.data() + address.size(), port,
                    16);
    return port;
  };
  std::ifstream table{"/proc/self/net/tcp"};
  std::vector<std::pair<std::uint16_t, std::uint16_t>> found;
  std::string line;
  std::getline(table, line);  // headings
  std::string number;
  std::string local;
  std::string remote;
  std::string state;
  while (table >> number >> local >> remote >> state && std::getline(table, line)) {
    if (state == time_wait_state) found.emplace_back(port_of(local), port_of(remote));
  }
  return found;
}

}  // namespace

class loopback::world final : public peer_host {
 public:
  struct running {
    std::unique_ptr<server> facade;
    endpoint where;
    bool started = false;
  };
  struct client {
    explicit client(std::uint16_t port) : socket{port}, server_port{port} {}
    socket_client socket;
    std::uint16_t server_port;
    std::uint64_t connected_at = read_clock();
  };
  struct closing {
    close_record record;
    std::uint64_t at;
  };
  using ports = std::pair<std::uint16_t, std::uint16_t>;  // the server's and the client's

  endpoint add_service(server& on, service_options options, handler what) {
    if (options.listen.address.empty()) options.listen.address = "127.0.0.1";
    // Clients of different servers may have the same port.
    const auto server_port = std::make_shared<std::uint16_t>();
    options.on_close = [this, server_port, asked = std::move(options.on_close)](
                           const connection& peer, const close_record& record) {
      const auto whose = peer.proxy_endpoint().value_or(peer.peer_endpoint());
      const ports both{*server_port, whose.port};
      {
        const std::lock_guard held{mutex};
        closings.emplace(both, closing{record, read_clock()});
      }
      if (asked) asked(peer, record);
    };
    endpoint bound = on.serve(std::move(options), std::move(what));
    *server_port = bound.port;
    return bound;
  }

  running& find(const server& which) {
    for (running& each : servers) {
      if (each.facade.get() == &which) return each;
    }
    throw std::logic_error{"loopback: this server is not one of its own"};
  }

  void start() {
    for (running& each : servers) {
      if (!std::exchange(each.started, true)) each.facade->start();
    }
  }

  peer connect(std::uint16_t port) {
    start();
    clients.emplace_back(port);
    return make_peer(static_cast<std::uint32_t>(clients.size() - 1));
  }

  /// Lets the clients act for at most that long, and no longer than there is something to wait for.
  void pump(std::uint64_t at_most) {
    std::vector<pollfd> waiting;
    std::vector<client*> whose;
    for (client& each : clients) {
      if (each.socket.descriptor() < 0) continue;
      waiting.push_back({each.socket.descriptor(), each.socket.interest(), 0});
      // A reset cannot be masked: a client that waits for nothing is left out.
      if (waiting.back().events == 0) waiting.back().fd = -1;
      whose.push_back(&each);
    }
    ::poll(waiting.data(), waiting.size(), static_cast<int>(at_most));
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      if (waiting[i].revents != 0) whose[i]->socket.act();
    }
  }

  // ── peer_host ──
  void send(std::uint32_t which, bytes data) override { clients[which].socket.send(data.text()); }
  void shutdown_send(std::uint32_t which) override { clients[which].socket.shutdown_send(); }
  void close(std::uint32_t which) override { clients[which].socket.close(); }
  void reset(std::uint32_t which) override { clients[which].socket.reset(); }
  void vanish(std::uint32_t) override {
    throw std::logic_error{
        "peer::vanish(): a kernel answers for its processes; only a simulation can do that"};
  }
  void read(std::uint32_t which, bool on) override { clients[which].socket.read(on); }
  void stay_at_end(std::uint32_t which) override { clients[which].socket.stay_at_end(); }
  void close_after(std::uint32_t which, std::size_t count) override {
    clients[which].socket.close_after(count);
  }
  std::string_view received(std::uint32_t which) const override {
    return clients[which].socket.received();
  }
  std::string take_received(std::uint32_t which) override {
    return std::exchange(clients[which].socket.received(), {});
  }
  bool got_end(std::uint32_t which) const override { return clients[which].socket.got_end(); }
  bool got_reset(std::uint32_t which) const override { return clients[which].socket.got_error(); }
  bool is_open(std::uint32_t which) const override {
    return clients[which].socket.local_port() != 0 && find_closing(which) == nullptr;
  }
  std::optional<duration> closed_after(std::uint32_t which) const override {
    const closing* const found = find_closing(which);
    if (found == nullptr) return std::nullopt;
    const std::uint64_t since = clients[which].connected_at;
    return duration{static_cast<std::int64_t>(found->at - std::min(found->at, since))};
  }
  const close_record* record(std::uint32_t which) const override {
    const closing* const found = find_closing(which);
    return found == nullptr ? nullptr : &found->record;
  }
  dwell::time_wait time_wait(std::uint32_t which) const override {
    const std::uint16_t server_port = clients[which].server_port;
    const std::uint16_t client_port = clients[which].socket.local_port();
    bool here = false;
    bool there = false;
    for (const auto& [local, remote] : read_time_waits()) {
      here = here || (local == server_port && remote == client_port);
      there = there || (local == client_port && remote == server_port);
    }
    if (here) return there ? dwell::time_wait::both : dwell::time_wait::here;
    return there ? dwell::time_wait::there : dwell::time_wait::nowhere;
  }

  std::uint64_t started_at = read_clock();
  std::deque<client> clients;
  mutable std::mutex mutex;                // servers' threads write closings
  std::multimap<ports, closing> closings;  // those of the same ports in order
  std::vector<running> servers;            // their threads use what is above

 private:
  const closing* find_closing(std::uint32_t which) const {
    const std::lock_guard held{mutex};
    const client& whose = clients[which];
    const auto [first, last] =
        closings.equal_range(ports{whose.server_port, whose.socket.local_port()});
    const auto found = std::find_if(first, last, [&](const auto& each) {
      return each.second.at >= whose.connected_at;  // or of an earlier one with that port
    });
    return found == last ? nullptr : &found->second;
  }
};

loopback::loopback() : world_{std::make_unique<world>()} {}
loopback::~loopback() = default;

server& loopback::serve(service_options service, handler what, server_options process) {
  if (process.logger == nullptr) process.logger = quiet_logger();
  world::running made{std::make_unique<server>(std::move(process)), {}};
  made.where = world_->add_service(*made.facade, std::move(service), std::move(what));
  return *world_->servers.emplace_back(std::move(made)).facade;
}

endpoint loopback::serve(server& on, service_options service, handler what) {
  return world_->add_service(on, std::move(service), std::move(what));
}

peer loopback::connect(const server& to) { return world_->connect(world_->find(to).where.port); }
peer loopback::connect(const endpoint& to) { return world_->connect(to.port); }

void loopback::advance(duration time) {
  run_until([] { return false; }, time);
}

bool loopback::run_until(const std::function<bool()>& done, duration within) {
  constexpr std::uint64_t look_every = 2;  // ms: what is waited for may be on another thread
  world_->start();
  const std::uint64_t end = read_clock() + static_cast<std::uint64_t>(within.count());
  for (;;) {
    world_->pump(0);
    if (done()) return true;
    const std::uint64_t now = read_clock();
    if (now >= end) return false;
    world_->pump(std::min(look_every, end - now));
  }
}

duration loopback::now() const noexcept {
  return duration{static_cast<std::int64_t>(read_clock() - world_->started_at)};
}

}  // namespace dwell::testing
