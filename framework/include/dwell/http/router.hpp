#pragma once

#include <dwell/connection/callbacks.hpp>
#include <dwell/connection/task.hpp>
#include <dwell/http/exchange.hpp>
#include <dwell/http/method.hpp>
#include <dwell/http/request.hpp>
#include <dwell/http/response.hpp>

#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace dwell::http {

/// What answers a request: `response f(const request&)`, or a coroutine `task<response> f(const
/// request&)`; where bodies shall not wait in memory `task<response> f(exchange&)`, or `task<>
/// f(exchange&)`, which sends the answer itself. Called as const from every loop. What it throws
/// becomes a 500, and a line in the server's log. deadlines.handle bounds it: a coroutine that
/// takes longer is answered for with 503 and runs on to its end.
class route_handler {
 public:
  using plain = callback<response(const request&)>;
  using coroutine = callback<task<response>(const request&)>;
  using streaming = callback<task<>(exchange&)>;

  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, route_handler>) route_handler(F f) {
    static_assert(std::is_invocable_r_v<response, const F&, const request&> ||
                      std::is_invocable_r_v<task<response>, const F&, const request&> ||
                      std::is_invocable_r_v<task<response>, const F&, exchange&> ||
                      std::is_invocable_r_v<task<>, const F&, exchange&>,
                  "dwell: a route's handler is http::response f(const http::request&) or a "
                  "coroutine dwell::task<http::response> f(const http::request&), or with "
                  "http::exchange& instead of the request, callable as const");
    if constexpr (std::is_invocable_r_v<task<response>, const F&, exchange&>) {
      target_ = streaming{[f = std::move(f)](exchange& with) { return answer_by(f, with); }};
    } else if constexpr (std::is_invocable_r_v<task<>, const F&, exchange&>) {
      target_ = streaming{std::move(f)};
    } else if constexpr (std::is_invocable_r_v<task<response>, const F&, const request&>) {
      target_ = coroutine{std::move(f)};
    } else if constexpr (std::is_invocable_r_v<response, const F&, const request&>) {
      target_ = plain{std::move(f)};
    }
  }

  /// Null: it is another kind.
  const plain* as_plain() const noexcept { return std::get_if<plain>(&target_); }
  const coroutine* as_coroutine() const noexcept { return std::get_if<coroutine>(&target_); }
  const streaming* as_streaming() const noexcept { return std::get_if<streaming>(&target_); }

 private:
  template <class F>
  static task<> answer_by(const F& f, exchange& with) {
    task<response> running = f(with);
    with.respond(co_await std::move(running));
  }

  std::variant<plain, coroutine, streaming> target_;
};

class route_tree;

/// Which handler answers which method and path.
///
/// A pattern is a path: "/", "/users/:id/posts", "/files/*path". `:name` stands for one segment
/// that is not empty, `*name`, at the end, for the rest of the path, also an empty one; at most
/// request::most_params in a pattern. A segment written out goes before `:name`, that before
/// `*name`. Segments are compared as they were sent: "/a%2Fb" is one segment and not "/a/b", and a
/// slash at the end counts.
///
/// HEAD is answered by the handler of GET, OPTIONS by the router; a path that is known for other
/// methods gets 405 with Allow, any other 404. A parameter that is not valid percent-encoding gets
/// 400.
///
/// The functions throw std::invalid_argument, naming the pattern, when it is malformed or taken.
class router {
 public:
  router();
  router(router&&) noexcept;
  router& operator=(router&&) noexcept;
  ~router();

  router& get(std::string_view pattern, route_handler what);
  router& post(std::string_view pattern, route_handler what);
  router& put(std::string_view pattern, route_handler what);
  router& patch(std::string_view pattern, route_handler what);
  router& delete_(std::string_view pattern, route_handler what);
  /// For any method but OPTIONS and CONNECT.
  router& on(http::method method, std::string_view pattern, route_handler what);

  /// For serve().
  const route_tree& tree() const noexcept { return *tree_; }

 private:
  std::unique_ptr<route_tree> tree_;
};

}  // namespace dwell::http
