#include <dwell/dwell.hpp>

using namespace std::chrono_literals;

dwell::task<> echo(dwell::connection& peer) {
  while (auto data = co_await peer.read())  // false once the peer has left or a deadline has passed
    co_await peer.write(data);
}

int main() {
  dwell::server server{{.listen = {.port = 7777}, .deadlines = {.idle = 60s}}, echo};
  return server.run();  // until SIGINT or SIGTERM; then drains
}
