#include <dwell/http.hpp>

using namespace std::chrono_literals;
namespace http = dwell::http;

int main() {
  http::router routes;
  routes.get("/hello/:name", [](const http::request& request) {
    return http::response{.body = "Hello, " + std::string{request.param("name")} + "!\n"};
  });
  routes.post("/jobs", [](const http::request&) -> dwell::task<http::response> {
    co_await dwell::sleep_for(50ms);  // nobody else waits
    co_return http::response{.status = http::status::created};
  });
  dwell::server server{{.listen = {.port = 8080}, .deadlines = {.idle = 30s}},
                       http::serve(std::move(routes))};
  return server.run();
}
