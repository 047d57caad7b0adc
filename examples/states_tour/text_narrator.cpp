#include "narrators.hpp"

#include <cstddef>
#include <iomanip>
#include <ostream>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

namespace {

constexpr std::size_t number_width = 2;
constexpr std::size_t state_width = 12;
constexpr std::size_t wire_width = 42;
constexpr std::size_t page_width = 80;

/// As many characters as it takes on the screen: one for each that UTF-8 begins.
std::size_t width(std::string_view text) {
  std::size_t count = 0;
  for (const char one : text) count += (static_cast<unsigned char>(one) & 0xc0U) != 0x80U;
  return count;
}

std::string repeat(std::string_view one, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += one;
  return all;
}

std::string padded(std::string_view text, std::size_t to) {
  const std::size_t has = width(text);
  return std::string{text} + std::string(has < to ? to - has : 0, ' ');
}

std::string right(std::string_view text, std::size_t to) {
  const std::size_t has = width(text);
  return std::string(has < to ? to - has : 0, ' ') + std::string{text};
}

enum class look : std::uint8_t { plain, title, quiet, moved, segment };

class painter {
 public:
  explicit painter(const telling& how) : how_{how} {}

  std::string operator()(look as, std::string_view text) const {
    constexpr std::string_view codes[] = {"", "1", "2", "1;32", "33"};
    const std::string_view code = codes[static_cast<std::size_t>(as)];
    if (!how_.colours || code.empty()) return std::string{text};
    return "\033[" + std::string{code} + 'm' + std::string{text} + "\033[0m";
  }

  std::string_view line() const { return how_.unicode ? "─" : "-"; }
  std::string_view to_right() const { return how_.unicode ? "▶" : ">"; }
  std::string_view to_left() const { return how_.unicode ? "◀" : "<"; }
  /// Says "…" where that can be shown.
  std::string words(std::string_view text) const {
    constexpr std::string_view dots = "…";
    std::string shown{text};
    const std::size_t at = shown.find(dots);
    if (!how_.unicode && at != std::string::npos) shown.replace(at, dots.size(), "..");
    return shown;
  }

 private:
  telling how_;
};

/// What happened between the two ends, `wire_width` wide.
class wire_picture {
 public:
  explicit wire_picture(const painter& paint) : paint_{paint} {}

  std::string of(const step& one, server_kind server) const {
    return one.does ? of_call(one, server) : of_arrival(one);
  }

 private:
  /// The call, and the segment as it leaves.
  std::string of_call(const step& one, server_kind server) const {
    const std::string call = paint_.words(to_string(*one.does, one.who, server));
    const std::string flags = ' ' + std::string{one.flags} + ' ';
    const std::size_t rest = wire_width - width(call) - 1 - width(flags);
    const std::size_t tail = rest > 8 ? 5 : 2;
    const std::string shaft = repeat(paint_.line(), tail);
    const std::string blank(rest - tail - 1, ' ');
    if (one.who == side::client) {
      return call + ' ' + paint_(look::segment, flags + shaft + std::string{paint_.to_right()}) +
             blank;
    }
    return blank + paint_(look::segment, std::string{paint_.to_left()} + shaft + flags) + ' ' +
           call;
  }

  /// The whole way.
  std::string of_arrival(const step& one) const {
    const std::string flags = ' ' + std::string{one.flags} + ' ';
    const std::size_t shaft = wire_width - 1 - width(flags);
    const std::string before = repeat(paint_.line(), shaft / 2);
    const std::string after = repeat(paint_.line(), shaft - shaft / 2);
    if (one.who == side::server) {
      return paint_(look::segment, before + flags + after + std::string{paint_.to_right()});
    }
    return paint_(look::segment, std::string{paint_.to_left()} + after + flags + before);
  }

  const painter& paint_;
};

/// Breaks text into lines of the page.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::istringstream words{std::string{text}};
  std::string all, line, word;
  while (words >> word) {
    if (!line.empty() && indent + width(line) + 1 + width(word) > page_width) {
      all += std::string(indent, ' ') + line + '\n';
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return all + std::string(indent, ' ') + line + '\n';
}

class text_narrator : public narrator {
 public:
  text_narrator(std::ostream& out, const telling& how, bool traced)
      : out_{out}, how_{how}, traced_{traced}, paint_{how} {}

  void begins(const scene& what, std::size_t number) override {
    said_.clear();
    out_ << '\n'
         << paint_(look::title, std::to_string(number) + ". " + std::string{what.title}) << "\n\n"
         << std::string(2 + number_width + 2, ' ')
         << paint_(look::quiet, padded("client", state_width + 2 + wire_width / 2 - 4) +
                                    padded("the wire", wire_width / 2 + 4) + "  server")
         << '\n';
  }

  void reached(const scene& what, const station& where) override {
    const auto state = [&](dwell::tcp_state is, bool moved) {
      return paint_(moved ? look::moved : look::quiet, to_string(is));
    };
    const wire_picture picture{paint_};
    const std::string client{to_string(where.client)};
    out_ << "  " << right(std::to_string(where.number), number_width) << "  "
         << state(where.client, where.client_moved)
         << std::string(state_width - width(client) + 2, ' ')
         << (where.done != nullptr ? picture.of(*where.done, what.server)
                                   : std::string(wire_width, ' '))
         << "  " << state(where.server, where.server_moved) << std::endl;
    if (where.client_moved)
      remember(where.number, side::client, where.client, where.client_reading);
    if (where.server_moved)
      remember(where.number, side::server, where.server, where.server_reading);
  }

  void ends(const scene& what) override {
    if (how_.only_ladder) return;
    if (!said_.empty()) {
      out_ << '\n'
           << paint_(look::quiet,
                     padded("", 12) + "  " + row("TCP_INFO", "sock_diag", "tracepoint"))
           << '\n';
      for (const std::string& line : said_) out_ << line << '\n';
    }
    out_ << '\n' << wrapped(what.lesson, 2) << std::flush;
  }

 private:
  static std::string row(std::string_view tcp_info, std::string_view diag,
                         std::string_view tracepoint) {
    return padded(tcp_info, 13) + ' ' + padded(diag, 24) + ' ' + std::string{tracepoint};
  }

  void remember(std::size_t number, side who, dwell::tcp_state state, const reading& read) {
    if (how_.only && state != how_.only) return;
    const std::string_view info = read.tcp_info ? to_string(*read.tcp_info) : "no descriptor";
    std::string traced = traced_ ? "nothing" : "not asked";
    if (!read.tracepoint.empty()) traced.clear();
    std::vector<std::string> more;
    for (const transition& one : read.tracepoint) {
      const std::string moved = one.from + " -> " + one.to;
      if (traced.empty())
        traced = moved;
      else
        more.push_back(std::string(14, ' ') + row("", "", moved));
    }
    said_.push_back("  " + right(std::to_string(number), number_width) + "  " +
                    padded(to_string(who), 6) + "  " + row(info, describe(read.sock_diag), traced));
    said_.insert(said_.end(), more.begin(), more.end());
  }

  std::ostream& out_;
  telling how_;
  bool traced_;
  painter paint_;
  std::vector<std::string> said_;
};

}  // namespace

std::string describe(const std::optional<dwell::tcp_socket>& socket) {
  using dwell::tcp_state;
  if (!socket) return "no such socket";
  std::string said{to_string(socket->state)};
  const bool bound = socket->state == tcp_state::closed;
  const auto seconds =
      std::to_string(std::chrono::ceil<std::chrono::seconds>(socket->remaining).count());
  if (bound) return said + ", bound";
  if (socket->state == tcp_state::time_wait) return said + ", " + seconds + " s left";
  if (socket->state == tcp_state::syn_received && socket->inode == 0) return said + ", request";
  if (socket->is_orphan()) return said + ", orphan";
  if (socket->timer == dwell::socket_timer::retransmit) return said + ", resending";
  return said;
}

std::unique_ptr<narrator> tell_as_text(std::ostream& out, const telling& how,
                                       const std::string& missing) {
  return std::make_unique<text_narrator>(out, how, missing.empty());
}
