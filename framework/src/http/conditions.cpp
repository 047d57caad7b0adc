#include "http/conditions.hpp"

#include "http/date.hpp"
#include "http/text.hpp"

#include <algorithm>
#include <utility>

namespace dwell::http {
namespace {

enum class comparison : std::uint8_t { strong, weak };

/// Whether `etag` is in a list of entity tags, or the list is "*". What is malformed matches
/// nothing.
bool names(std::string_view list, std::string_view etag, comparison how) noexcept {
  constexpr std::string_view between = ", \t";
  if (trimmed(list) == "*") return true;
  for (;;) {
    list.remove_prefix(std::min(list.find_first_not_of(between), list.size()));
    const bool weak = list.starts_with("W/");
    if (weak) list.remove_prefix(2);
    const auto end = list.starts_with('"') ? list.find('"', 1) : list.npos;
    if (end == list.npos) return false;
    const auto tag = list.substr(0, end + 1);
    if (tag == etag && (!weak || how == comparison::weak)) return true;
    list.remove_prefix(end + 1);
  }
}

}  // namespace

void conditions::add(std::string_view name, std::string_view value) noexcept {
  if (name.empty() || (to_lower(name.front()) != 'i' && to_lower(name.front()) != 'r')) return;
  const auto is = [name](std::string_view lower) { return equals_ignoring_case(name, lower); };
  if (is("if-none-match")) {
    none_match_ = none_match_.value_or(true) && !names(value, current_.etag, comparison::weak);
  } else if (is("if-modified-since")) {
    modified_since_ = parse_http_date(value);
  } else if (is("range")) {
    many_ranges_ = many_ranges_ || range_;
    range_ = value;
  } else if (is("if-range")) {
    // A date is no strong validator, but this one has to be the very same.
    range_holds_ = value.starts_with('"') ? value == current_.etag
                                          : parse_http_date(value) == current_.last_modified;
  } else if (is("if-match")) {
    match_ = match_.value_or(false) || names(value, current_.etag, comparison::strong);
  } else if (is("if-unmodified-since")) {
    unmodified_since_ = parse_http_date(value);
  }
}

conditions::verdict conditions::judge() const noexcept {
  if (match_) {
    if (!*match_) return verdict::failed;
  } else if (unmodified_since_ && current_.last_modified > *unmodified_since_) {
    return verdict::failed;
  }
  if (none_match_) return *none_match_ ? verdict::proceed : verdict::not_modified;
  if (modified_since_ && current_.last_modified <= *modified_since_) return verdict::not_modified;
  return verdict::proceed;
}

std::optional<std::string_view> conditions::range() const noexcept {
  if (many_ranges_ || !range_holds_.value_or(true)) return std::nullopt;
  return range_;
}

}  // namespace dwell::http
