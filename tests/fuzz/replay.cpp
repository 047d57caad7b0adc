// Runs a fuzzer's inputs without the fuzzer: each file of the folders named, and with --cases the
// raw requests of tests/http_cases.
#include "fuzz/plan.hpp"
#include "http_cases/cases.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

std::string input_of(const dwell::testing::raw_case& what) {
  return dwell::testing::plain_input(what.sent, static_cast<std::uint8_t>(what.at));
}

/// Whole, in two pieces, with a network that delays, and on one that loses.
std::size_t run_cases() {
  std::size_t count = 0;
  for (const auto& each : dwell::testing::raw_cases()) {
    for (const char faults : {'\0', '\x0F', '\x3F'}) {
      for (const char cut : {'\0', '\x07'}) {
        std::string input = input_of(each);
        input[1] = static_cast<char>(count);
        input[2] = faults;
        input[3] = cut;
        input[5] = 1;
        run(input);
        ++count;
      }
    }
  }
  return count;
}

void write_cases(const std::filesystem::path& to) {
  std::filesystem::create_directories(to);
  for (const auto& each : dwell::testing::raw_cases()) {
    std::ofstream{to / each.name, std::ios::binary} << input_of(each);
  }
}

std::size_t run_files(const std::filesystem::path& in) {
  std::vector<std::filesystem::path> files;
  for (const auto& each : std::filesystem::directory_iterator{in}) files.push_back(each.path());
  std::sort(files.begin(), files.end());
  for (const auto& each : files) {
    std::ifstream file{each, std::ios::binary};
    const std::string input{std::istreambuf_iterator<char>{file}, {}};
    std::cout << each.filename().string() << std::endl;  // the last one is it, should it abort
    run(input);
  }
  return files.size();
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t count = 0;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--write-cases") == 0 && i + 1 < argc) {
      write_cases(argv[++i]);
    } else if (std::strcmp(argv[i], "--cases") == 0) {
      count += run_cases();
    } else if (std::filesystem::is_directory(argv[i])) {
      count += run_files(argv[i]);
    } else {
      std::cerr << "usage: " << argv[0] << " [--write-cases FOLDER] [--cases] [FOLDER...]\n";
      return 2;
    }
  }
  std::cout << count << " inputs\n";
  return 0;
}
