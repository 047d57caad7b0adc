#include "admin/page_reply.hpp"

#include "admin/access.hpp"
#include "admin/page/page.hpp"
#include "admin/replies.hpp"

#include <string>

namespace dwell::inline v0 {
namespace {

/// `text` with `value` wherever `{{name}}` stands.
void fill_in(std::string& text, std::string_view name, std::string_view value) {
  const std::string place = std::string{"{{"}.append(name).append("}}");
  for (auto at = text.find(place); at != std::string::npos; at = text.find(place, at)) {
    text.replace(at, place.size(), value);
  }
}

}  // namespace

bool wants_page(const http::request& request) {
  return request.header("Accept").value_or("").find("text/html") != std::string_view::npos;
}

http::response page_reply(std::optional<std::string_view> secret, bool has_token) {
  const std::string nonce = make_secret();
  std::string text{admin_page()};
  fill_in(text, "nonce", nonce);
  fill_in(text, "secret", secret.value_or(""));
  fill_in(text, "changes", secret ? "page" : has_token ? "token" : "none");
  http::response made = plain(http::status::ok, std::move(text));
  made.content_type = "text/html; charset=utf-8";
  std::string policy = "default-src 'none'; connect-src 'self'; img-src data:; style-src 'nonce-";
  policy.append(nonce).append("'; script-src 'nonce-").append(nonce);
  policy.append("'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  made.headers.insert(made.headers.end(), {{"Content-Security-Policy", std::move(policy)},
                                           {"Cross-Origin-Resource-Policy", "same-origin"},
                                           {"Cross-Origin-Opener-Policy", "same-origin"},
                                           {"Referrer-Policy", "no-referrer"},
                                           {"Vary", "Accept"}});
  return made;
}

}  // namespace dwell::inline v0
