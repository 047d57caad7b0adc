#include "words.hpp"

#include <fmt/format.h>

#include <cmath>

namespace load {
namespace {

std::string three_figures(double value, std::string_view unit) {
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}", value, decimals, unit);
}

std::string_view closer(ending how) {
  switch (how) {
    case ending::client: return "client closes";
    case ending::client_abort: return "client resets";
    case ending::server: return "server closes";
    case ending::server_abort_after_fin: return "server closes, abort_after_fin";
    case ending::server_abort: return "server resets";
  }
  return "";
}

}  // namespace

std::string with_commas(std::uint64_t value) {
  std::string digits = std::to_string(value);
  std::string result;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) result += ',';
    result += digits[i];
  }
  return result;
}

std::string in_words(nanoseconds duration) {
  const auto ns = static_cast<double>(duration.count());
  if (ns < 999.5e3) return three_figures(ns / 1e3, "us");
  if (ns < 999.5e6) return three_figures(ns / 1e6, "ms");
  return three_figures(ns / 1e9, "s");
}

std::string column_name(const plan& of) {
  if (of.tls != security::none) {
    plan plain = of;
    plain.tls = security::none;
    return column_name(plain) + ", TLS, " + std::string{to_string(of.tls)} + " handshakes";
  }
  if (is_long(of)) return "long";
  if (of.requests_per_connection == 1) return fmt::format("short, {}", closer(of.ending));
  return fmt::format("{} requests each, {}", with_commas(of.requests_per_connection),
                     closer(of.ending));
}

std::string load_name(const plan& of) {
  if (of.arrival == arrival::closed) return "closed loop";
  return fmt::format("open loop, {} {}/s", to_string(of.arrival),
                     with_commas(static_cast<std::uint64_t>(std::llround(of.rate))));
}

double cpu_us_each(const cpu_time& used, std::uint64_t answered) {
  return answered == 0 ? 0 : (used.user_us + used.system_us) / static_cast<double>(answered);
}

}  // namespace load
