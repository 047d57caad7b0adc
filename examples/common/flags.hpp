#pragma once

#include <dwell/dwell.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

/// What the flags that all examples share have chosen.
struct flags {
  dwell::server_options server;
  dwell::service_options service{.listen = {.address = "127.0.0.1", .port = 7777}};
  bool json = false;
};

/// What may be written on the command line, and what it means.
template <class Value>
using words_for = std::vector<std::pair<std::string, Value>>;

/// The command line of an example.
class command_line {
 public:
  /// Knows the shared flags, which it writes to `chosen`. `examples` is the end of what --help
  /// says.
  command_line(const std::string& name, const std::string& does, const std::string& examples,
               flags& chosen);

  /// For flags of the program's own.
  CLI::App& app() noexcept { return app_; }

  /// One of a few words, for a flag of the program's own.
  template <class Value>
  void add_choice(const std::string& flag, Value& chosen, const words_for<Value>& words,
                  const std::string& text);

  /// Where to listen, for a flag of the program's own.
  CLI::Option* add_endpoint(const std::string& flag, dwell::endpoint& chosen,
                            const std::string& text);

  /// A length of time, for a flag of the program's own.
  void add_deadline(const std::string& flag, dwell::duration& chosen, const std::string& text);

  /// Reads the flags and runs `program`, turning errors into one line on standard error. Returns
  /// the exit code for main: what `program` returned, 1 when something failed, 2 for wrong usage.
  int run(int argc, char** argv, const std::function<int()>& program);

 private:
  void add_server_flags();
  void add_service_flags();
  void add_proxy_flags();
  void add_tls_flags();
  void secure(dwell::tls_certificate certificate);

  flags& chosen_;
  CLI::App app_;
  std::string log_level_ = "info";
};

template <class Value>
void command_line::add_choice(const std::string& flag, Value& chosen, const words_for<Value>& words,
                              const std::string& text) {
  std::string all;
  for (const auto& [word, value] : words) all += (all.empty() ? "" : "|") + word;
  const auto choose = [flag, all, words, &chosen](const std::string& given) {
    const auto found = std::ranges::find(words, given, [](const auto& word) { return word.first; });
    if (found == words.end()) throw CLI::ValidationError{flag, '"' + given + "\": use " + all};
    chosen = found->second;
  };
  app_.add_option_function<std::string>(flag, choose, text)->type_name(all);
}
