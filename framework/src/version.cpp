#include <dwell/version.hpp>

namespace dwell::inline v0 {

std::string_view version() noexcept { return DWELL_VERSION; }

}  // namespace dwell::inline v0
