#include <dwell/http/request.hpp>

#include "http/head.hpp"
#include "http/percent.hpp"
#include "http/route_tree.hpp"
#include "http/text.hpp"

#include <algorithm>

namespace dwell::http {
namespace {

/// Removes what is before `mark` from `text`, the mark too, and returns it.
std::string_view take_until(std::string_view& text, std::string_view mark) noexcept {
  const auto end = std::min(text.find(mark), text.size());
  const auto taken = text.substr(0, end);
  text.remove_prefix(std::min(end + mark.size(), text.size()));
  return taken;
}

/// Of "http://host:port/path" the path remains; "*" stays.
void skip_authority(std::string_view& target) noexcept {
  const auto scheme = target.find("://");
  if (scheme == std::string_view::npos) return;
  target.remove_prefix(scheme + 3);
  target.remove_prefix(std::min(target.find_first_of("/?"), target.size()));
}

}  // namespace

// ── what it carries ──

header_range::iterator& header_range::iterator::operator++() noexcept {
  std::string_view line = take_until(rest_, "\r\n");
  current_.name = take_until(line, ":");
  current_.value = trimmed(line);
  return *this;
}

cookie_range::iterator& cookie_range::iterator::operator++() noexcept {
  for (;;) {
    while (rest_.empty()) {
      while (fields_ != std::default_sentinel && !equals_ignoring_case(fields_->name, "cookie")) {
        ++fields_;
      }
      if (fields_ == std::default_sentinel) {
        ended_ = true;
        return *this;
      }
      rest_ = fields_->value;
      ++fields_;
    }
    std::string_view pair = trimmed(take_until(rest_, ";"));
    if (pair.empty()) continue;
    const bool named = pair.find('=') != std::string_view::npos;
    current_.name = named ? trimmed(take_until(pair, "=")) : std::string_view{};
    current_.value = trimmed(pair);
    return *this;
  }
}

// ── request ──

request::request(connection& peer, const head& what) noexcept
    : peer_{&peer},
      target_{what.target},
      path_{what.target},
      fields_{what.fields},
      method_{what.method},
      http_1_1_{what.http_1_1} {
  if (!path_.starts_with('/')) skip_authority(path_);
  const auto mark = path_.find('?');
  if (mark != std::string_view::npos) {
    query_ = path_.substr(mark + 1);
    path_ = path_.substr(0, mark);
  }
  if (path_.empty()) path_ = "/";  // "http://host" is "http://host/" (RFC 9110, 4.2.3)
}

std::optional<std::string> request::query(std::string_view name) const {
  const auto decoded = [](std::string_view text) {
    std::string plain{text};
    std::ranges::replace(plain, '+', ' ');
    std::string made;
    append_decoded(made, plain);
    return made;
  };
  for (std::string_view rest = query_; !rest.empty();) {
    std::string_view pair = take_until(rest, "&");
    if (decoded(take_until(pair, "=")) == name) return decoded(pair);
  }
  return std::nullopt;
}

std::string_view request::param(std::string_view name) const noexcept {
  if (route_ == nullptr) return {};
  for (std::size_t i = 0; i < route_->names.size(); ++i) {
    if (route_->names[i] == name) return {values_[i].data, values_[i].size};
  }
  return {};
}

std::optional<std::string_view> request::header(std::string_view name) const noexcept {
  for (const field& each : headers()) {
    if (same_ignoring_case(each.name, name)) return each.value;
  }
  return std::nullopt;
}

std::optional<std::string_view> request::cookie(std::string_view name) const noexcept {
  for (const field& each : cookies()) {
    if (each.name == name) return each.value;
  }
  return std::nullopt;
}

}  // namespace dwell::http
