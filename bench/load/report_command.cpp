#include "commands.hpp"
#include "report.hpp"
#include "result_json.hpp"

#include <CLI/CLI.hpp>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>

namespace load {
namespace {

struct wish {
  std::vector<std::string> files;
  std::string output = "report.html";
};

std::string why() { return std::strerror(errno); }

report read(const std::string& path) {
  errno = 0;
  std::ifstream file{path, std::ios::binary};
  std::ostringstream text;
  text << file.rdbuf();
  if (!file.is_open() || (text.fail() && errno != 0)) throw bad_json{path + ": " + why()};
  try {
    return parse_report(std::move(text).str());
  } catch (const bad_json& bad) {
    throw bad_json{path + ": " + bad.what()};
  }
}

/// Without their folders where that tells them apart.
std::vector<std::string> names_of(const std::vector<std::string>& files) {
  std::vector<std::string> names;
  names.reserve(files.size());
  for (const std::string& file : files) {
    names.push_back(std::filesystem::path{file}.stem().string());
  }
  const bool differ = std::set<std::string>(names.begin(), names.end()).size() == names.size();
  return differ ? names : files;
}

/// As a whole or not at all.
void write(const std::string& path, const std::string& page) {
  if (path == "-") {
    std::cout << page << std::flush;
    if (!std::cout) throw std::runtime_error{"standard output: " + why()};
    return;
  }
  const std::string unfinished = path + ".unfinished";
  std::ofstream file{unfinished, std::ios::binary};
  file << page;
  file.close();
  if (!file || std::rename(unfinished.c_str(), path.c_str()) != 0) {
    const std::string reason = why();
    std::remove(unfinished.c_str());
    throw std::runtime_error{path + ": " + reason};
  }
}

int render(const wish& what) {
  std::vector<named_report> reports;
  try {
    const std::vector<std::string> names = names_of(what.files);
    for (std::size_t i = 0; i < names.size(); ++i) {
      reports.push_back({names[i], read(what.files[i])});
    }
  } catch (const bad_json& bad) {
    std::cerr << "dwell-load: " << bad.what() << '\n';
    return usage;
  }
  write(what.output, render_html(reports));
  if (what.output != "-") std::cerr << what.output << '\n';
  return done;
}

}  // namespace

void add_report(CLI::App& app, action& chosen) {
  const auto what = std::make_shared<wish>();
  CLI::App* const command = app.add_subcommand(
      "report", "Renders report.json again; several files: compares them, side by side");
  command->footer(
      "The page is one file that needs no network.\n\n"
      "Examples:\n"
      "  dwell-load report report.json\n"
      "  dwell-load report before.json after.json -o difference.html\n"
      "  dwell-load report report.json -o - | gzip > report.html.gz");
  command->add_option("file", what->files, "What compare or an earlier page wrote")
      ->required()
      ->type_name("FILE.json");
  command->add_option("-o,--out", what->output, "Where to; -: standard output [report.html]")
      ->type_name("FILE");
  command->callback([what, &chosen] { chosen = [what] { return render(*what); }; });
}

}  // namespace load
