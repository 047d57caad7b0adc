#include "http_answer.hpp"

#include <utility>

// dwell::http has llhttp in it, under names of its own.
#include "http/llhttp_names.h"

#include <llhttp.h>

namespace load {

struct http_answers::parser : llhttp_t {
  int status_seen = 0;
  bool kept = false;
  bool whole = false;

  // At the last byte: what follows belongs to the next answer.
  static int on_whole(llhttp_t* raw) {
    if (raw->status_code < 200 && raw->status_code != 101) return 0;
    auto& self = static_cast<parser&>(*raw);
    self.status_seen = raw->status_code;
    self.kept = llhttp_should_keep_alive(raw) != 0;
    self.whole = true;
    return HPE_PAUSED;
  }

  // No body, whatever Content-Length says (RFC 9112 6.3); llhttp would wait for one.
  static int on_head(llhttp_t* raw) {
    const int status = raw->status_code;
    return status < 200 || status == 204 || status == 304 ? 1 : 0;
  }

  static const llhttp_settings_t& settings() {
    static const llhttp_settings_t made = [] {
      llhttp_settings_t result;
      llhttp_settings_init(&result);
      result.on_headers_complete = on_head;
      result.on_message_complete = on_whole;
      return result;
    }();
    return made;
  }
};

http_answers::http_answers() : parser_{std::make_unique<parser>()} { reset(); }
http_answers::~http_answers() = default;
http_answers::http_answers(http_answers&&) noexcept = default;
http_answers& http_answers::operator=(http_answers&&) noexcept = default;

void http_answers::reset() noexcept {
  llhttp_init(parser_.get(), HTTP_RESPONSE, &parser::settings());
  parser_->whole = false;
}

http_answers::result http_answers::read(std::string_view bytes) noexcept {
  if (std::exchange(parser_->whole, false)) llhttp_resume(parser_.get());
  const llhttp_errno_t what = llhttp_execute(parser_.get(), bytes.data(), bytes.size());
  if (parser_->whole) {
    const char* const end = llhttp_get_error_pos(parser_.get());
    return {progress::complete, static_cast<std::size_t>(end - bytes.data())};
  }
  if (what != HPE_OK) return {progress::wrong, 0};
  return {progress::incomplete, bytes.size()};
}

bool http_answers::end() noexcept {
  if (parser_->whole) return false;
  llhttp_finish(parser_.get());
  return parser_->whole;
}

int http_answers::status() const noexcept { return parser_->status_seen; }
bool http_answers::keeps_alive() const noexcept { return parser_->kept; }

}  // namespace load
