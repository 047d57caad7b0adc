// GET / with Boost.Beast, as its asynchronous example writes it: answers OK, kept alive.

#include "peer.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <memory>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

class session : public std::enable_shared_from_this<session> {
 public:
  explicit session(tcp::socket&& socket) : stream_(std::move(socket)) {}

  void read() {
    request_ = {};
    stream_.expires_after(std::chrono::seconds(30));
    http::async_read(stream_, buffer_, request_,
                     beast::bind_front_handler(&session::answer, shared_from_this()));
  }

 private:
  void answer(beast::error_code error, std::size_t) {
    if (error) return close();
    response_ = {http::status::ok, request_.version()};
    response_.set(http::field::content_type, "text/plain; charset=utf-8");
    response_.keep_alive(request_.keep_alive());
    response_.body() = "OK";
    response_.prepare_payload();
    http::async_write(stream_, response_,
                      [self = shared_from_this()](beast::error_code failed, std::size_t) {
                        if (failed || self->response_.need_eof()) return self->close();
                        self->read();
                      });
  }

  void close() {
    beast::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  http::request<http::string_body> request_;
  http::response<http::string_body> response_;
};

void accept(tcp::acceptor& acceptor) {
  acceptor.async_accept([&](beast::error_code error, tcp::socket socket) {
    if (!error) std::make_shared<session>(std::move(socket))->read();
    accept(acceptor);
  });
}

}  // namespace

int main(int argc, char** argv) {
  const flags given{argc,
                    argv,
                    "GET / with Boost.Beast.\n\n  --listen ADDR:PORT    default 127.0.0.1:0 (any "
                    "free port); prints \"listening on ADDR:PORT\"\n",
                    {{"--listen", "127.0.0.1:0"}}};
  asio::io_context context{1};
  tcp::acceptor acceptor{context, tcp::v4(), listen_on(given.text("--listen"))};
  asio::signal_set signals{context, SIGINT, SIGTERM};
  signals.async_wait([&](beast::error_code, int) { context.stop(); });
  accept(acceptor);
  context.run();
}
