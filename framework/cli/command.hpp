#pragma once

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

/// What scripts see. 3 is each command's own "no": it says which in its --help.
enum exit_code : int { done = 0, failed = 1, wrong_usage = 2, negative = 3 };

/// A subcommand has put what it does here when it was chosen; run after the command line was read.
using action = std::function<int()>;

void add_states(CLI::App& program, action& chosen);
void add_doctor(CLI::App& program, action& chosen);
void add_trace(CLI::App& program, action& chosen);

/// ":8080" or "8080", 1 to 65,535. Throws CLI::ValidationError.
std::uint16_t parse_port(const std::string& given);

/// False when SIGINT or SIGTERM came meanwhile, which so do not end the program.
bool wait_unless_interrupted(std::chrono::milliseconds how_long);

bool prints_to_terminal();

/// 1234567 as "1,234,567".
std::string with_commas(std::uint64_t number);
/// 3210 ms as "3.2 s".
std::string as_seconds(std::chrono::milliseconds time);
