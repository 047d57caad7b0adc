#pragma once

#include <dwell/connection/task.hpp>
#include <dwell/http/request.hpp>
#include <dwell/http/response.hpp>

#include "admin/access.hpp"
#include "admin/log_level.hpp"
#include "admin/loop_asker.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace dwell::inline v0 {

/// What changes the server: each is allowed first, then done, then said in the server's log with
/// who it was. On the admin's loop.
class operations {
 public:
  operations(const loop_asker& loops, std::string token);

  http::response drain(const http::request& request);
  task<http::response> close(const http::request& request);
  http::response set_level(const http::request& request);
  http::response level(const http::request& request) const;
  http::response set_limits(const http::request& request);
  http::response limits(const http::request& request) const;

  const log_level& log() const noexcept { return level_; }

  /// For who asks: the page carries it, if it may change something.
  std::optional<std::string_view> page_secret_for(const http::request& request) const;

 private:
  /// 403, or who it is.
  std::optional<http::response> refusal(const http::request& request) const;
  authority who(const http::request& request) const;
  void say(const http::request& request, const std::string& what) const noexcept;

  const loop_asker* loops_;
  std::string token_;
  std::string page_secret_ = make_secret();
  log_level level_;
};

}  // namespace dwell::inline v0
