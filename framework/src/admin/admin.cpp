#include <dwell/admin/admin.hpp>

#include "admin/core.hpp"

namespace dwell::inline v0 {

admin::admin(server& observed, admin_options options)
    : core_{std::make_unique<admin_core>(observed, std::move(options))} {}

admin::~admin() = default;

const dwell::endpoint& admin::endpoint() const noexcept { return core_->endpoint(); }

}  // namespace dwell::inline v0
