#include "matrix/run.hpp"

#include <dwell/kernel/kernel_view.hpp>

#include "support/eventually.hpp"
#include "support/raw_client.hpp"
#include "support/running_server.hpp"

#include <gtest/gtest.h>

#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace dwell {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

std::string text_of(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * 7 % 26 + i % 3);
  return text;
}

/// The trials of one server port by the client's, for any thread.
class trials_by_port {
 public:
  void add(trial& what) {
    const std::lock_guard lock{mutex_};
    trials_[what.client_port] = &what;
  }
  trial* find(std::uint16_t port) const {
    const std::lock_guard lock{mutex_};
    const auto found = trials_.find(port);
    return found == trials_.end() ? nullptr : found->second;
  }
  void record(std::uint16_t port, const close_record& what) {
    const std::lock_guard lock{mutex_};
    trials_.at(port)->record = what;
    ++recorded_;
  }
  std::size_t recorded() const {
    const std::lock_guard lock{mutex_};
    return recorded_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::uint16_t, trial*> trials_;
  std::size_t recorded_ = 0;
};

class batch {
 public:
  batch(const two_networks& networks, const peer_behaviour& peer, wire over, std::size_t trials);
  std::deque<cell_run> run();

 private:
  struct service {
    explicit service(const matrix_cell& cell) : result{.cell = cell, .trials = {}} {}
    cell_run result;
    trials_by_port by_port;
    endpoint where;
  };

  void serve(service& one);
  void act(service& one, trial& of);
  void run_clients();
  void begin();
  void end();
  void set_dropping(bool on);
  bool look();
  void wait_until_gone_from_server();
  void wait_until_gone();
  std::size_t all() const { return services_.size() * trials_; }

  const two_networks& networks_;
  const peer_behaviour& peer_;
  const std::size_t trials_;
  const std::string reply_;
  std::deque<service> services_;
  std::map<std::uint16_t, service*> by_port_;
  kernel_view here_;
  std::optional<kernel_view> there_;
  signals signals_;
  std::atomic<std::size_t> acted_ = 0;
  std::atomic<bool> may_leave_ = false;
  clock::time_point asked_at_;
  server server_{quietly()};
};

batch::batch(const two_networks& networks, const peer_behaviour& peer, wire over,
             std::size_t trials)
    : networks_{networks}, peer_{peer}, trials_{trials}, reply_{text_of(peer.reply)} {
  networks_.on_client_side([this] { there_.emplace(); });
  for (const close_form& form : close_forms()) {
    for (const auto mode : {connection_mode::long_lived, connection_mode::short_lived}) {
      services_.emplace_back(matrix_cell{form, peer, mode, over});
      serve(services_.back());
    }
  }
  server_.start();
}

void batch::serve(service& one) {
  one.result.trials.resize(trials_);
  service_options options = options_of(one.result.cell);
  options.listen.address = two_networks::server_address;
  options.on_close = [&one](const connection& peer, const close_record& record) {
    one.by_port.record(peer.peer_endpoint().port, record);
  };
  one.where = server_.serve(std::move(options), handler_of({one.result.cell, reply_, signals_}));
  by_port_[one.where.port] = &one;
}

void batch::act(service& one, trial& of) {
  raw_client_options how{.receive_buffer = peer_.receive_buffer};
  if (one.result.cell.over == wire::tls) how.tls.emplace();
  raw_client client{one.where, how};
  of.client_port = client.local_port();
  one.by_port.add(of);
  exchange what{
      .reply = reply_, .announced = one.result.cell.is_announced(), .of = of, .all = signals_};
  peer_.act(client, what);
  ++acted_;
  may_leave_.wait(false);
}

void batch::run_clients() {
  std::vector<std::thread> threads;
  for (service& one : services_) {
    for (trial& of : one.result.trials) {
      threads.emplace_back([this, &one, &of] {
        try {
          act(one, of);
        } catch (const std::exception& failed) {
          ADD_FAILURE() << one.result.cell.form.name << ": " << failed.what();
        }
      });
    }
  }
  for (std::thread& each : threads) each.join();
}

void batch::set_dropping(bool on) {
  std::vector<std::uint16_t> ports;
  for (const service& one : services_) ports.push_back(one.where.port);
  EXPECT_EQ(networks_.drop_on_client_side(on ? ports : std::vector<std::uint16_t>{}), "");
}

/// Everything is asked for; what the peer does at the same time as the server comes now.
void batch::begin() {
  const auto all_have = [this](const char* what, const std::atomic<std::size_t>& done) {
    EXPECT_TRUE(eventually([&] { return done == all(); })) << done << " of " << all() << what;
  };
  all_have("have asked", signals_.asked);
  if (peer_.link != link::carries) set_dropping(true);
  asked_at_ = clock::now();
  signals_.may_answer = true;
  signals_.may_answer.notify_all();
  if (peer_.link != link::holds_fins) return;
  all_have("are answered", signals_.answered);
  all_have("have sent their FIN", signals_.shut);
  set_dropping(false);
}

/// Nothing is left on the server; what the peers still hold goes.
void batch::end() {
  if (peer_.link == link::drops) set_dropping(false);
  may_leave_ = true;
  may_leave_.notify_all();
}

/// What is there on the server now. True when that is nothing but TIME_WAIT.
bool batch::look() {
  std::map<const service*, bool> alive;
  here_.each({}, [&](const tcp_socket& seen) {
    const auto of = by_port_.find(seen.local.port);
    if (of == by_port_.end() || seen.state == tcp_state::listen) return;
    if (seen.state != tcp_state::time_wait) alive[of->second] = true;
    if (seen.state != tcp_state::fin_wait_2 || seen.inode != 0) return;
    if (trial* const which = of->second->by_port.find(seen.remote.port)) {
      which->orphan_in_fin_wait_2 = true;
    }
  });
  const auto since = std::chrono::duration_cast<duration>(clock::now() - asked_at_);
  for (const auto& [which, is] : alive) const_cast<service*>(which)->result.gone_after = since;
  return alive.empty();
}

void batch::wait_until_gone_from_server() {
  const auto recorded = [this] {
    std::size_t count = 0;
    for (const service& one : services_) count += one.by_port.recorded();
    return count == all();
  };
  const bool gone = eventually(
      [&] {
        const bool empty = look();
        return empty && acted_ == all() && recorded();
      },
      2 * patience);
  EXPECT_TRUE(gone) << acted_ << " have acted, of " << all();
}

/// Looks several times: the kernel's table is not read in one go.
void batch::wait_until_gone() {
  const auto each_side = [this](auto&& see) {
    here_.each({},
               [&](const tcp_socket& seen) { see(seen, seen.local.port, seen.remote.port, true); });
    there_->each(
        {}, [&](const tcp_socket& seen) { see(seen, seen.remote.port, seen.local.port, false); });
  };
  int quiet = 0;
  eventually([&] {
    for (service& one : services_) {
      one.result.gone = true;
      for (trial& of : one.result.trials) of.time_wait_here = of.time_wait_there = false;
    }
    bool all_gone = true;
    each_side(
        [&](const tcp_socket& seen, std::uint16_t server, std::uint16_t client, bool is_here) {
          const auto of = by_port_.find(server);
          if (of == by_port_.end() || seen.state == tcp_state::listen) return;
          trial* const which = of->second->by_port.find(client);
          if (seen.state != tcp_state::time_wait || which == nullptr) {
            of->second->result.gone = all_gone = false;
          } else {
            (is_here ? which->time_wait_here : which->time_wait_there) = true;
          }
        });
    quiet = all_gone ? quiet + 1 : 0;
    return quiet == 5;
  });
}

std::deque<cell_run> batch::run() {
  std::thread clients{[this] { networks_.on_client_side([this] { run_clients(); }); }};
  begin();
  wait_until_gone_from_server();
  end();
  clients.join();
  wait_until_gone();
  std::deque<cell_run> results;
  for (service& one : services_) results.push_back(std::move(one.result));
  return results;
}

}  // namespace

std::deque<cell_run> run_peer(const two_networks& networks, const peer_behaviour& peer, wire over,
                              std::size_t trials) {
  return batch{networks, peer, over, trials}.run();
}

}  // namespace dwell
