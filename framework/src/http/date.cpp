#include "http/date.hpp"

#include "http/text.hpp"

#include <algorithm>
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

/// Takes a date apart from its left.
class date_reader {
 public:
  explicit date_reader(std::string_view text) noexcept : rest_{text} {}

  date_reader& skip(std::string_view text) noexcept {
    fine_ = fine_ && rest_.starts_with(text);
    if (fine_) rest_.remove_prefix(text.size());
    return *this;
  }
  /// A word of letters.
  date_reader& skip_day() noexcept {
    const auto end = std::min(rest_.find_first_of(", "), rest_.size());
    fine_ = fine_ && end >= 3;
    if (fine_) rest_.remove_prefix(end);
    return *this;
  }
  /// Exactly so many digits; the first may be a space where `padded`.
  date_reader& number(unsigned& into, std::size_t digits, bool padded = false) noexcept {
    fine_ = fine_ && rest_.size() >= digits;
    into = 0;
    for (std::size_t i = 0; fine_ && i < digits; ++i) {
      if (padded && i == 0 && rest_[0] == ' ') continue;
      fine_ = is_digit(rest_[i]);
      into = into * 10 + static_cast<unsigned>(rest_[i] - '0');
    }
    if (fine_) rest_.remove_prefix(digits);
    return *this;
  }
  date_reader& month(unsigned& into) noexcept {
    const auto at = rest_.size() < 3 ? month_names.npos : month_names.find(rest_.substr(0, 3));
    fine_ = fine_ && at != month_names.npos && at % 3 == 0;
    into = static_cast<unsigned>(at / 3 + 1);
    return skip(rest_.substr(0, 3));
  }
  bool starts_with(std::string_view text) const noexcept { return rest_.starts_with(text); }
  bool ended() const noexcept { return fine_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool fine_ = true;
};

struct date_fields {
  unsigned year, month, day, hours, minutes, seconds;
};

void read_time(date_reader& from, date_fields& into) noexcept {
  from.number(into.hours, 2).skip(":").number(into.minutes, 2).skip(":").number(into.seconds, 2);
}

bool read_date(date_reader from, date_fields& into) noexcept {
  from.skip_day();
  if (!from.starts_with(",")) {  // asctime: "Sun Nov  6 08:49:37 1994"
    from.skip(" ").month(into.month).skip(" ").number(into.day, 2, true).skip(" ");
    read_time(from, into);
    return from.skip(" ").number(into.year, 4).ended();
  }
  from.skip(", ").number(into.day, 2);
  if (from.starts_with("-")) {  // RFC 850: "Sunday, 06-Nov-94 08:49:37 GMT"
    from.skip("-").month(into.month).skip("-").number(into.year, 2).skip(" ");
    into.year += into.year < 70 ? 2000 : 1900;
  } else {
    from.skip(" ").month(into.month).skip(" ").number(into.year, 4).skip(" ");
  }
  read_time(from, into);
  return from.skip(" GMT").ended();
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

std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text) noexcept {
  using namespace std::chrono;
  date_fields read{};
  if (!read_date(date_reader{text}, read)) return std::nullopt;
  const year_month_day date{year{static_cast<int>(read.year)}, month{read.month}, day{read.day}};
  constexpr unsigned leap_second = 60;
  if (!date.ok() || read.hours > 23 || read.minutes > 59 || read.seconds > leap_second) {
    return std::nullopt;
  }
  return sys_days{date} + hours{read.hours} + minutes{read.minutes} + seconds{read.seconds};
}

}  // namespace dwell::http
