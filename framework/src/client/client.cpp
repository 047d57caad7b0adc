#include <dwell/client/client.hpp>

#include "server/core.hpp"

#include <stdexcept>
#include <string>
#include <utility>

namespace dwell::inline v0 {
namespace {

server_options to_server_options(client_options options) {
  return {.threads = options.threads,
          .connections = options.connections,
          .workers = options.workers,
          .logger = std::move(options.logger),
          .tables = options.tables};
}

}  // namespace

client::client(client_options options)
    : client{std::make_unique<server_core>(to_server_options(std::move(options)))} {}

client::client(asio::io_context& host, client_options options)
    : client{std::make_unique<server_core>(to_server_options(std::move(options)), host)} {}

client::client(std::unique_ptr<server_core> core) : core_{core.get()} {
  core_->become_client();
  loops_ = server_core::make_server(std::move(core));
}

client::~client() = default;

std::unique_ptr<client> server_core::make_client(std::unique_ptr<server_core> core) {
  return std::unique_ptr<client>{new client{std::move(core)}};
}

void client::spawn(unique_function<task<>()> body, std::uint32_t loop) {
  if (loop >= loops()) {
    throw std::out_of_range{"spawn on loop " + std::to_string(loop) + ": there are " +
                            std::to_string(loops())};
  }
  core_->spawn(loop, std::move(body));
}

int client::run() {
  static_cast<void>(core_->run());
  return core_->has_failed() ? 1 : 0;
}
void client::on_signal(int signal_number, std::function<void()> action) {
  core_->on_signal(signal_number, std::move(action));
}
void client::start() { core_->start(); }
void client::wait() { core_->wait(); }
void client::stop() noexcept { core_->stop(); }
std::uint32_t client::loops() const noexcept { return core_->loops(); }
server_counts client::counts() const noexcept { return core_->counts(); }

}  // namespace dwell::inline v0
