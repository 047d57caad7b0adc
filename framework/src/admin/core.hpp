#pragma once

#include <dwell/admin/admin.hpp>
#include <dwell/connection/task.hpp>
#include <dwell/http/response.hpp>
#include <dwell/http/router.hpp>
#include <dwell/server/server.hpp>

#include "admin/kernel_source.hpp"

#include <atomic>
#include <memory>
#include <optional>
#include <string>

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
  /// Begins to show the loops' connections to `made`.
  template <class Walk>
  std::shared_ptr<Walk> walk(std::shared_ptr<Walk> made) const;
  std::uint32_t loops_to_ask() const noexcept;
  /// 503 while too many questions are unanswered.
  std::optional<http::response> too_busy() const;
  http::response index() const;
  http::response health() const;
  http::response readiness() const;
  http::response drain_state() const;
  http::response drain(const http::request& request) const;

  server* observed_;
  admin_options options_;
  /// Asked by one worker thread.
  std::unique_ptr<kernel_source> kernel_ = std::make_unique<kernel_source>();
  /// Walks that a loop still has to answer, those that nobody waits for included.
  std::shared_ptr<std::atomic<int>> unanswered_ = std::make_shared<std::atomic<int>>(0);
  server serves_;  // last but what it has bound: it stops before anything else goes
  dwell::endpoint endpoint_;
};

}  // namespace dwell::inline v0
