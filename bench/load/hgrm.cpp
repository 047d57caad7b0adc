#include "hgrm.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace load {
namespace {

constexpr double ticks = 5;  // lines for each half of what is left to 100 %

double in_ms(double ns) { return ns / 1e6; }
double in_ms(histogram::nanoseconds value) { return in_ms(static_cast<double>(value.count())); }

double deviation_ms(const histogram& of) {
  double squares = 0;
  of.visit([&](histogram::nanoseconds middle, std::uint64_t count) {
    const double off = static_cast<double>(middle.count()) - of.mean_ns();
    squares += off * off * static_cast<double>(count);
  });
  return of.count() == 0 ? 0 : in_ms(std::sqrt(squares / static_cast<double>(of.count())));
}

}  // namespace

std::string to_hgrm(const histogram& of) {
  std::string text = fmt::format("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile",
                                 "TotalCount", "1/(1-Percentile)");
  const auto out = std::back_inserter(text);
  const auto total = static_cast<double>(of.count());
  double wanted = 0;
  std::uint64_t seen = 0;
  of.visit([&](histogram::nanoseconds middle, std::uint64_t count) {
    seen += count;
    const double share = static_cast<double>(seen) / total;
    const double value = in_ms(std::clamp(middle, of.min(), of.max()));
    while (wanted <= share && wanted < 1) {
      if (seen == of.count() && 1 / (1 - wanted) > total) break;
      fmt::format_to(out, "{:12.3f} {:2.12f} {:10} {:14.2f}\n", value, wanted, seen,
                     1 / (1 - wanted));
      const double halves = std::exp2(std::floor(std::log2(1 / (1 - wanted))) + 1);
      wanted += 1 / (ticks * halves);
    }
  });
  if (of.count() != 0) {
    fmt::format_to(out, "{:12.3f} {:2.12f} {:10}\n", in_ms(of.max()), 1.0, of.count());
  }
  fmt::format_to(out, "#[Mean    = {:12.3f}, StdDeviation   = {:12.3f}]\n", in_ms(of.mean_ns()),
                 deviation_ms(of));
  fmt::format_to(out, "#[Max     = {:12.3f}, Total count    = {:12}]\n", in_ms(of.max()),
                 of.count());
  fmt::format_to(out, "#[Buckets = {:12}, SubBuckets     = {:12}]\n", 31, 1024);
  return text;
}

}  // namespace load
