#pragma once

#include <string_view>

namespace dwell::http {

/// Content-Type for a file by what follows the last dot of its name, ignoring case;
/// application/octet-stream where nothing is known.
std::string_view mime_type_of(std::string_view path) noexcept;

/// What follows the last dot of the last segment; empty: nothing.
std::string_view extension_of(std::string_view path) noexcept;

}  // namespace dwell::http
