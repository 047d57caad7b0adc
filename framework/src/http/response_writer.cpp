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
  text_writer& number(std::uint64_t value, int base = 10) noexcept {
    std::array<char, 20> digits;
    const char* const end = std::to_chars(digits.data(), digits.data() + 20, value, base).ptr;
    return *this << std::string_view{digits.data(), static_cast<std::size_t>(end - digits.data())};
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

bool may_have_body(status code) noexcept {
  return code != status::no_content && code != status::not_modified;
}

std::size_t body_size(const response& answer) noexcept {
  return answer.static_body.empty() ? answer.body.size() : answer.static_body.size();
}

/// No control characters but tab: a line end would begin another field.
bool is_field_value(std::string_view text) noexcept {
  return std::ranges::all_of(text,
                             [](unsigned char c) { return c == '\t' || (c >= ' ' && c != 0x7F); });
}

/// For `Keep-Alive: timeout`: less than what is enforced, so that a client that keeps to it has its
/// request here in time.
std::int64_t announced_seconds(duration idle) noexcept {
  using namespace std::chrono;
  return std::max<std::int64_t>(0,
                                floor<seconds>(std::min(idle - seconds{1}, idle * 9 / 10)).count());
}

}  // namespace

std::string fault_of(const response& answer) {
  const auto code = static_cast<int>(answer.status);
  if (code < 200 || code > 599) return "the status " + std::to_string(code) + " is not 200 to 599";
  if (!is_field_value(answer.content_type)) return "content_type has a control character";
  for (const auto& [name, value] : answer.headers) {
    if (!is_token(name)) return "the header name \"" + name + "\" is not a token";
    for (const auto own : written_here) {
      if (equals_ignoring_case(name, own))
        return "the header " + name + " is the server's to write";
    }
    if (!is_field_value(value)) return "the header " + name + " has a control character";
  }
  return {};
}

void write_head(connection& peer, const response& answer, const answered_request& to) noexcept {
  text_writer out{peer};
  out << "HTTP/1.1 ";
  out.number(static_cast<std::uint64_t>(answer.status)) << " " << to_string(answer.status);
  out << "\r\nDate: " << http_date(peer.date());
  if (!answer.content_type.empty()) {
    out << "\r\nContent-Type: " << answer.content_type;
  } else if (body_size(answer) != 0 || answer.stream) {
    out << "\r\nContent-Type: text/plain; charset=utf-8";
  }
  if (answer.stream) {
    if (to.http_1_1 && may_have_body(answer.status)) out << "\r\nTransfer-Encoding: chunked";
  } else if (may_have_body(answer.status)) {
    out << "\r\nContent-Length: ";
    out.number(body_size(answer));
  }
  if (!to.keep_alive) {
    out << "\r\nConnection: close";
  } else {
    const duration idle = peer.options().deadlines.idle;
    if (!to.http_1_1 || idle != off) out << "\r\nConnection: keep-alive";
    if (idle != off) {
      out << "\r\nKeep-Alive: timeout=";
      out.number(static_cast<std::uint64_t>(announced_seconds(idle)));
    }
  }
  for (const auto& [name, value] : answer.headers) out << "\r\n" << name << ": " << value;
  out << "\r\n\r\n";
}

// ── body ──

body_writer::body_writer(response answer, const answered_request& to) noexcept
    : answer_{std::move(answer)},
      chunked_{to.http_1_1},
      none_{to.method == method::head || !may_have_body(answer_.status)} {}

std::string_view body_writer::whole() const noexcept {
  return answer_.static_body.empty() ? std::string_view{answer_.body} : answer_.static_body;
}

/// In pieces that fill the queue to just above its high watermark, which is what on_writable needs.
bool body_writer::write(connection& peer) {
  if (none_) return true;
  if (answer_.stream) return write_stream(peer);
  const std::string_view all = whole();
  while (sent_ < all.size()) {
    if (!peer.is_writable()) return !peer.is_open();
    const std::size_t high = peer.options().limits.high_watermark;
    const std::size_t room = high - std::min(peer.queued(), high) + 1;
    const auto piece = all.substr(sent_, room);
    if (!peer.send(piece)) return true;
    sent_ += piece.size();
  }
  return true;
}

bool body_writer::write_stream(connection& peer) {
  for (;;) {
    if (!peer.is_writable()) return !peer.is_open();
    const std::string piece = answer_.stream();
    sent_ += piece.size();
    if (chunked_) text_writer{peer}.number(piece.size(), 16) << "\r\n" << piece << "\r\n";
    if (piece.empty()) return true;
    if (!chunked_) peer.send(piece);
  }
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
