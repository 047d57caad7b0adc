#include "live.hpp"

#include "words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <unistd.h>

namespace load {
namespace {

constexpr std::size_t history = 30;  // seconds in a sparkline

/// A bar for each value, the highest as high as a line.
std::string sparkline(const std::deque<double>& values) {
  static constexpr std::array bars = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const double highest = values.empty() ? 0 : *std::ranges::max_element(values);
  std::string line;
  for (const double value : values) {
    const double share = highest > 0 ? value / highest : 0;
    line += bars[static_cast<std::size_t>(std::lround(share * (bars.size() - 1)))];
  }
  line.append(history - values.size(), ' ');
  return line;
}

void remember(std::deque<double>& values, double value) {
  values.push_back(value);
  if (values.size() > history) values.pop_front();
}

double total_s(const plan& of) {
  return std::chrono::duration<double>(of.warmup + of.duration).count();
}

std::string rate_text(std::uint64_t count, double length_s) {
  return with_commas(static_cast<std::uint64_t>(
      std::llround(static_cast<double>(count) / std::max(length_s, 1e-3))));
}

}  // namespace

live_view::live_view(const plan& of, bool quiet, std::FILE* to)
    : plan_{of}, to_{quiet ? nullptr : to}, terminal_{::isatty(::fileno(to)) != 0} {
  if (to_ == nullptr) return;
  fmt::print(to_, "{} to {}: {}, {} connections\n", column_name(of), target_of(of), load_name(of),
             with_commas(of.connections));
  std::fflush(to_);
}

live_view::~live_view() { erase(); }

void live_view::erase() {
  if (lines_ == 0) return;
  fmt::print(to_, "\x1b[{}A\x1b[J", lines_);
  std::fflush(to_);
  lines_ = 0;
}

void live_view::show(const second& one) {
  const double length_s = one.at_s - until_s_;
  until_s_ = one.at_s;
  failed_ += one.failed;
  if (to_ == nullptr || length_s <= 0) return;
  terminal_ ? show_block(one, length_s) : show_line(one, length_s);
  std::fflush(to_);
}

void live_view::show_line(const second& one, double length_s) {
  fmt::print(to_,
             "{:6.1f} s  {}/s answered, {}/s due, p50 {}, p99 {}, max {}, {} open, {} failed{}\n",
             one.at_s, rate_text(one.answered, length_s), rate_text(one.due, length_s),
             in_words(one.p50_us), in_words(one.p99_us), in_words(one.max_us),
             with_commas(one.connections), with_commas(failed_), one.warmup ? " (warm-up)" : "");
}

void live_view::show_block(const second& one, double length_s) {
  remember(rates_, static_cast<double>(one.answered) / std::max(length_s, 1e-3));
  remember(p99s_, one.p99_us);
  const double total = total_s(plan_);
  constexpr int width = 30;
  const int done = static_cast<int>(std::lround(std::min(one.at_s / total, 1.0) * width));
  erase();
  fmt::print(to_, "  {:<8} {:█<{}}{:░<{}}  {:.0f} of {:.0f} s{}\n", "time", "", done, "",
             width - done, one.at_s, total, one.warmup ? ", warm-up" : "");
  fmt::print(to_, "  {:<8} {}  {}/s, {}/s due\n", "answers", sparkline(rates_),
             rate_text(one.answered, length_s), rate_text(one.due, length_s));
  fmt::print(to_, "  {:<8} {}  {}, p50 {}\n", "p99", sparkline(p99s_), in_words(one.p99_us),
             in_words(one.p50_us));
  fmt::print(to_, "  {:<8} {} open, {} failed{}\n", "", with_commas(one.connections),
             with_commas(failed_),
             one.ports_used ? fmt::format(", {} ports", with_commas(*one.ports_used)) : "");
  lines_ = 4;
}

}  // namespace load
