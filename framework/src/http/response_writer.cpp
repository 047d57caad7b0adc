#include "http/response_writer.hpp"

#include <dwell/connection/options.hpp>

#include "http/date.hpp"
#include "http/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <utility>

namespace dwell::http {
namespace {

/// A number as text, valid until the next one.
class digits {
 public:
  std::string_view of(std::uint64_t value, int base = 10) noexcept {
    const char* const end =
        std::to_chars(text_.data(), text_.data() + text_.size(), value, base).ptr;
    return {text_.data(), static_cast<std::size_t>(end - text_.data())};
  }

 private:
  std::array<char, 20> text_;
};

/// Small pieces of output, handed on in big ones.
class text_writer {
 public:
  explicit text_writer(connection& peer) noexcept : peer_{&peer} {}
  text_writer(const text_writer&) = delete;
  text_writer& operator=(const text_writer&) = delete;
  ~text_writer() { flush(); }

  text_writer& operator<<(std::string_view text) noexcept {
    if (text.size() > buffer_.size() - size_) {
      flush();
      if (text.size() > buffer_.size()) {
        peer_->send(text);
        return *this;
      }
    }
    text.copy(buffer_.data() + size_, text.size());
    size_ += text.size();
    return *this;
  }

 private:
  void flush() noexcept {
    if (size_ != 0) peer_->send(std::string_view{buffer_.data(), std::exchange(size_, 0)});
  }

  connection* peer_;
  std::size_t size_ = 0;
  std::array<char, 512> buffer_;
};

constexpr std::array<std::string_view, 6> written_here{
    "connection", "content-length", "content-type", "date", "keep-alive", "transfer-encoding"};

std::string_view whole_body(const response& answer) noexcept {
  return answer.static_body.empty() ? std::string_view{answer.body} : answer.static_body;
}

std::uint64_t content_length(const response& answer) noexcept {
  return answer.file.of ? answer.file.size : whole_body(answer).size();
}

/// No control characters but tab: a line end would begin another field.
bool is_field_value(std::string_view text) noexcept {
  return std::ranges::all_of(text,
                             [](unsigned char c) { return c == '\t' || (c >= ' ' && c != 0x7F); });
}

/// For `Keep-Alive: timeout`: less than what is enforced, so that a client that keeps to it has its
/// request here in time.
std::uint64_t announced_seconds(duration idle) noexcept {
  const std::int64_t less = std::min(idle.count() - 1'000, idle.count() / 10 * 9);
  return less <= 0 ? 0 : static_cast<std::uint64_t>(less) / 1'000;
}

/// The status line, Date and what is said of the connection's stay: most answers begin as the one
/// before them.
class head_start {
 public:
  struct content {
    http::status status{};
    bool http_1_1 = true;
    bool keep_alive = true;
    duration idle{0};
    std::chrono::sys_seconds now{};
    friend bool operator==(const content&, const content&) = default;
  };

  std::string_view text(const content& wanted) noexcept {
    if (wanted != made_for_) make(wanted);
    return {text_.data(), size_};
  }

 private:
  head_start& operator<<(std::string_view text) noexcept {
    size_ += text.copy(text_.data() + size_, text_.size() - size_);
    return *this;
  }

  void make(const content& wanted) noexcept {
    made_for_ = wanted;
    size_ = 0;
    digits number;
    *this << "HTTP/1.1 " << number.of(static_cast<unsigned>(wanted.status)) << " "
          << to_string(wanted.status) << "\r\nDate: " << http_date(wanted.now);
    if (!wanted.keep_alive) {
      *this << "\r\nConnection: close";
    } else if (wanted.idle != off) {
      *this << "\r\nConnection: keep-alive\r\nKeep-Alive: timeout="
            << number.of(announced_seconds(wanted.idle));
    } else if (!wanted.http_1_1) {
      *this << "\r\nConnection: keep-alive";
    }
  }

  content made_for_;
  std::size_t size_ = 0;
  std::array<char, 192> text_{};
};

/// Fills the queue to just above its high watermark, which is what on_writable needs.
std::size_t room_for(const connection& peer) noexcept {
  const std::size_t high = peer.options().limits.high_watermark;
  return high - std::min(peer.queued(), high) + 1;
}

}  // namespace

bool may_have_body(status code) noexcept {
  return code != status::no_content && code != status::not_modified;
}

std::string fault_of(const response& answer) {
  const auto code = static_cast<int>(answer.status);
  if (code < 200 || code > 599) return "the status " + std::to_string(code) + " is not 200 to 599";
  if (answer.file.of && answer.stream) return "it has both a file and a stream";
  if (!is_field_value(answer.content_type)) return "content_type has a control character";
  return fault_of(answer.headers);
}

std::string fault_of(const std::vector<header>& headers) {
  for (const auto& [name, value] : headers) {
    if (!is_token(name)) return "the header name \"" + name + "\" is not a token";
    for (const auto own : written_here) {
      if (equals_ignoring_case(name, own))
        return "the header " + name + " is the server's to write";
    }
    if (!is_field_value(value)) return "the header " + name + " has a control character";
  }
  return {};
}

void write_head(connection& peer, const response& answer, const answered_request& to,
                std::string_view body) noexcept {
  static constinit thread_local head_start starts;
  text_writer out{peer};
  out << starts.text({.status = answer.status,
                      .http_1_1 = to.http_1_1,
                      .keep_alive = to.keep_alive,
                      .idle = peer.options().deadlines.idle,
                      .now = peer.date()});
  const bool endless = answer.stream || to.streamed;
  const std::uint64_t size = to.size.value_or(content_length(answer));
  if (!answer.content_type.empty()) {
    out << "\r\nContent-Type: " << answer.content_type;
  } else if (answer.file.of) {
    out << "\r\nContent-Type: application/octet-stream";
  } else if (size != 0 || endless) {
    out << "\r\nContent-Type: text/plain; charset=utf-8";
  }
  if (!may_have_body(answer.status)) {
  } else if (!endless || to.size) {
    out << "\r\nContent-Length: " << digits{}.of(size);
  } else if (to.http_1_1) {
    out << "\r\nTransfer-Encoding: chunked";
  }
  for (const auto& [name, value] : answer.headers) out << "\r\n" << name << ": " << value;
  out << "\r\n\r\n" << body;
}

void write_upgrade(connection& peer, std::string_view protocol,
                   const std::vector<header>& headers) noexcept {
  text_writer out{peer};
  out << "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " << protocol;
  for (const auto& [name, value] : headers) out << "\r\n" << name << ": " << value;
  out << "\r\n\r\n";
}

// ── body ──

std::string_view body_of(const response& answer, const answered_request& to) noexcept {
  if (to.method == method::head || !may_have_body(answer.status) || answer.file.of) return {};
  return whole_body(answer);
}

body_writer::body_writer(response answer, const answered_request& to) noexcept
    : answer_{std::move(answer)}, to_{to} {
  if (to.method == method::head || !may_have_body(answer_.status)) {
    answer_.stream = nullptr;
    answer_.file = {};
  }
  if (answer_.stream || answer_.file.of) {
    answer_.body.clear();
    answer_.static_body = {};
  }
}

body_writer::outcome body_writer::write(connection& peer) {
  const std::size_t enough = sent_ + most_per_turn;
  while (peer.is_writable()) {
    if (sent_ >= enough) return outcome::more;
    if (answer_.file.of) {  // is_writable() again only once it has left
      hand_over_file(peer);
      continue;
    }
    if (answer_.stream ? write_piece(peer) : write_slice(peer)) return outcome::done;
  }
  return peer.is_open() ? outcome::full : outcome::done;
}

sent_answer body_writer::progress(const connection& peer) const noexcept {
  // With TLS more is sent than the file has.
  const std::uint64_t since = peer.sent() - std::min(peer.sent(), sent_before_);
  const std::size_t of_file = std::min<std::uint64_t>(file_size_, since);
  return {answer_.status, sent_ + of_file, answer_.close};
}

void body_writer::hand_over_file(connection& peer) noexcept {
  sent_before_ = peer.sent() + peer.queued();
  file_size_ = answer_.file.size;
  peer.send_file(std::exchange(answer_.file, {}));
}

bool body_writer::write_slice(connection& peer) noexcept {
  const std::string_view all = body_of(answer_, to_);
  const std::string_view slice = all.substr(std::min(sent_, all.size()), room_for(peer));
  if (!slice.empty()) peer.send(slice);
  sent_ += slice.size();
  return sent_ == all.size();
}

/// A piece may be larger than the queue: its rest waits in the body's place.
bool body_writer::write_piece(connection& peer) {
  std::string& piece = answer_.body;
  text_writer out{peer};
  if (of_piece_ == piece.size()) {
    of_piece_ = 0;
    piece = answer_.stream();
    if (to_.http_1_1) out << digits{}.of(piece.size(), 16) << "\r\n";
    if (piece.empty()) {
      if (to_.http_1_1) out << "\r\n";
      return true;
    }
  }
  const std::string_view slice = std::string_view{piece}.substr(of_piece_, room_for(peer));
  out << slice;
  of_piece_ += slice.size();
  sent_ += slice.size();
  if (to_.http_1_1 && of_piece_ == piece.size()) out << "\r\n";
  return false;
}

response plain_answer(status code, std::string_view why) {
  response made{.status = code};
  made.body = std::to_string(static_cast<int>(code));
  if (const auto phrase = to_string(code); !phrase.empty()) (made.body += ' ') += phrase;
  if (!why.empty()) (made.body += ": ") += why;
  made.body += '\n';
  return made;
}

}  // namespace dwell::http
