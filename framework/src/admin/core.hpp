#pragma once

#include <dwell/admin/admin.hpp>
#include <dwell/connection/task.hpp>
#include <dwell/http/response.hpp>
#include <dwell/http/router.hpp>
#include <dwell/server/server.hpp>

#include "admin/kernel_source.hpp"
#include "admin/loop_asker.hpp"
#include "admin/operations.hpp"

#include <memory>

namespace dwell::inline v0 {

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
  task<http::response> kernel(const http::request& request) const;
  task<http::response> metrics(const http::request& request) const;
  task<http::response> status(const http::request& request) const;
  http::response index(const http::request& request) const;
  http::response health() const;
  http::response readiness() const;
  http::response drain_state() const;

  server* observed_;
  admin_options options_;
  loop_asker loops_;
  operations operations_;
  /// Asked by one worker thread.
  std::unique_ptr<kernel_source> kernel_ = std::make_unique<kernel_source>();
  server serves_;  // last but what it has bound: it stops before anything else goes
  dwell::endpoint endpoint_;
};

}  // namespace dwell::inline v0
