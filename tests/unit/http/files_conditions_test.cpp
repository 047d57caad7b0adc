#include "http/conditions.hpp"
#include "http/date.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace dwell::http {
namespace {

using namespace std::chrono_literals;
using verdict = conditions::verdict;
using fields = std::vector<std::pair<std::string, std::string>>;

constexpr std::chrono::sys_seconds changed{784'111'777s};
const std::string same = "Sun, 06 Nov 1994 08:49:37 GMT";
const std::string earlier = "Sun, 06 Nov 1994 08:49:36 GMT";
const std::string later = "Sun, 06 Nov 1994 08:49:38 GMT";

conditions of(const fields& asked) {
  conditions made{{.etag = "\"a-1\"", .last_modified = changed}};
  for (const auto& [name, value] : asked) made.add(name, value);
  return made;
}

TEST(files_conditions, are_judged_in_the_order_of_rfc_9110) {
  const std::vector<std::pair<fields, verdict>> table{
      {{}, verdict::proceed},
      {{{"If-Match", "\"a-1\""}}, verdict::proceed},
      {{{"If-Match", "*"}}, verdict::proceed},
      {{{"If-Match", "\"b\", \"a-1\""}}, verdict::proceed},
      {{{"If-Match", "\"b\""}, {"if-match", "\"a-1\""}}, verdict::proceed},
      {{{"If-Match", "\"b\""}}, verdict::failed},
      {{{"If-Match", "W/\"a-1\""}}, verdict::failed},  // strong comparison
      {{{"If-Match", "a-1"}}, verdict::failed},
      {{{"If-Match", ""}}, verdict::failed},
      {{{"If-Unmodified-Since", same}}, verdict::proceed},
      {{{"If-Unmodified-Since", later}}, verdict::proceed},
      {{{"If-Unmodified-Since", earlier}}, verdict::failed},
      {{{"If-Unmodified-Since", "yesterday"}}, verdict::proceed},
      {{{"If-Match", "\"a-1\""}, {"If-Unmodified-Since", earlier}}, verdict::proceed},
      {{{"If-None-Match", "\"a-1\""}}, verdict::not_modified},
      {{{"If-None-Match", "W/\"a-1\""}}, verdict::not_modified},  // weak comparison
      {{{"If-None-Match", "\"b\" ,, \"c,d\",\t\"a-1\""}}, verdict::not_modified},
      {{{"If-None-Match", "\"b\""}, {"If-None-Match", "\"a-1\""}}, verdict::not_modified},
      {{{"If-None-Match", " * "}}, verdict::not_modified},
      {{{"If-None-Match", "\"b\""}}, verdict::proceed},
      {{{"If-None-Match", "\"b, \"a-1\""}}, verdict::proceed},
      {{{"If-None-Match", "\"a-1"}}, verdict::proceed},
      {{{"If-None-Match", "\"b\""}, {"If-Modified-Since", same}}, verdict::proceed},
      {{{"If-None-Match", "\"a-1\""}, {"If-Modified-Since", earlier}}, verdict::not_modified},
      {{{"If-Modified-Since", same}}, verdict::not_modified},
      {{{"If-Modified-Since", later}}, verdict::not_modified},
      {{{"If-Modified-Since", earlier}}, verdict::proceed},
      {{{"If-Modified-Since", "0"}}, verdict::proceed},
      {{{"If-Match", "\"b\""}, {"If-None-Match", "\"a-1\""}}, verdict::failed},
      {{{"If-Match", "\"a-1\""}, {"If-None-Match", "\"a-1\""}}, verdict::not_modified},
      {{{"If-Unmodified-Since", earlier}, {"If-Modified-Since", same}}, verdict::failed},
      {{{"If-Matches", "\"b\""}, {"X-If-Match", "\"b\""}}, verdict::proceed},
  };
  for (const auto& [asked, expected] : table) {
    EXPECT_EQ(of(asked).judge(), expected) << (asked.empty() ? "" : asked.back().second);
  }
}

TEST(files_conditions, a_range_is_followed_unless_if_range_forbids_it) {
  const std::pair<std::string, std::string> range{"Range", "bytes=0-1"};
  EXPECT_FALSE(of({}).range());
  EXPECT_TRUE(of({range}).range());
  EXPECT_TRUE(of({range, {"If-Range", "\"a-1\""}}).range());
  EXPECT_TRUE(of({{"If-Range", same}, range}).range());
  EXPECT_FALSE(of({range, {"If-Range", "W/\"a-1\""}}).range());
  EXPECT_FALSE(of({range, {"If-Range", "\"b\""}}).range());
  EXPECT_FALSE(of({range, {"If-Range", "*"}}).range());
  EXPECT_FALSE(of({range, {"If-Range", earlier}}).range());
  EXPECT_FALSE(of({range, {"If-Range", later}}).range());  // the very same, or nothing
  EXPECT_FALSE(of({range, {"If-Range", ""}}).range());
  EXPECT_FALSE(of({range, range}).range());
}

TEST(files_conditions, dates_are_read_in_all_three_formats) {
  for (const char* text : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                           "Sun Nov  6 08:49:37 1994"}) {
    EXPECT_EQ(parse_http_date(text), changed) << text;
  }
  for (std::int64_t at = 0; at < 4'000'000'000; at += 86'400 * 17 + 12'345) {
    const std::chrono::sys_seconds when{std::chrono::seconds{at}};
    EXPECT_EQ(parse_http_date(http_date(when)), when);
  }
  for (const char* text :
       {"", "x", "Sun", "Sun,", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 ovN 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:61:00 GMT",
        "Sun, 06 Nov 199a 08:49:37 GMT", "Sun Nov 06 08:49:37", "06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT"}) {
    EXPECT_FALSE(parse_http_date(text)) << text;
  }
}

}  // namespace
}  // namespace dwell::http
