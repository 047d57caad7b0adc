// Passes connections on to another address: both ways at once, no faster than either end takes it,
// each end's half-close, and each end's failure.

#include "common/flags.hpp"
#include "common/serve.hpp"

#include <spdlog/logger.h>

#include <charconv>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

struct target {
  std::string host;
  std::uint16_t port = 0;
};

/// "HOST:PORT" or "[IPV6]:PORT"; names are looked up for each connection.
target parse_target(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  target made;
  if (colon != std::string::npos) {
    made.host = text.substr(0, colon);
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, made.port);
    if (error != std::errc{} || rest != end) made.port = 0;
  }
  if (made.host.starts_with('[') && made.host.ends_with(']')) {
    made.host = made.host.substr(1, made.host.size() - 2);
  }
  if (made.host.empty() || made.port == 0) {
    throw CLI::ValidationError{"--to", '"' + text + "\": use HOST:PORT or [IPV6]:PORT"};
  }
  return made;
}

/// Its FIN has come, and so all that it had to say. `finished`: after ours.
bool ended_well(const dwell::connection& from) {
  const auto why = from.reason();
  return why == dwell::close_reason::peer_closed || why == dwell::close_reason::finished;
}

/// write() waits while `to` has enough, and until then nothing more is read.
dwell::task<> pump(dwell::connection& from, dwell::connection& to) {
  while (auto data = co_await from.read()) {
    if (!co_await to.write(data)) co_return;
  }
  if (ended_well(from)) {
    to.shutdown_send();
  } else {
    to.close(dwell::close_reason::handler_failed);  // what was cut must not look finished
  }
}

class proxy {
 public:
  proxy(target to, dwell::connect_options how) : to_{std::move(to)}, how_{how} {}

  dwell::task<> operator()(dwell::connection& client) const {
    dwell::connect_options there = how_;
    there.host = to_.host;
    there.port = to_.port;
    auto upstream = co_await dwell::connect(there);
    if (!upstream) {
      client.server().logger().warn("{}:{}: {}", to_.host, to_.port, to_string(upstream.error()));
      co_return client.close(dwell::close_reason::overload);
    }
    co_await dwell::when_all(pump(client, *upstream), pump(*upstream, client));
  }

 private:
  target to_;
  dwell::connect_options how_;
};

}  // namespace

int main(int argc, char** argv) {
  flags chosen;
  target to;
  dwell::connect_options how{.connect = std::chrono::seconds{2}, .name = "upstream"};
  std::string source;
  command_line line{"tcp_proxy", "Passes connections on to another address.",
                    "  tcp_proxy --listen 127.0.0.1:7777 --to 127.0.0.1:8080\n"
                    "  tcp_proxy --to backend.example:443 --connect 500ms --idle 5min\n"
                    "  tcp_proxy --to 10.0.0.2:80 --source 10.0.0.16/28\n",
                    chosen};
  line.app()
      .add_option_function<std::string>(
          "--to", [&to](const std::string& text) { to = parse_target(text); }, "Where to")
      ->required()
      ->type_name("HOST:PORT");
  line.add_deadline("--connect", how.connect, "How long connecting may take [2s]");
  line.app()
      .add_option("--source", source, "Local addresses to connect from, in turn")
      ->type_name("ADDR|NETWORK");

  return line.run(argc, argv, [&] {
    // Whoever takes nothing for long is ended by its write deadline; waiting for it is no fault of
    // the other's.
    chosen.service.deadlines.handle = dwell::off;
    how.deadlines = chosen.service.deadlines;
    how.close = chosen.service.close;
    how.source = source;
    return serve(chosen, proxy{to, how});
  });
}
