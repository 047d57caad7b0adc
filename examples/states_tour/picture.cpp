#include "picture.hpp"

namespace {

std::string spaced(std::string_view flags) { return ' ' + std::string{flags} + ' '; }

}  // namespace

std::size_t width(std::string_view text) noexcept {
  std::size_t count = 0;
  for (const char one : text) count += (static_cast<unsigned char>(one) & 0xc0U) != 0x80U;
  return count;
}

std::string padded(std::string_view text, std::size_t to) {
  const std::size_t has = width(text);
  return std::string{text} + std::string(has < to ? to - has : 0, ' ');
}

std::string right(std::string_view text, std::size_t to) {
  const std::size_t has = width(text);
  return std::string(has < to ? to - has : 0, ' ') + std::string{text};
}

std::string painter::operator()(look as, std::string_view text) const {
  if (!colours_) return std::string{text};
  constexpr std::string_view codes[] = {"1", "2", "1;32", "33"};
  return "\033[" + std::string{codes[static_cast<std::size_t>(as)]} + 'm' + std::string{text} +
         "\033[0m";
}

std::string painter::wire(const step& one, server_kind server) const {
  return one.does ? of_call(one, server) : of_arrival(one);
}

std::string painter::of_call(const step& one, server_kind server) const {
  const std::string call{to_string(*one.does, one.who, server)};
  const std::string flags = spaced(one.flags);
  const std::size_t rest = wire_width - width(call) - 1 - width(flags);
  const std::size_t shaft = rest > 8 ? 5 : 2;
  const std::string blank(rest - shaft - 1, ' ');
  if (one.who == side::client) {
    return call + ' ' + (*this)(look::segment, flags + line(shaft) + std::string{to_right()}) +
           blank;
  }
  return blank + (*this)(look::segment, std::string{to_left()} + line(shaft) + flags) + ' ' + call;
}

std::string painter::of_arrival(const step& one) const {
  const std::string flags = spaced(one.flags);
  const std::size_t shaft = wire_width - 1 - width(flags);
  const std::string before = line(shaft / 2);
  const std::string after = line(shaft - shaft / 2);
  return (*this)(look::segment, one.who == side::server
                                    ? before + flags + after + std::string{to_right()}
                                    : std::string{to_left()} + after + flags + before);
}

std::string painter::line(std::size_t length) const {
  std::string all;
  for (std::size_t i = 0; i < length; ++i) all += unicode_ ? "─" : "-";
  return all;
}
