#pragma once

#include <dwell/admin/admin.hpp>
#include <dwell/connection/task.hpp>
#include <dwell/http/response.hpp>
#include <dwell/http/router.hpp>
#include <dwell/server/server.hpp>

#include <atomic>
#include <memory>
#include <string>

namespace dwell::inline v0 {

class gathering;
struct connection_query;

/// The endpoints, and the server that serves them. They run on that server's one loop.
class admin_core {
 public:
  admin_core(server& observed, admin_options options);
  ~admin_core();
  admin_core(const admin_core&) = delete;
  admin_core& operator=(const admin_core&) = delete;

  const dwell::endpoint& endpoint() const noexcept { return endpoint_; }

 private:
  http::router routes();
  task<http::response> connections(const http::request& request) const;
  std::shared_ptr<gathering> gather(connection_query query) const;
  http::response index() const;
  http::response health() const;
  http::response readiness() const;
  http::response metrics() const;
  http::response drain(const http::request& request) const;

  server* observed_;
  admin_options options_;
  /// Gatherings that a loop still has to answer, those that nobody waits for included.
  std::shared_ptr<std::atomic<int>> unanswered_ = std::make_shared<std::atomic<int>>(0);
  server serves_;  // last but what it has bound: it stops before anything else goes
  dwell::endpoint endpoint_;
};

}  // namespace dwell::inline v0
