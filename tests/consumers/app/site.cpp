#include <dwell/http.hpp>

namespace http = dwell::http;

/// An HTTP server is made, listens, and goes.
int main() {
  http::router routes;
  routes.get("/hello/:name", [](const http::request& request) {
    return http::response{.body = "Hello, " + std::string{request.param("name")} + "!\n"};
  });
  dwell::server server{{.listen = {.address = "127.0.0.1"}}, http::serve(std::move(routes))};
  server.start();
  server.stop();
  server.wait();
}
