// One of a fleet behind HAProxy: a service over HTTP, its admin, and the agent that tells HAProxy
// when it is about to leave.

#include <dwell/admin/admin.hpp>
#include <dwell/http.hpp>

#include "common/flags.hpp"
#include "common/serve.hpp"

#include <iostream>

namespace {

namespace http = dwell::http;

/// HAProxy's agent-check connects, reads a line, and does what it says: a server that leaves gets
/// no new requests.
dwell::callbacks<> agent() {
  return {.on_open = [](dwell::connection& peer, dwell::no_session&) {
    const bool stays = peer.server().stage() == dwell::server_stage::running;
    peer.send(stays ? "ready\n" : "drain\n");
    peer.close();
    return true;
  }};
}

http::router site() {
  http::router routes;
  routes.get("/", [](const http::request&) { return http::response{.body = "OK\n"}; });
  return routes;
}

}  // namespace

int main(int argc, char** argv) {
  flags chosen;
  chosen.service.listen.port = 8080;
  dwell::endpoint admin_at{.address = "127.0.0.1", .port = 9901};
  dwell::endpoint agent_at{.address = "127.0.0.1", .port = 9902};
  command_line line{"fleet_server", "One of a fleet behind HAProxy.",
                    "  fleet_server --listen 127.0.0.1:8080 --admin 127.0.0.1:9901 "
                    "--agent 127.0.0.1:9902 --drain-delay 2s\n"
                    "  echo | nc 127.0.0.1 9902          ready, or drain\n"
                    "  curl http://127.0.0.1:9901/readyz\n",
                    chosen};
  line.add_endpoint("--admin", admin_at, "Where /readyz, /drain and /metrics are");
  line.add_endpoint("--agent", agent_at, "What HAProxy's agent-check asks");

  return line.run(argc, argv, [&] {
    dwell::server server{chosen.server};
    const dwell::admin admin{server, {.listen = admin_at}};
    server.serve(
        {.name = "agent", .listen = agent_at, .deadlines = {.idle = dwell::duration{5'000}}},
        agent());
    return serve(server, chosen, http::serve(site()));
  });
}
