#pragma once

#include <dwell/http/router.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace dwell::http {

/// What is known of one pattern.
struct route {
  std::array<std::unique_ptr<route_handler>, method_count> handlers;
  std::vector<std::string> names;  // of its parameters
  std::string allow;               // for Allow: the methods it answers

  /// Null: not for this method.
  const route_handler* handler_for(method how) const noexcept {
    const auto& found = handlers[static_cast<std::size_t>(how)];
    if (!found && how == method::head) return handler_for(method::get);
    return found.get();
  }
};

/// Where a path has led.
struct route_match {
  struct piece {
    const char* data;
    std::size_t size;
  };
  const route* found = nullptr;
  std::array<piece, request::most_params> values;  // as in the path, found->names.size() of them
  std::size_t count = 0;
};

/// The patterns of a router, by segment.
class route_tree {
 public:
  /// See router::on.
  void add(method how, std::string_view pattern, route_handler what);
  route_match match(std::string_view path) const noexcept;
  /// Of all patterns: what `OPTIONS *` is told.
  const std::string& allow() const noexcept { return allow_; }

 private:
  struct node {
    std::string segment;
    std::vector<std::unique_ptr<node>> literals;
    std::unique_ptr<node> parameter;
    std::unique_ptr<route> rest;  // of `*name` here
    std::unique_ptr<route> here;
  };

  route& place_for(std::string_view pattern);
  static bool descend(const node& from, std::string_view path, route_match& into) noexcept;

  node root_;
  std::array<bool, method_count> methods_{};
  std::string allow_ = "OPTIONS";
};

}  // namespace dwell::http
