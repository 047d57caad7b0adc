#pragma once
#include "clock.hpp"
#include "cpu.hpp"
#include "latency.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>

// A result is one JSON object. Its names carry their units.

double rounded(double value);  // to three decimals

nlohmann::ordered_json in_microseconds(const latency& recorded);

// CPU time of a process over `wall`: microseconds for each of `operations`, and how busy it was.
nlohmann::ordered_json cpu_share(cpu_time used, nanoseconds wall, std::uint64_t operations);

// One "name value" line for each leaf, names joined by dots.
void print_table(const nlohmann::ordered_json& result);
