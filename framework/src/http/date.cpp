#include "http/date.hpp"

#include <array>
#include <cstddef>

namespace dwell::http {
namespace {

constexpr std::string_view day_names = "SunMonTueWedThuFriSat";
constexpr std::string_view month_names = "JanFebMarAprMayJunJulAugSepOctNovDec";
constexpr std::string_view layout = "Thu, 01 Jan 1970 00:00:00 GMT";

struct written {
  std::chrono::sys_seconds when{};
  std::array<char, layout.size()> text;
};

void put(char* to, unsigned value, int digits) noexcept {
  for (; digits > 0; value /= 10) to[--digits] = static_cast<char>('0' + value % 10);
}

}  // namespace

std::string_view http_date(std::chrono::sys_seconds when) noexcept {
  static thread_local written last = [] {
    written made;
    layout.copy(made.text.data(), layout.size());
    return made;
  }();
  if (last.when != when) {
    using namespace std::chrono;
    const auto day = floor<std::chrono::days>(when);
    const year_month_day date{day};
    const hh_mm_ss time{when - day};
    char* const to = last.text.data();
    day_names.copy(to, 3, std::size_t{3} * weekday{day}.c_encoding());
    put(to + 5, static_cast<unsigned>(date.day()), 2);
    month_names.copy(to + 8, 3, std::size_t{3} * (static_cast<unsigned>(date.month()) - 1));
    put(to + 12, static_cast<unsigned>(static_cast<int>(date.year())), 4);
    put(to + 17, static_cast<unsigned>(time.hours().count()), 2);
    put(to + 20, static_cast<unsigned>(time.minutes().count()), 2);
    put(to + 23, static_cast<unsigned>(time.seconds().count()), 2);
    last.when = when;
  }
  return {last.text.data(), last.text.size()};
}

}  // namespace dwell::http
