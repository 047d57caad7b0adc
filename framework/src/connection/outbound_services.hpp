#pragma once

#include <dwell/closing/close_record.hpp>

#include "connection/service.hpp"

#include <functional>
#include <memory>
#include <utility>

namespace dwell::inline v0 {

/// A loop's part of a service that does not listen, and what has to stay as long.
struct kept_service {
  kept_service(loop& on, const service& what, std::shared_ptr<const void> kept)
      : hosted{on, what}, owner{std::move(kept)} {}
  hosted_service hosted;
  std::shared_ptr<const void> owner;
};

/// One that all connections share that are awaited and want the same.
struct awaited_service {
  const std::function<void(const connection&, const close_record&)>* on_close;
  service what;
};

}  // namespace dwell::inline v0
