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

/// The endpoints, and the server that serves them. They run on that server's one loop.
class admin_core {
 public:
  admin_core(server& observed, admin_options options);

  const dwell::endpoint& endpoint() const noexcept { return endpoint_; }

 private:
  http::router routes();
  http::response index() const;
  http::response health() const;
  http::response readiness() const;
  http::response metrics() const;
  http::response drain(const http::request& request) const;

  server* observed_;
  admin_options options_;
  server serves_;  // last but what it has bound: it stops before anything else goes
  dwell::endpoint endpoint_;
};

}  // namespace dwell::inline v0
