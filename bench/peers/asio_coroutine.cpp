// Echo as Asio's coroutine example writes it: one awaitable per connection.

#include "options.hpp"

#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/redirect_error.hpp>
#include <asio/signal_set.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

namespace {

using asio::ip::tcp;

asio::awaitable<void> echo(tcp::socket socket, const echo_options& options) {
  std::array<char, 1024> data{};
  std::error_code error;
  std::uint64_t echoed = 0;
  while (!options.closes || echoed < options.size) {
    const std::size_t size = co_await socket.async_read_some(
        asio::buffer(data), asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    echoed += co_await asio::async_write(socket, asio::buffer(data, size),
                                         asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
  }
}

asio::awaitable<void> listen(tcp::acceptor& acceptor, const echo_options& options) {
  for (;;) {
    tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(acceptor.get_executor(), echo(std::move(socket), options), asio::detached);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const echo_options options = read_echo_options(argc, argv, "Echo with Asio's coroutines.");
  asio::io_context context{1};
  tcp::acceptor acceptor{context, tcp::v4(), listen_on(options.listen)};
  asio::signal_set signals{context, SIGINT, SIGTERM};
  signals.async_wait([&](std::error_code, int) { context.stop(); });
  asio::co_spawn(context, listen(acceptor, options), asio::detached);
  context.run();
}
