#pragma once

#include <string_view>

namespace load {

/// The page of the report with `{{title}}` and `{{data}}` to be filled in: report/, and uPlot if
/// there was one, put together by report/embed.cmake.
std::string_view page() noexcept;

}  // namespace load
