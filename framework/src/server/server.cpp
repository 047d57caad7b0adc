#include <dwell/server/server.hpp>

#include "server/core.hpp"

namespace dwell::inline v0 {

server::server(server_options options) : core_{std::make_unique<server_core>(std::move(options))} {
  core_->set_facade(*this);
}

server::server(service_options service, handler what) : server{server_options{}} {
  serve(std::move(service), std::move(what));
}

server::server(asio::io_context& host, server_options options)
    : core_{std::make_unique<server_core>(std::move(options), host)} {
  core_->set_facade(*this);
}

server::server(asio::io_context& host, service_options service, handler what)
    : server{host, server_options{}} {
  serve(std::move(service), std::move(what));
}

server::server(std::unique_ptr<server_core> core) : core_{std::move(core)} {
  core_->set_facade(*this);
}

server::~server() = default;

endpoint server::serve(service_options service, handler what) {
  return core_->serve(std::move(service), std::move(what));
}
int server::run() { return core_->run(); }
void server::on_signal(int signal_number, std::function<void()> action) {
  core_->on_signal(signal_number, std::move(action));
}
void server::start() { core_->start(); }
void server::wait() { core_->wait(); }
void server::reload_certificates() { core_->reload_certificates(); }
void server::drain() noexcept { core_->drain(); }
void server::stop() noexcept { core_->stop(); }
bool server::post(connection_id id, unique_function<void(connection&)> fn) {
  return core_->post(id, std::move(fn));
}
void server::each(std::function<void(connection&)> visit, std::function<void()> done) {
  core_->each(std::move(visit), std::move(done));
}
void server::each(std::function<void(connection&)> visit,
                  std::function<void(std::uint32_t loop)> loop_done) {
  core_->each(std::move(visit), std::move(loop_done));
}
server_counts server::counts() const noexcept { return core_->counts(); }
std::vector<service_status> server::services() const { return core_->services(); }
server_stage server::stage() const noexcept { return core_->stage(); }
drain_progress server::draining() const { return core_->draining(); }
std::uint32_t server::loops() const noexcept { return core_->loops(); }
pressure_status server::pressure() const noexcept { return core_->pressure(); }
std::uint64_t server::capacity() const noexcept { return core_->capacity(); }
descriptor_tables server::tables() const noexcept { return core_->tables(); }
std::uint64_t server::set_connections(std::uint64_t connections) {
  return core_->set_connections(connections);
}
spdlog::logger& server::logger() const noexcept { return core_->logger(); }

}  // namespace dwell::inline v0
