#include <dwell/deadline/deadlines.hpp>

#include "deadline/validate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace {

using namespace std::chrono_literals;
using dwell::deadlines;
using dwell::phase;
using testing::AllOf;
using testing::HasSubstr;

constexpr std::pair<const char*, dwell::duration deadlines::*> fields[]{
    {"handshake", &deadlines::handshake}, {"idle", &deadlines::idle},
    {"read", &deadlines::read},           {"handle", &deadlines::handle},
    {"write", &deadlines::write},         {"close", &deadlines::close},
    {"lifetime", &deadlines::lifetime},
};

std::string refusal(const deadlines& given) {
  try {
    dwell::validate(given);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(deadlines, each_phase_has_its_own_and_a_default) {
  constexpr deadlines defaults;
  EXPECT_EQ(defaults.of(phase::handshake), 10s);
  EXPECT_EQ(defaults.of(phase::idle), 60s);
  EXPECT_EQ(defaults.of(phase::read), 10s);
  EXPECT_EQ(defaults.of(phase::handle), 30s);
  EXPECT_EQ(defaults.of(phase::write), 30s);
  EXPECT_EQ(defaults.of(phase::close), 5s);
  EXPECT_EQ(defaults.lifetime, dwell::off);
  EXPECT_EQ(refusal(defaults), "accepted");
}

TEST(deadlines, phases_are_called_what_they_are) {
  EXPECT_EQ(to_string(phase::handshake), "handshake");
  EXPECT_EQ(to_string(phase::idle), "idle");
  EXPECT_EQ(to_string(phase::read), "read");
  EXPECT_EQ(to_string(phase::handle), "handle");
  EXPECT_EQ(to_string(phase::write), "write");
  EXPECT_EQ(to_string(phase::close), "close");
  EXPECT_EQ(to_string(phase{99}), "unknown");
}

TEST(deadlines, finer_than_a_tick_does_not_convert) {
  static_assert(!std::is_convertible_v<std::chrono::microseconds, dwell::duration>);
  static_assert(std::is_convertible_v<std::chrono::hours, dwell::duration>);
}

TEST(deadlines, off_and_the_bounds_are_accepted) {
  for (const auto& [name, field] : fields) {
    for (const dwell::duration good :
         {dwell::duration{1ms}, dwell::off, dwell::duration{std::chrono::days{24}}}) {
      deadlines given;
      given.*field = good;
      EXPECT_EQ(refusal(given), "accepted") << name << ' ' << good.count();
    }
  }
}

TEST(deadlines, zero_and_negative_are_refused_by_name) {
  EXPECT_EQ(refusal({.idle = 0ms}),
            "deadlines.idle: 0 ms; use a positive duration, or dwell::off to switch it off");
  for (const auto& [name, field] : fields) {
    deadlines given;
    given.*field = -5s;
    EXPECT_THAT(refusal(given), AllOf(HasSubstr(std::string{"deadlines."} + name + ": -5000 ms; "),
                                      HasSubstr("dwell::off")));
  }
}

TEST(deadlines, over_24_days_is_refused_by_name) {
  EXPECT_EQ(
      refusal({.lifetime = std::chrono::days{25}}),
      "deadlines.lifetime: 2160000000 ms; the longest is 24 days (2073600000 ms); use that, or "
      "dwell::off to switch it off");
  for (const auto& [name, field] : fields) {
    deadlines given;
    given.*field = std::chrono::days{24} + 1ms;
    EXPECT_THAT(refusal(given), HasSubstr(std::string{"deadlines."} + name + ": 2073600001 ms; "));
  }
}

}  // namespace
