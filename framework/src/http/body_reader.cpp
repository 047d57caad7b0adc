#include "http/body_reader.hpp"

#include <algorithm>
#include <string_view>

namespace dwell::http {
namespace {

constexpr refusal malformed{status::bad_request, "the chunked body is malformed"};

}  // namespace

struct body_reader::chunk_events {
  static body_reader& of(llhttp_t* parser) { return *static_cast<body_reader*>(parser->data); }

  static int on_body(llhttp_t* parser, const char* data, std::size_t size) {
    body_reader& self = of(parser);
    self.body_->append(data, size);
    self.left_ -= size;
    self.between_ = 0;
    self.counted_to_ = data + size;
    return 0;
  }

  static int on_chunk_header(llhttp_t* parser) {
    body_reader& self = of(parser);
    if (parser->content_length == 0) return HPE_PAUSED;  // trailers are not left to llhttp
    if (parser->content_length <= self.left_) return 0;
    self.refused_ = refusal{status::content_too_large, "the body is too large"};
    return HPE_USER;
  }

  static constexpr llhttp_settings_t make_settings() {
    llhttp_settings_t made{};
    made.on_body = on_body;
    made.on_chunk_header = on_chunk_header;
    return made;
  }

  /// A parser at the beginning of a chunked body.
  static llhttp_t begin() {
    static constexpr llhttp_settings_t settings = make_settings();
    static const llhttp_t at_body = [] {
      constexpr std::string_view head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
      llhttp_t made;
      llhttp_init(&made, HTTP_REQUEST, &settings);
      llhttp_execute(&made, head.data(), head.size());
      return made;
    }();
    return at_body;
  }
};

body_reader::body_reader(const head& of, std::uint64_t most, const head_limits& limits) noexcept
    : left_{of.chunked ? most : of.content_length}, limits_{limits} {
  if (of.chunked) {
    parser_ = chunk_events::begin();
    state_ = state::chunks;
  } else {
    state_ = of.content_length == 0 ? state::done : state::counted;
    if (of.content_length > most) {
      refused_ = refusal{status::content_too_large, "the body is too large"};
    }
  }
}

std::size_t body_reader::read(std::string_view input, std::string& body) {
  std::size_t used = 0;
  if (state_ == state::counted) used = read_counted(input, body);
  if (state_ == state::chunks && !input.empty()) used = read_chunks(input, body);
  if (state_ == state::trailers && !refused_) used += read_trailers(input.substr(used));
  return used;
}

std::size_t body_reader::read_counted(std::string_view input, std::string& body) {
  const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(input.size(), left_));
  body.append(input.substr(0, taken));
  left_ -= taken;
  if (left_ == 0) state_ = state::done;
  return taken;
}

/// In slices, so that what is between two bytes of the body (zeros before a size, extensions after
/// it) is refused at the same byte however the input is split.
std::size_t body_reader::read_chunks(std::string_view input, std::string& body) {
  body_ = &body;
  parser_.data = this;
  std::size_t used = 0;
  while (used < input.size() && state_ == state::chunks && !refused_) {
    const auto slice = input.substr(used, limits_.size - between_);
    counted_to_ = slice.data();
    const llhttp_errno_t outcome = llhttp_execute(&parser_, slice.data(), slice.size());
    const char* end = slice.data() + slice.size();
    if (outcome == HPE_PAUSED) {
      state_ = state::trailers;
      end = llhttp_get_error_pos(&parser_);
    } else if (outcome != HPE_OK && !refused_) {
      refused_ = malformed;
    }
    between_ += static_cast<std::size_t>(end - counted_to_);
    if (between_ >= limits_.size && !refused_) refused_ = malformed;
    used = static_cast<std::size_t>(end - input.data());
  }
  return used;
}

std::size_t body_reader::read_trailers(std::string_view input) {
  const auto [size, refused] = trailers_.scan(input, limits_);
  refused_ = refused;
  if (size == 0) return 0;
  refused_ = check_trailers(input.substr(0, size - 2));
  state_ = state::done;
  return size;
}

}  // namespace dwell::http
