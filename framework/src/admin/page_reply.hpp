#pragma once

#include <dwell/http/request.hpp>
#include <dwell/http/response.hpp>

#include <optional>
#include <string_view>

namespace dwell::inline v0 {

/// Whether the client would rather have HTML than text: it names text/html, as browsers do.
bool wants_page(const http::request& request);

/// The page. `secret` lets it change something; nullopt: it needs the token.
http::response page_reply(std::optional<std::string_view> secret, bool has_token);

}  // namespace dwell::inline v0
