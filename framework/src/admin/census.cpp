#include "admin/census.hpp"

#include "connection/loop.hpp"

#include <utility>

namespace dwell::inline v0 {

void service_census::add(const service_census& other) noexcept {
  for (std::size_t i = 0; i < phases.size(); ++i) phases[i] += other.phases[i];
  established += other.established;
  close_wait += other.close_wait;
  closing += other.closing;
  lost += other.lost;
  held += other.held;
}

void count(connection& which, std::span<service_census> services) noexcept {
  const slot& c = as_slot(which);
  const std::uint32_t service = c.service->of->index;
  if (service >= services.size()) return;  // one that was added meanwhile
  service_census& mine = services[service];
  ++mine.phases[static_cast<std::size_t>(which.phase())];
  if (c.fin_sent) {
    ++mine.closing;
  } else if (c.peer_gone && !c.input_ended) {
    ++mine.lost;
  } else if (c.input_ended || c.peer_done) {
    ++mine.close_wait;
  } else {
    ++mine.established;
  }
  if (c.service->host->is_held(c)) ++mine.held;
}

census::census(std::size_t services, std::uint32_t loops, std::shared_ptr<std::atomic<int>> alive)
    : loop_walk{loops, std::move(alive)},
      services_{services},
      parts_(loops, std::vector<service_census>(services)) {}

void census::look(connection& peer) noexcept {
  count(peer, parts_[as_slot(peer).service->host->index()]);
}

census::result census::take() {
  result all{.services = std::vector<service_census>(services_), .silent_loops = {}};
  all.silent_loops = take_parts([&](std::uint32_t loop) {
    for (std::size_t i = 0; i < services_; ++i) all.services[i].add(parts_[loop][i]);
    return true;
  });
  return all;
}

}  // namespace dwell::inline v0
