#include "tally.hpp"

#include "report.hpp"

void tally::begin(pid_t server) {
  *this = {};
  server_ = server;
  own_before_ = own_cpu();
  server_before_ = cpu_of(server);
  began_ = now();
}

void tally::describe(nlohmann::ordered_json& result) const {
  const nanoseconds wall = now() - began_;
  const cpu_time own = own_cpu() - own_before_;
  const cpu_time server = cpu_of(server_) - server_before_;
  result["seconds"] = rounded(static_cast<double>(wall) / 1e9);
  result["exchanges"] = finished;
  result["failed"] = failed;
  result["rate"] = rounded(static_cast<double>(finished) * 1e9 / static_cast<double>(wall));
  result["latency_us"] = in_microseconds(duration);
  result["received_bytes"] = received_bytes;
  result["ended_by"] = {{"fin", ended_by_fin}, {"reset", ended_by_reset}};
  for (std::size_t i = 0; i < failures.size(); ++i)
    result["errors"][failure_names[i]] = failures[i];
  result["client"] = cpu_share(own, wall, finished);
  if (server_) result["server"] = cpu_share(server, wall, finished);
}

std::string tally::line(nanoseconds at) const {
  std::string text = "  " + std::to_string(finished) + " exchanges";
  const double elapsed = static_cast<double>(at - began_) / 1e9;
  if (began_ != 0 && elapsed > 0)
    text += ", " + std::to_string(static_cast<long>(static_cast<double>(finished) / elapsed)) +
            "/s, p99 " + std::to_string(duration.at(0.99) / microsecond) + " us";
  if (failed) text += ", " + std::to_string(failed) + " failed (" + first_failure() + ")";
  return text;
}

std::string tally::first_failure() const {
  for (std::size_t i = 0; i < failures.size(); ++i)
    if (failures[i]) return failure_names[i];
  return "timed_out";
}
