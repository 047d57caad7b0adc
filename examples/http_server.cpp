#include <dwell/http.hpp>

#include "common/flags.hpp"

int main(int argc, char** argv) {
  flags chosen;
  command_line line{"http_server", "HTTP", "", chosen};
  return line.run(argc, argv, [&] {
    dwell::http::router routes;
    routes.get("/",
               [](const dwell::http::request&) { return dwell::http::response{.body = "OK"}; });
    dwell::server server{chosen.server};
    server.serve(chosen.service, dwell::http::serve(std::move(routes)));
    return server.run();
  });
}
