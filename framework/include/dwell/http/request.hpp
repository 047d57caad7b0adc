#pragma once

#include <dwell/http/method.hpp>

#include <array>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace dwell::inline v0 {
class connection;
}

namespace dwell::http {

class request;
struct head;
struct route;

/// A name and its value: of a header field, a cookie, a path parameter.
struct field {
  std::string_view name;
  std::string_view value;
};

/// The header fields of a request in the order in which they came; values without the white space
/// around them. Names as they were sent: compare them with request::header(), which ignores case.
class header_range {
 public:
  class iterator {
   public:
    using value_type = field;
    using difference_type = std::ptrdiff_t;

    iterator() noexcept = default;
    explicit iterator(std::string_view lines) noexcept : rest_{lines} { ++*this; }
    const field& operator*() const noexcept { return current_; }
    const field* operator->() const noexcept { return &current_; }
    iterator& operator++() noexcept;
    iterator operator++(int) noexcept {
      iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const iterator& at, std::default_sentinel_t) noexcept {
      return at.current_.name.empty();
    }

   private:
    std::string_view rest_;
    field current_;
  };

  iterator begin() const noexcept { return iterator{lines_}; }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  friend request;
  explicit header_range(std::string_view lines) noexcept : lines_{lines} {}
  std::string_view lines_;
};

/// The cookies of a request (RFC 6265, 4.2.1), from all its Cookie fields. A pair without `=` is a
/// value without a name.
class cookie_range {
 public:
  class iterator {
   public:
    using value_type = field;
    using difference_type = std::ptrdiff_t;

    iterator() noexcept = default;
    explicit iterator(header_range::iterator fields) noexcept : fields_{fields} { ++*this; }
    const field& operator*() const noexcept { return current_; }
    const field* operator->() const noexcept { return &current_; }
    iterator& operator++() noexcept;
    iterator operator++(int) noexcept {
      iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const iterator& at, std::default_sentinel_t) noexcept {
      return at.ended_;
    }

   private:
    header_range::iterator fields_;
    std::string_view rest_;
    field current_;
    bool ended_ = false;
  };

  iterator begin() const noexcept { return iterator{headers_.begin()}; }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  friend request;
  explicit cookie_range(header_range headers) noexcept : headers_{headers} {}
  header_range headers_;
};

/// One request, whole. Owned by its connection; it and the views it returns are valid until the
/// handler has returned, or its task has ended. For the loop's thread.
///
/// What Dwell hands out is unambiguous: the method is known, there is exactly one Host, the target
/// is a path (or `*` for OPTIONS), and the body's length was said in one way.
class request {
 public:
  request(const request&) = delete;
  request& operator=(const request&) = delete;

  http::method method() const noexcept { return method_; }
  /// As it was sent: "/a%20b?c=d", "http://host/a", "*".
  std::string_view target() const noexcept { return target_; }
  /// The path in it, percent-encoded as it was sent, from its first '/'; "*" with OPTIONS. Dot
  /// segments are not resolved.
  std::string_view path() const noexcept { return path_; }
  /// What follows the '?', as it was sent; empty without one.
  std::string_view query() const noexcept { return query_; }
  /// The first parameter of that name in the query, decoded ('+' is a space); nullopt: none. What
  /// is not valid percent-encoding stays as it is.
  std::optional<std::string> query(std::string_view name) const;
  /// The part of the path that stands for `:name` or `*name` in the route's pattern, decoded; empty
  /// when the pattern has no such name.
  std::string_view param(std::string_view name) const noexcept;

  /// The value of the first field of that name, ignoring case; nullopt: none.
  std::optional<std::string_view> header(std::string_view name) const noexcept;
  header_range headers() const noexcept { return header_range{fields_}; }
  /// The value of the first cookie of that name (case counts); nullopt: none.
  std::optional<std::string_view> cookie(std::string_view name) const noexcept;
  cookie_range cookies() const noexcept { return cookie_range{headers()}; }

  /// Whole, decoded when it came in chunks; at most options::body bytes.
  std::string_view body() const noexcept { return body_; }
  /// False: HTTP/1.0.
  bool is_http_1_1() const noexcept { return http_1_1_; }
  /// The connection it came on: who sent it, how long that has stayed. Output and input are the
  /// server's; do not send, read, pause or spawn.
  connection& peer() const noexcept { return *peer_; }

  static constexpr std::size_t most_params = 8;

 protected:
  /// A view that costs nothing until it is used.
  struct piece {
    const char* data;
    std::size_t size;
  };

  request(connection& peer, const head& what) noexcept;
  ~request() = default;

  connection* peer_;
  std::string_view target_;
  std::string_view path_;
  std::string_view query_;
  std::string_view fields_;
  std::string_view body_;
  const route* route_ = nullptr;           // knows the names of the parameters
  std::array<piece, most_params> values_;  // of those; as many as there are names
  std::string decoded_;                    // of the values that were percent-encoded
  http::method method_;
  bool http_1_1_;
};

}  // namespace dwell::http
