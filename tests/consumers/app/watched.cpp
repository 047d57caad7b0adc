#include <dwell/admin/admin.hpp>
#include <dwell/dwell.hpp>

dwell::task<> echo(dwell::connection& peer) {
  while (auto data = co_await peer.read()) co_await peer.write(data);
}

/// A server with an admin is made, listens, and goes.
int main() {
  dwell::server server{{.listen = {.address = "127.0.0.1"}}, echo};
  const dwell::admin admin{server, {.listen = {.address = "127.0.0.1", .port = 0}}};
  server.start();
  server.stop();
  server.wait();
}
