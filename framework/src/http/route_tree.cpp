#include "http/route_tree.hpp"

#include <algorithm>
#include <stdexcept>

namespace dwell::http {
namespace {

[[noreturn]] void refuse(std::string_view pattern, std::string_view why) {
  throw std::invalid_argument{"route \"" + std::string{pattern} + "\": " + std::string{why}};
}

/// The list for Allow. OPTIONS is always answered, HEAD wherever GET is.
std::string list_of(const std::array<bool, method_count>& methods) {
  std::string made;
  for (std::size_t i = 0; i < method_count; ++i) {
    const auto how = static_cast<method>(i);
    const bool known = methods[i] || how == method::options ||
                       (how == method::head && methods[static_cast<std::size_t>(method::get)]);
    if (known) (made += made.empty() ? "" : ", ") += to_string(how);
  }
  return made;
}

/// The first segment of a path without its first '/'; `more` says whether another follows.
std::string_view first_segment(std::string_view path, bool& more) noexcept {
  const auto end = path.find('/');
  more = end != std::string_view::npos;
  return path.substr(0, end);
}

}  // namespace

void route_tree::add(method how, std::string_view pattern, route_handler what) {
  if (how == method::options || how == method::connect) {
    refuse(pattern, std::string{to_string(how)} + " is not the routes' to answer");
  }
  route& at = place_for(pattern);
  auto& handler = at.handlers[static_cast<std::size_t>(how)];
  if (handler) refuse(pattern, std::string{to_string(how)} + " has a handler already");
  handler = std::make_unique<route_handler>(std::move(what));

  std::array<bool, method_count> methods{};
  std::ranges::transform(at.handlers, methods.begin(), [](const auto& each) { return !!each; });
  at.allow = list_of(methods);
  methods_[static_cast<std::size_t>(how)] = true;
  allow_ = list_of(methods_);
}

/// The route of that pattern, made where there is none yet.
route& route_tree::place_for(std::string_view pattern) {
  if (!pattern.starts_with('/')) refuse(pattern, "a pattern begins with '/'");
  std::vector<std::string> names;
  const auto name_it = [&](std::string_view name) {
    if (name.empty()) refuse(pattern, "a parameter has no name");
    if (std::ranges::find(names, name) != names.end()) {
      refuse(pattern, "two parameters have the name " + std::string{name});
    }
    if (names.size() == request::most_params) {
      refuse(pattern, "has more than " + std::to_string(request::most_params) + " parameters");
    }
    names.emplace_back(name);
  };
  const auto settle = [&](std::unique_ptr<route>& place) -> route& {
    if (!place) {
      place = std::make_unique<route>();
      place->names = names;
    } else if (place->names != names) {
      refuse(pattern, "is there already, with other names");
    }
    return *place;
  };

  node* at = &root_;
  bool more = true;
  for (std::string_view rest = pattern.substr(1); more;) {
    const auto segment = first_segment(rest, more);
    rest.remove_prefix(std::min(segment.size() + 1, rest.size()));
    if (segment.starts_with('*')) {
      if (more) refuse(pattern, "'*' is only for the last segment");
      name_it(segment.substr(1));
      return settle(at->rest);
    }
    if (segment.starts_with(':')) {
      name_it(segment.substr(1));
      if (!at->parameter) at->parameter = std::make_unique<node>();
      at = at->parameter.get();
      continue;
    }
    const auto known = std::ranges::find_if(
        at->literals, [&](const auto& each) { return each->segment == segment; });
    if (known != at->literals.end()) {
      at = known->get();
    } else {
      at = at->literals.emplace_back(std::make_unique<node>()).get();
      at->segment = segment;
    }
  }
  return settle(at->here);
}

route_match route_tree::match(std::string_view path) const noexcept {
  route_match found;
  if (path.starts_with('/')) descend(root_, path.substr(1), found);
  return found;
}

bool route_tree::descend(const node& from, std::string_view path, route_match& into) noexcept {
  bool more = false;
  const auto segment = first_segment(path, more);
  const auto go_on = [&](const node& next) {
    if (more) return descend(next, path.substr(segment.size() + 1), into);
    into.found = next.here.get();
    return into.found != nullptr;
  };
  for (const auto& each : from.literals) {
    if (each->segment == segment && go_on(*each)) return true;
  }
  if (from.parameter && !segment.empty()) {
    into.values[into.count++] = {segment.data(), segment.size()};
    if (go_on(*from.parameter)) return true;
    --into.count;
  }
  if (!from.rest) return false;
  into.values[into.count++] = {path.data(), path.size()};
  into.found = from.rest.get();
  return true;
}

// ── router ──

router::router() : tree_{std::make_unique<route_tree>()} {}
router::router(router&&) noexcept = default;
router& router::operator=(router&&) noexcept = default;
router::~router() = default;

router& router::on(http::method how, std::string_view pattern, route_handler what) {
  tree_->add(how, pattern, std::move(what));
  return *this;
}
router& router::get(std::string_view pattern, route_handler what) {
  return on(method::get, pattern, std::move(what));
}
router& router::post(std::string_view pattern, route_handler what) {
  return on(method::post, pattern, std::move(what));
}
router& router::put(std::string_view pattern, route_handler what) {
  return on(method::put, pattern, std::move(what));
}
router& router::patch(std::string_view pattern, route_handler what) {
  return on(method::patch, pattern, std::move(what));
}
router& router::delete_(std::string_view pattern, route_handler what) {
  return on(method::delete_, pattern, std::move(what));
}

}  // namespace dwell::http
