// Echo as Asio's own tutorial writes it: a session kept alive by the handlers that wait for it.

#include "options.hpp"

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/signal_set.hpp>
#include <asio/write.hpp>

#include <memory>

namespace {

using asio::ip::tcp;

class session : public std::enable_shared_from_this<session> {
 public:
  session(tcp::socket socket, const echo_options& options)
      : socket_(std::move(socket)), options_(options) {}

  void read() {
    socket_.async_read_some(asio::buffer(data_),
                            [self = shared_from_this()](std::error_code error, std::size_t size) {
                              if (!error) self->write(size);
                            });
  }

 private:
  void write(std::size_t size) {
    asio::async_write(socket_, asio::buffer(data_, size),
                      [self = shared_from_this()](std::error_code error, std::size_t written) {
                        if (error) return;
                        self->echoed_ += written;
                        const echo_options& options = self->options_;
                        if (!options.closes || self->echoed_ < options.size) self->read();
                      });
  }

  tcp::socket socket_;
  const echo_options& options_;
  std::uint64_t echoed_ = 0;
  std::array<char, 1024> data_{};
};

void accept(tcp::acceptor& acceptor, const echo_options& options) {
  acceptor.async_accept([&](std::error_code error, tcp::socket socket) {
    if (!error) std::make_shared<session>(std::move(socket), options)->read();
    accept(acceptor, options);
  });
}

}  // namespace

int main(int argc, char** argv) {
  const echo_options options = read_echo_options(argc, argv, "Echo as Asio's tutorial writes it.");
  asio::io_context context{1};
  tcp::acceptor acceptor{context, tcp::v4(), listen_on(options.listen)};
  asio::signal_set signals{context, SIGINT, SIGTERM};
  signals.async_wait([&](std::error_code, int) { context.stop(); });
  accept(acceptor, options);
  context.run();
}
