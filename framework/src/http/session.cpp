#include "http/session.hpp"

#include "http/percent.hpp"

namespace dwell::http {
namespace {

std::string_view moved(std::string_view view, std::string_view from, std::string_view to) noexcept {
  return to.substr(static_cast<std::size_t>(view.data() - from.data()), view.size());
}

head moved(const head& what, std::string_view to) noexcept {
  head made = what;
  made.block = to;
  made.target = moved(what.target, what.block, to);
  made.fields = moved(what.fields, what.block, to);
  return made;
}

}  // namespace

held_request::held_request(connection& peer, const head& read)
    : block{read.block}, what{moved(read, block)}, request{peer, what} {}

bool incoming_request::set_params(const route_match& from) {
  std::size_t encoded = 0;
  for (std::size_t i = 0; i < from.count; ++i) {
    const std::string_view value{from.values[i].data, from.values[i].size};
    if (value.find('%') == std::string_view::npos) continue;
    if (!is_percent_encoded(value)) return false;
    encoded += value.size();
  }
  decoded_.reserve(encoded);  // so that what points into it stays valid
  for (std::size_t i = 0; i < from.count; ++i) {
    std::string_view value{from.values[i].data, from.values[i].size};
    if (value.find('%') != std::string_view::npos) {
      const std::size_t begin = decoded_.size();
      append_decoded(decoded_, value);
      value = std::string_view{decoded_}.substr(begin);
    }
    values_[i] = {value.data(), value.size()};
  }
  route_ = from.found;
  return true;
}

}  // namespace dwell::http
