#include "server/core.hpp"

#include <dwell/connection/offload.hpp>

#include "connection/validate_options.hpp"
#include "engine/epoll/clock.hpp"
#include "engine/epoll/epoll_engine.hpp"
#include "net/listener.hpp"
#include "net/socket_address.hpp"
#include "server/own_tables.hpp"
#include "server/signals.hpp"
#include "server/validate.hpp"

#include <asio/post.hpp>

#include <algorithm>
#include <csignal>
#include <stdexcept>

namespace dwell::inline v0 {
namespace {

int usable_cpus() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

/// Shows a loop's connections, a slice at a time. It is handed from slice to slice, and when it
/// goes the loop has nothing more to show: also when the loop ends with it in its mailbox.
class walk {
 public:
  struct calls {
    std::function<void(connection&)> visit;
    std::function<void(std::uint32_t)> loop_done;
  };

  walk(std::uint32_t loop, std::shared_ptr<const calls> what) noexcept
      : calls_{std::move(what)}, loop_{loop} {}
  walk(walk&&) noexcept = default;
  walk& operator=(walk&&) = delete;
  ~walk() {
    if (calls_ != nullptr && calls_->loop_done) calls_->loop_done(loop_);
  }

  void operator()(loop& on) {
    constexpr std::uint32_t slots_per_turn = 1'000;
    from_ = on.visit(from_, slots_per_turn, calls_->visit);
    if (from_ != slab<slot>::end) on.run_slice(std::move(*this));
  }

 private:
  std::shared_ptr<const calls> calls_;
  std::uint32_t loop_;
  std::uint32_t from_ = 0;
};

std::shared_ptr<spdlog::logger> logger_for(const server_options& options) {
  if (options.logger != nullptr) return options.logger;
  const no_signals scope;
  return make_logger();
}

}  // namespace

// ── making ──

server_core::server_core(server_options options)
    : options_{std::move(options)},
      ladder_{options_.pressure, options_.full, options_.connections} {
  validate(options_);
  logger_ = logger_for(options_);
  const int threads = options_.threads == 0 ? usable_cpus() : options_.threads;
  for (int i = 0; i < threads; ++i) {
    auto context = std::make_unique<loop_context>(1);
    asio::io_context& runs_on = *context;
    add_host(std::move(context), runs_on);
  }
  limit_to_descriptors();
}

server_core::server_core(server_options options, asio::io_context& host)
    : options_{std::move(options)},
      ladder_{options_.pressure, options_.full, options_.connections},
      embedded_{true} {
  validate(options_);
  logger_ = logger_for(options_);
  add_host(nullptr, host);
  limit_to_descriptors();
  begin();
}

server_core::server_core(server_options options, const engine_factory& make_engine)
    : options_{std::move(options)},
      ladder_{options_.pressure, options_.full, options_.connections},
      embedded_{true} {
  validate(options_);
  logger_ = logger_for(options_);
  auto& host = *hosts_.emplace_back(std::make_unique<loop_host>());
  host.io = make_engine(host.pool);
  add_loop(host);
  begin();
}

server_core::~server_core() {
  if (!embedded_ && stage_ != server_stage::made) {
    stop();
    join_threads();
  }
  for (const auto& host : hosts_) host->end_workers();  // what they run refers to coroutine frames
  for (const auto& host : hosts_) host->connections->destroy_all();
  signals_.reset();
  hosts_.clear();
}

std::unique_ptr<server> server_core::make_server(std::unique_ptr<server_core> core) {
  return std::unique_ptr<server>{new server{std::move(core)}};
}

void server_core::add_host(std::unique_ptr<loop_context> context, asio::io_context& runs_on) {
  auto& host = *hosts_.emplace_back(std::make_unique<loop_host>());
  host.context = std::move(context);
  auto made = std::make_unique<epoll_engine>(runs_on, host.pool);
  host.epoll = made.get();
  host.io = std::move(made);
  add_loop(host);
}

void server_core::add_loop(loop_host& host) {
  host.connections = std::make_unique<loop>(
      static_cast<std::uint32_t>(hosts_.size() - 1), host.pool, *host.io, *this,
      loop_options{.mailbox = options_.mailbox,
                   .full = options_.full,
                   .longest_turn = options_.pressure.turn,
                   .idle_share = options_.pressure.idle_share,
                   .reap_rate = options_.pressure.reap_rate,
                   .own_table = options_.tables == descriptor_tables::per_loop});
  if (hosts_.size() == 1) pressure_watch_.belong_to(*host.connections);
}

endpoint server_core::serve(service_options options, handler what) {
  if (!embedded_ && stage_ != server_stage::made) {
    throw std::logic_error{"serve() after run() or start(): add services before"};
  }
  validate(options, *what);
  auto made =
      std::make_unique<service>(service{.index = static_cast<std::uint32_t>(services_.size()),
                                        .options = std::move(options),
                                        .what = std::move(what),
                                        .addresses = addresses_.get()});
  secure(*made);
  if (endpoint& where = made->options.listen; where.is_descriptor()) {
    made->inherited = descriptor_of(where);
    where = where_listens(made->inherited);
  }
  const bool brief = made->options.mode == connection_mode::short_lived;
  made->exchanges = brief ? 1 : made->options.limits.exchanges;
  const bool tcp = !made->options.listen.is_unix();
  // A handshake is not to be held back.
  made->corked = tcp && brief && !made->options.tls &&
                 made->options.close.finished != close_method::peer_first;
  // Both are TCP_LINGER2: a connection that ends gracefully after all needs what was configured.
  made->no_time_wait =
      tcp && !made->options.socket.linger2 && hosts_.front()->io->can_avoid_time_wait() &&
      std::ranges::all_of(
          std::array{made->options.close.finished, made->options.close.idle,
                     made->options.close.slow, made->options.close.drain},
          [](close_method method) { return method >= close_method::abort_after_fin; });

  const endpoint bound = listen(*made);
  {
    const std::lock_guard lock{adding_};
    for (const auto& host : hosts_) host->connections->host(*made);
    made->bound = bound;
    services_.push_back(std::move(made));
  }
  if (embedded_) hosts_.front()->io->set_accepting(true);
  return bound;
}

listener_options server_core::listener_for(const service& what) const {
  const service_options& options = what.options;
  const bool shared = what.has_listener_each() && hosts_.size() > 1 && tables_ == nullptr;
  return {.where = options.listen,
          .socket = options.socket,
          .user_timeout = user_timeout_of(options),
          .cork = what.corked,
          .no_time_wait = what.no_time_wait,
          .shared = shared,
          .inherited = what.inherited};
}

endpoint server_core::listen(service& what) {
  listener_options options = listener_for(what);
  const endpoint bound = hosts_.front()->io->listen(what.index, options);
  if (!options.shared) return bound;
  options.where.port = bound.port;
  options.joins = true;
  for (std::size_t i = 1; i < hosts_.size(); ++i) hosts_[i]->io->listen(what.index, options);
  return bound;
}

// ── running ──

void server_core::begin() {
  stage_ = server_stage::running;
  loops_running_ = hosts_.size();
  for (const auto& host : hosts_) {
    if (host->epoll != nullptr) host->epoll->start();
    host->io->set_accepting(true);
  }
}

/// All but the first, which is the caller's.
void server_core::start_loops() {
  if (tables_ == nullptr) begin();
  {
    const no_signals scope;
    for (std::size_t i = 1; i < hosts_.size(); ++i) {
      hosts_[i]->thread = std::thread{[this, i] { run_loop(*hosts_[i]); }};
    }
  }
  if (tables_ != nullptr) begin_in_own_tables();
}

void server_core::run_loop(loop_host& host) {
  if (tables_ != nullptr && &host != hosts_.front().get()) return run_in_own_table(host);
  host.context->run();
}

int server_core::run() {
  if (embedded_) throw std::logic_error{"run() on an embedded server: run its io_context"};
  if (stage_ != server_stage::made)
    throw std::logic_error{"run() or start() has been called before"};
  // A reader of our output or log that has gone must not end the process.
  std::signal(SIGPIPE, SIG_IGN);
  const auto end_by_signal = [this] {
    if (stage_ == server_stage::running) {
      drain();
    } else {
      stopped_by_second_signal_ = true;
      abort_rest();
    }
  };
  if (!is_client_) {  // whose user presses Ctrl-C to end it, and at once
    on_signal(SIGINT, end_by_signal);
    on_signal(SIGTERM, end_by_signal);
  }
  if (signals_ != nullptr) signals_->listen();
  start_loops();
  run_loop(*hosts_.front());
  join_threads();
  return stopped_by_second_signal_ ? 1 : 0;
}

void server_core::on_signal(int signal_number, std::function<void()> action) {
  if (embedded_) throw std::logic_error{"on_signal() on an embedded server: it takes no signals"};
  if (signals_ == nullptr) signals_ = std::make_unique<process_signals>(*hosts_.front()->context);
  signals_->add(signal_number, std::move(action));
}

void server_core::start() {
  if (embedded_) throw std::logic_error{"start() on an embedded server: run its io_context"};
  if (stage_ != server_stage::made)
    throw std::logic_error{"run() or start() has been called before"};
  start_loops();
  const no_signals scope;
  hosts_.front()->thread = std::thread{[this] { run_loop(*hosts_.front()); }};
}

void server_core::wait() { join_threads(); }

void server_core::join_threads() {
  for (const auto& host : hosts_) {
    if (host->thread.joinable()) host->thread.join();
  }
}

// ── reaching connections ──

void server_core::order_all(const std::function<void(loop&)>& order) noexcept {
  for (const auto& host : hosts_) host->connections->mail()->order(order);
}

bool server_core::post(connection_id id, unique_function<void(connection&)> fn) {
  if (id.loop >= hosts_.size()) return false;
  unique_function<void(loop&)> run = [id, fn = std::move(fn)](loop& there) mutable {
    if (slot* const c = there.find(id)) there.run_handler(*c, [&] { fn(*c); });
  };
  return hosts_[id.loop]->connections->mail()->post(run);
}

void server_core::each(std::function<void(connection&)> visit, std::function<void()> done) {
  auto left = std::make_shared<std::atomic<std::size_t>>(hosts_.size());
  each(std::move(visit), [left = std::move(left), done = std::move(done)](std::uint32_t) {
    if (left->fetch_sub(1) == 1 && done) done();
  });
}

void server_core::each(std::function<void(connection&)> visit,
                       std::function<void(std::uint32_t)> loop_done) {
  const auto calls = std::make_shared<const walk::calls>(
      walk::calls{.visit = std::move(visit), .loop_done = std::move(loop_done)});
  for (const auto& host : hosts_) {
    loop& on = *host->connections;
    on.mail()->order(
        [all = walk{on.index(), calls}](loop& there) mutable { there.run_slice(std::move(all)); });
  }
}

}  // namespace dwell::inline v0
