#pragma once

#include <string_view>

namespace dwell::inline v0 {

// The version of the library that was linked, as "major.minor.patch". Static storage; any thread;
// never fails.
[[nodiscard]] std::string_view version() noexcept;

}  // namespace dwell::inline v0
