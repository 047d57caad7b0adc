#include "server/core.hpp"
#include "tls/tls_contexts.hpp"

#include <spdlog/spdlog.h>

#include <exception>
#include <utility>

namespace dwell::inline v0 {

void server_core::secure(service& what) {
  if (what.options.proxy_protocol) what.proxies.emplace(what.options.proxy_protocol->from);
  if (!what.options.tls) return;
  auto made = std::make_shared<tls_service>(*what.options.tls, hosts_.size());
  what.filters = made;
  const std::lock_guard lock{adding_};
  secured_.push_back(std::move(made));
}

/// All are read before one is used.
void server_core::reload_certificates() {
  std::vector<std::shared_ptr<tls_service>> all;
  {
    const std::lock_guard lock{adding_};
    all = secured_;
  }
  std::vector<tls_service::contexts_of_loops> fresh;
  try {
    for (const auto& each : all) fresh.push_back(each->read());
  } catch (const std::exception& failure) {
    not_reloaded_.fetch_add(1, std::memory_order_relaxed);
    logger_->warn("certificates are those of before: {}", failure.what());
    throw;
  }
  for (std::size_t i = 0; i < all.size(); ++i) all[i]->use(std::move(fresh[i]));
  reloaded_.fetch_add(1, std::memory_order_relaxed);
  logger_->info("certificates read");
}

}  // namespace dwell::inline v0
