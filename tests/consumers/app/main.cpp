#include <dwell/dwell.hpp>

#include <atomic>
#include <iostream>
#include <thread>

using namespace std::chrono_literals;

dwell::task<> echo(dwell::connection& peer) {
  while (auto data = co_await peer.read()) co_await peer.write(data);
}

/// The server of the README, drained as soon as it runs.
int main() {
  dwell::server server{{.listen = {.address = "127.0.0.1"}, .deadlines = {.idle = 60s}}, echo};
  std::atomic<bool> ended = false;
  std::thread drains{[&] {
    while (!ended) {
      server.drain();  // before run() that does nothing
      std::this_thread::yield();
    }
  }};
  const int status = server.run();
  ended = true;
  drains.join();
  std::cout << dwell::version() << '\n';
  return status;
}
