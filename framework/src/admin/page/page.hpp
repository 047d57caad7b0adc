#pragma once

#include <string_view>

namespace dwell::inline v0 {

/// The page at `/`, with `{{nonce}}`, `{{secret}}` and `{{changes}}` to be filled in: the files
/// beside this one, put together by embed.cmake.
std::string_view admin_page() noexcept;

}  // namespace dwell::inline v0
