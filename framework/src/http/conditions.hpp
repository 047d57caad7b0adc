#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace dwell::http {

/// What tells one state of a file from another (RFC 9110, 8.8).
struct validators {
  std::string_view etag;  ///< strong, in its quotation marks
  std::chrono::sys_seconds last_modified;
};

/// The fields of a GET or HEAD request that make it conditional, or ask for a part. Views of the
/// request.
class conditions {
 public:
  enum class verdict : std::uint8_t { proceed, not_modified, failed };

  explicit conditions(const validators& current) noexcept : current_{current} {}

  /// A field of the request; any other than those is ignored.
  void add(std::string_view name, std::string_view value) noexcept;

  /// In the order of RFC 9110, 13.2.2.
  verdict judge() const noexcept;
  /// The Range field, when If-Range does not forbid to follow it; nullopt: all is wanted.
  std::optional<std::string_view> range() const noexcept;

 private:
  using date = std::optional<std::chrono::sys_seconds>;

  validators current_;
  std::optional<bool> match_;       // nullopt: not asked
  std::optional<bool> none_match_;  // true: none does
  date modified_since_;
  date unmodified_since_;
  std::optional<bool> range_holds_;
  std::optional<std::string_view> range_;
  bool many_ranges_ = false;
};

}  // namespace dwell::http
