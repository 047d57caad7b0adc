#include "http_cases/answers.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <optional>
#include <stdexcept>

namespace dwell::testing {
namespace {

constexpr std::size_t shown_whole = 120;  // bytes of a body in a transcript

struct malformed : std::runtime_error {
  using runtime_error::runtime_error;
};

void require(bool holds, const std::string& what) {
  if (!holds) throw malformed{what};
}

std::uint64_t number(std::string_view text, int base) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  require(error == std::errc{} && end == text.data() + text.size() && !text.empty(),
          "not a number: " + std::string{text});
  return value;
}

bool is_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view{"!#$%&'*+-.^_`|~"}.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

/// "Sun, 06 Nov 1994 08:49:37 GMT"
bool is_date(std::string_view text) {
  constexpr std::string_view shape = "Aaa, 00 Aaa 0000 00:00:00 GMT";
  return text.size() == shape.size() &&
         std::equal(text.begin(), text.end(), shape.begin(), [](unsigned char c, char like) {
           if (like == '0') return std::isdigit(c) != 0;
           if (like == 'a') return std::islower(c) != 0;
           if (like == 'A') return std::isupper(c) != 0;
           return c == static_cast<unsigned char>(like);
         });
}

/// The line at the start of `text`, without its end, taken away; nullopt: it is not whole.
std::optional<std::string_view> take_line(std::string_view& text) {
  const auto end = text.find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  const auto line = text.substr(0, end);
  require(std::ranges::none_of(line, [](unsigned char c) { return c < ' ' || c == 0x7F; }),
          "a control character in the line " + std::string{line});
  text.remove_prefix(end + 2);
  return line;
}

/// False: it is not whole.
bool read_head(std::string_view& text, answer& into) {
  const auto status = take_line(text);
  if (!status) return false;
  require(status->starts_with("HTTP/1.1 ") && status->size() >= 13 && (*status)[12] == ' ',
          "the status line " + std::string{*status});
  into.status = static_cast<int>(number(status->substr(9, 3), 10));
  for (;;) {
    const auto line = take_line(text);
    if (!line) return false;
    if (line->empty()) return true;
    const auto colon = line->find(": ");
    require(colon != std::string_view::npos && is_name(line->substr(0, colon)),
            "the field " + std::string{*line});
    std::string name{line->substr(0, colon)};
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    into.fields.emplace_back(std::move(name), line->substr(colon + 2));
  }
}

void check_head(const answer& what) {
  for (const std::string_view once : {"connection", "content-length", "content-type", "date",
                                      "keep-alive", "transfer-encoding"}) {
    require(std::ranges::count(what.fields, once, [](const auto& each) { return each.first; }) <= 1,
            std::string{once} + " more than once");
  }
  require(what.status >= 100 && what.status <= 599, "the status");
  if (what.status == 100) return require(what.fields.empty(), "fields in 100 Continue");
  // Of a server's error it may be missing (RFC 9110, 6.6.1): who is refused unheard gets none.
  require(is_date(what.field("date")) || (what.status >= 500 && what.field("date").empty()),
          "no Date");
  const auto connection = what.field("connection");
  require(connection.empty() || connection == "close" || connection == "keep-alive",
          "Connection: " + std::string{connection});
  require(what.field("keep-alive").empty() || connection == "keep-alive",
          "Keep-Alive without Connection: keep-alive");
  const bool counted = !what.field("content-length").empty();
  const bool bodiless = what.status == 204 || what.status == 304;
  require(!(counted && what.chunked), "both Content-Length and Transfer-Encoding");
  require(!bodiless || (!counted && !what.chunked), "a body is announced with 204 or 304");
  require(bodiless || counted || what.chunked || what.close, "no end of the body is announced");
}

/// False: it is not whole.
bool read_chunks(std::string_view& text, answer& into) {
  for (;;) {
    std::string_view rest = text;
    const auto line = take_line(rest);
    if (!line) return false;
    const auto size = number(*line, 16);
    into.has_body = true;
    const auto there = std::min<std::uint64_t>(size, rest.size());
    if (rest.size() < size + 2) {
      into.body += rest.substr(0, there);
      text = {};
      return false;
    }
    into.body += rest.substr(0, there);
    require(rest.substr(size, 2) == "\r\n", "a chunk without its end");
    rest.remove_prefix(size + 2);
    text = rest;
    if (size == 0) return true;
  }
}

/// False: it is not whole.
bool read_body(std::string_view& text, answer& into, bool ended) {
  if (into.status == 100 || into.status == 204 || into.status == 304) return true;
  const bool other_follows = text.starts_with("HTTP/1.1 ");
  if (into.chunked)
    return other_follows || (text.empty() && !into.has_body) || read_chunks(text, into);
  const auto announced = into.field("content-length");
  const std::uint64_t size = announced.empty() ? text.size() : number(announced, 10);
  if (other_follows || text.empty())
    return size == 0 || announced.empty() ? ended || size == 0 : true;
  const auto taken = text.substr(0, size);
  into.body = taken;
  into.has_body = true;
  text.remove_prefix(taken.size());
  return announced.empty() ? ended : taken.size() == size;
}

std::string shown(const answer& what) {
  std::string made = std::to_string(what.status);
  if (what.close) made += " close";
  for (const auto& [name, value] : what.fields) {
    static constexpr std::string_view usual[] = {
        "connection", "content-length", "content-type", "date", "keep-alive", "transfer-encoding"};
    if (std::ranges::find(usual, name) == std::end(usual)) made += " " + name + ": " + value;
  }
  if (what.chunked) made += " chunked";
  if (!what.whole) made += " cut";
  if (!what.has_body) return made;
  std::string_view body = what.body;
  if (body.size() > shown_whole) return made + " [#" + std::to_string(body.size()) + "]";
  if (body.ends_with('\n')) body.remove_suffix(1);
  if (body.starts_with(std::to_string(what.status) + " ")) {
    const auto why = body.find(": ");
    if (why == std::string_view::npos) return made;
    return made + " (" + std::string{body.substr(why + 2)} + ")";
  }
  return made + " [" + std::string{body} + "]";
}

}  // namespace

std::string_view answer::field(std::string_view name) const noexcept {
  for (const auto& [each, value] : fields) {
    if (each == name) return value;
  }
  return {};
}

answers read_answers(std::string_view received, bool ended) {
  answers made;
  try {
    while (!received.empty()) {
      answer& next = made.all.emplace_back();
      if (!read_head(received, next)) break;
      next.chunked = next.field("transfer-encoding") == "chunked";
      require(next.chunked || next.field("transfer-encoding").empty(), "the transfer coding");
      next.close = next.field("connection") == "close";
      check_head(next);
      next.whole = read_body(received, next, ended);
      if (!next.whole) break;
      require(!next.close || received.empty(), "something follows Connection: close");
    }
  } catch (const malformed& why) {
    made.fault = why.what();
  }
  return made;
}

std::string to_string(const answers& what) {
  if (!what.fault.empty()) return "malformed: " + what.fault;
  std::string made;
  for (const answer& each : what.all) (made += made.empty() ? "" : ", ") += shown(each);
  return made;
}

}  // namespace dwell::testing
