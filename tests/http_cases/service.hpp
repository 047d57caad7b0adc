#pragma once

#include <dwell/http.hpp>

#include "http_cases/cases.hpp"

#include <mutex>
#include <string>

namespace dwell::testing {

/// What handlers have seen, on whatever thread.
class seen_requests {
 public:
  void add(const std::string& what);
  std::string take();

 private:
  std::mutex mutex_;
  std::string all_;
};

/// Method, target, fields other than Host, and body: "POST /echo Content-Length=3 {abc}".
std::string shown(const http::request& what);

/// `/` answers OK, `/echo` with any method what it saw, `/later` the same after a while; what the
/// others do is what they are called.
http::router routes_of_cases(seen_requests& seen);

service_options options_of(setup which);
http::options http_options_of(setup which);

}  // namespace dwell::testing
