#include "report.hpp"

#include <cmath>
#include <cstdio>
#include <string>

double rounded(double value) { return std::round(value * 1000) / 1000; }

nlohmann::ordered_json in_microseconds(const latency& recorded) {
  const auto us = [](double ns) { return rounded(ns / 1000); };
  nlohmann::ordered_json result;
  result["mean"] = us(recorded.mean());
  result["p50"] = us(static_cast<double>(recorded.at(0.5)));
  result["p90"] = us(static_cast<double>(recorded.at(0.9)));
  result["p99"] = us(static_cast<double>(recorded.at(0.99)));
  result["p99_9"] = us(static_cast<double>(recorded.at(0.999)));
  result["max"] = us(static_cast<double>(recorded.max()));
  return result;
}

nlohmann::ordered_json cpu_share(cpu_time used, nanoseconds wall, std::uint64_t operations) {
  const double each = operations ? static_cast<double>(operations) : 1;
  nlohmann::ordered_json result;
  result["cpu_us_each"] = rounded(static_cast<double>(used.total) / 1000 / each);
  result["user_us_each"] = rounded(static_cast<double>(used.user) / 1000 / each);
  result["busy"] = rounded(static_cast<double>(used.total) / static_cast<double>(wall));
  return result;
}

void print_table(const nlohmann::ordered_json& result) {
  const nlohmann::ordered_json leaves = result.flatten();
  for (const auto& [path, value] : leaves.items()) {
    std::string name = path.substr(1);
    for (char& c : name)
      if (c == '/') c = '.';
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    std::printf("%-24s %s\n", name.c_str(), text.c_str());
  }
}
