#include "admin/kernel_page.hpp"

namespace dwell::inline v0 {

std::array<comparison, 6> compare(const kernel_page& page, std::size_t service) {
  using enum tcp_state;
  const service_census& seen = page.seen.services[service];
  const port_view* const kernel = page.port(service);
  const auto of = [&kernel](auto&& count) {
    return kernel != nullptr ? std::optional<std::uint64_t>{count(*kernel)} : std::nullopt;
  };
  return {{
      {"not accepted", "SYN_RECEIVED, and in the accept queue", std::nullopt,
       of([](const port_view& k) { return k.local[syn_received] + k.waiting_accept; })},
      {"open", "ESTABLISHED", seen.established,
       of([](const port_view& k) { return k.held[established]; })},
      {"peer closed", "CLOSE_WAIT", seen.close_wait,
       of([](const port_view& k) { return k.held[close_wait]; })},
      {"closing", "FIN_WAIT_1, FIN_WAIT_2, CLOSING, LAST_ACK", seen.closing,
       of([](const port_view& k) {
         return k.held[fin_wait_1] + k.held[fin_wait_2] + k.held[closing] + k.held[last_ack];
       })},
      {"reset", "none: the handler has not asked", seen.lost, std::nullopt},
      {"closed, TIME_WAIT here", "TIME_WAIT, and orphans on their way there",
       page.services[service].time_wait_recently,
       of([](const port_view& k) { return k.local[time_wait] + k.orphans; })},
  }};
}

}  // namespace dwell::inline v0
