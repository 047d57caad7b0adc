#pragma once

#include "histogram.hpp"

#include <string>

namespace load {

/// The percentile distribution as HdrHistogram's tools write and plot it (`.hgrm`), in ms.
std::string to_hgrm(const histogram& of);

}  // namespace load
