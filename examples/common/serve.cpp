#include "common/serve.hpp"

#ifdef WITH_SYSTEMD
#include <dwell/systemd/systemd.hpp>
#endif

#include <nlohmann/json.hpp>

#include <csignal>
#include <iostream>
#include <stdexcept>
#include <string>

namespace {

/// {"graceful": 3, …} for the names of an enumeration.
template <class Enum, std::size_t count>
nlohmann::ordered_json by_name(const std::array<std::uint64_t, count>& totals) {
  nlohmann::ordered_json named;
  for (std::size_t i = 0; i < count; ++i) {
    named[std::string{to_string(static_cast<Enum>(i))}] = totals[i];
  }
  return named;
}

void print_json(const dwell::server_counts& counts) {
  const nlohmann::ordered_json line{{"opened", counts.opened},
                                    {"live", counts.live},
                                    {"closed", by_name<dwell::close_reason>(counts.closed)},
                                    {"time_wait", by_name<dwell::time_wait>(counts.time_wait)},
                                    {"observed", counts.observed},
                                    {"reap_raced", counts.reap_raced},
                                    {"accept_failed", counts.accept_failed},
                                    {"evicted", counts.evicted},
                                    {"refused", counts.refused},
                                    {"exchanges", counts.exchanges},
                                    {"received", counts.received},
                                    {"sent", counts.sent}};
  std::cout << line.dump() << std::endl;
}

template <class Enum, std::size_t count>
void print_row(const char* title, const std::array<std::uint64_t, count>& totals) {
  std::cout << title;
  bool any = false;
  for (std::size_t i = 0; i < count; ++i) {
    if (totals[i] == 0) continue;
    std::cout << (any ? ", " : " ") << to_string(static_cast<Enum>(i)) << ' ' << totals[i];
    any = true;
  }
  std::cout << (any ? "" : " none");
}

void print_text(const dwell::server_counts& counts) {
  std::cout << "connections: " << counts.opened << " opened, " << counts.live << " open, "
            << counts.evicted << " evicted, " << counts.refused << " refused\n";
  print_row<dwell::close_reason>("closed:", counts.closed);
  print_row<dwell::time_wait>("\nTIME_WAIT:", counts.time_wait);
  std::cout << " (" << counts.observed
            << " observed, the rest expected)\nexchanges: " << counts.exchanges << ", "
            << counts.received << " B received, " << counts.sent << " B sent, " << counts.reap_raced
            << " crossed our FIN" << std::endl;
}

/// What cannot be used leaves everything as it was.
void reload_certificates(dwell::server& server) {
  try {
    server.reload_certificates();
    std::cout << "certificates read" << std::endl;
  } catch (const std::invalid_argument& error) {
    std::cerr << error.what() << "; going on with the certificates of before" << std::endl;
  }
}

}  // namespace

int serve(const flags& chosen, const dwell::handler& what) {
  dwell::server server{chosen.server};
  return serve(server, chosen, what);
}

int serve(dwell::server& server, const flags& chosen, const dwell::handler& what) {
  const dwell::endpoint bound = server.serve(chosen.service, what);
  const auto report = [&] { (chosen.json ? print_json : print_text)(server.counts()); };
  server.on_signal(SIGUSR1, report);
  if (chosen.service.tls) server.on_signal(SIGHUP, [&server] { reload_certificates(server); });
#ifdef WITH_SYSTEMD
  const dwell::supervised for_systemd{server};
#endif
  std::cout << "listening on " << dwell::to_string(bound) << std::endl;
  const int status = server.run();
  report();
  return status;
}
