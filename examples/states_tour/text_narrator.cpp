#include "narrators.hpp"
#include "picture.hpp"

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
constexpr std::size_t page_width = 80;

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
      : out_{out}, how_{how}, traced_{traced}, paint_{how.colours, how.unicode} {}

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
    const std::string client{to_string(where.client)};
    out_ << "  " << right(std::to_string(where.number), number_width) << "  "
         << state(where.client, where.client_moved)
         << std::string(state_width - width(client) + 2, ' ')
         << (where.done != nullptr ? paint_.wire(*where.done, what.server)
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
