// What raw_connect does by hand, with dwell::upstream.

#include <dwell/client/client.hpp>
#include <dwell/client/upstream.hpp>

#include "peer.hpp"

#include <functional>
#include <sys/resource.h>

namespace {

constexpr const char* help =
    R"(Opens connection after connection, sends 64 bytes, has them back, and resets: with dwell::upstream.

  --to PORT           of an echo server on 127.0.0.1
  --count N           connections in all (default 40000)
  --connections N     at a time (default 100)
  --options none|set  set: TCP_NODELAY and TCP_USER_TIMEOUT, a call each (Dwell's defaults)

Prints one JSON line: connections and CPU microseconds of each.
)";

constexpr std::size_t size = 64;

struct progress {
  std::size_t received = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const flags given{
      argc,
      argv,
      help,
      {{"--to", "7777"}, {"--count", "40000"}, {"--connections", "100"}, {"--options", "none"}}};
  const auto sets = one_of<bool>(given, "--options", {{"none", false}, {"set", true}});
  const std::uint64_t count = given.number("--count");
  const std::uint64_t at_a_time = given.number("--connections");
  const std::string message(size, 'x');

  dwell::connect_options to{.host = "127.0.0.1",
                            .port = static_cast<std::uint16_t>(given.number("--to"))};
  to.close.finished = dwell::close_method::abort;
  if (!sets) {
    to.socket.nodelay = false;
    to.socket.user_timeout = dwell::off;
  }
  std::uint64_t begun = 0;
  std::function<void()> open_next;
  dwell::callbacks<progress> calls;
  calls.on_open = [&message](dwell::connection& peer, progress&) { return peer.send(message); };
  calls.on_data = [](dwell::connection& peer, progress& self, dwell::bytes data) {
    self.received += data.size();
    if (self.received >= size) peer.close();
    return data.size();
  };
  calls.on_close = [&open_next](dwell::connection&, progress&, const dwell::close_record&) {
    open_next();
  };
  const dwell::upstream<progress> there{to, calls, [](progress&, const dwell::connect_error& why) {
                                          std::fprintf(stderr, "%s\n", to_string(why).c_str());
                                          std::exit(1);
                                        }};
  open_next = [&] {
    if (begun++ < count) there.connect();
  };

  dwell::client client;
  client.spawn([&]() -> dwell::task<> {
    for (std::uint64_t i = 0; i < at_a_time; ++i) open_next();
    co_return;
  });
  client.run();
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto cpu = static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
                   static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
  std::printf("{\"connections\": %lu, \"cpu_us_each\": %.3f}\n", count,
              cpu / static_cast<double>(count));
}
