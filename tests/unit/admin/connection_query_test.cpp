#include "admin/connection_query.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace dwell {
namespace {

using namespace std::chrono_literals;

connection_query parse(std::initializer_list<std::pair<const char*, const char*>> given) {
  std::vector<query_parameter> parameters;
  for (const auto& [name, value] : given) parameters.push_back({name, value});
  return parse_connection_query(parameters);
}

std::string why_refused(std::initializer_list<std::pair<const char*, const char*>> given) {
  try {
    parse(given);
  } catch (const std::invalid_argument& wrong) {
    return wrong.what();
  }
  return "not refused";
}

connection_facts came(std::int64_t at, std::int64_t now) {
  return {.id = {.generation = 1}, .now = duration{now}, .age = duration{now - at}};
}

// ── reading ──

TEST(connection_query, without_parameters_takes_all_and_shows_the_oldest_first) {
  const connection_query query = parse({});
  EXPECT_EQ(query.limit, 100U);
  EXPECT_FALSE(query.after);
  EXPECT_TRUE(query.takes({.service = "any", .phase = phase::write}));
  const auto old = query.position_of(came(5, 100));
  const auto young = query.position_of(came(6, 100));
  EXPECT_TRUE(query.comes_before(old, young));
  EXPECT_FALSE(query.comes_before(young, old));
}

TEST(connection_query, filters) {
  const connection_facts facts{.service = "api",
                               .state = connection_state::closing,
                               .phase = phase::write,
                               .age = 5min,
                               .idle = 250ms};
  EXPECT_TRUE(parse({{"service", "api"},
                     {"state", "closing"},
                     {"phase", "write"},
                     {"min_age", "5min"},
                     {"min_idle", "250ms"}})
                  .takes(facts));
  EXPECT_FALSE(parse({{"service", "ap"}}).takes(facts));
  EXPECT_FALSE(parse({{"service", ""}}).takes(facts));
  EXPECT_FALSE(parse({{"state", "open"}}).takes(facts));
  EXPECT_FALSE(parse({{"phase", "read"}}).takes(facts));
  EXPECT_FALSE(parse({{"min_age", "301s"}}).takes(facts));
  EXPECT_FALSE(parse({{"min_idle", "251ms"}}).takes(facts));
  EXPECT_EQ(parse({{"peer", "10.0."}}).peer, "10.0.");
}

TEST(connection_query, refuses_naming_the_parameter_and_the_fix) {
  EXPECT_EQ(why_refused({{"phase", "busy"}}),
            "phase \"busy\": use handshake, idle, read, handle, write, close");
  EXPECT_EQ(why_refused({{"state", ""}}), "state \"\": use open, peer_closed, held, closing");
  EXPECT_EQ(why_refused({{"colour", "red"}}),
            "\"colour\" is no parameter: use service, phase, state, peer, min_age, min_idle, sort, "
            "limit, cursor");
  EXPECT_EQ(why_refused({{"sort", "-size"}}),
            "sort \"-size\": use id, age, idle, deadline, received, sent, queued, exchanges; - in "
            "front for descending");
  EXPECT_EQ(why_refused({{"limit", "5"}, {"limit", "6"}}), "limit \"6\": use it once");
}

TEST(connection_query, refuses_every_limit_but_1_to_1000) {
  for (const char* good : {"1", "1000"}) EXPECT_EQ(why_refused({{"limit", good}}), "not refused");
  for (const char* bad : {"0", "1001", "-1", "", "1.5", "ten", "99999999999999999999", " 5"}) {
    EXPECT_EQ(why_refused({{"limit", bad}}),
              "limit \"" + std::string{bad} + "\": use a whole number, 1 to 1000");
  }
}

TEST(connection_query, refuses_times_without_a_unit_or_a_number) {
  for (const char* good : {"0s", "1ms", "4294967295h"}) {
    EXPECT_EQ(why_refused({{"min_age", good}}), "not refused") << good;
  }
  for (const char* bad : {"", "5", "s", "-5s", "1.5s", "5 s", "5m", "4294967296s", "5s5"}) {
    EXPECT_EQ(why_refused({{"min_age", bad}}),
              "min_age \"" + std::string{bad} +
                  "\": use a whole number and a unit: 250ms, 60s, 5min, 1h");
  }
}

// ── the cursor ──

TEST(connection_query, reads_the_cursor_it_wrote_wherever_sort_stands) {
  for (const char* sort : {"id", "-age", "idle", "-deadline", "received", "-exchanges"}) {
    const position last{-123'456'789'012, {.generation = 0xffff'ffff'ffff, .slot = 7, .loop = 3}};
    const std::string cursor = cursor_after(parse({{"sort", sort}}), last);
    const connection_query before = parse({{"cursor", cursor.c_str()}, {"sort", sort}});
    const connection_query behind = parse({{"sort", sort}, {"cursor", cursor.c_str()}});
    EXPECT_EQ(before.after, last) << cursor;
    EXPECT_EQ(behind.after, last) << cursor;
  }
}

TEST(connection_query, refuses_a_cursor_of_another_order_or_none_at_all) {
  for (const char* bad : {"age:1:0.0.1", "-idle:1:0.0.1", "", "-age", "-age:1", "-age:x:0.0.1",
                          "-age:1:0.0", "-age:1:0.0.1x", "-age:1:0.0.", "-age:1:0.-1.1"}) {
    EXPECT_EQ(why_refused({{"cursor", bad}}),
              "cursor \"" + std::string{bad} + "\": use what \"next\" said, with the same sort");
  }
  EXPECT_EQ(why_refused({{"cursor", "-age:1:0.0.1"}}), "not refused");
}

// ── order ──

TEST(connection_query, time_does_not_move_a_connection) {
  for (const char* sort : {"age", "idle", "deadline"}) {
    const connection_query query = parse({{"sort", sort}});
    connection_facts facts{
        .now = 1'000s, .age = 10s, .idle = 4s, .time_left = std::optional<duration>{56s}};
    const position before = query.position_of(facts);
    facts.now += 7s;
    facts.age += 7s;
    facts.idle += 7s;
    *facts.time_left -= 7s;
    EXPECT_EQ(query.position_of(facts), before) << sort;
  }
}

TEST(connection_query, sorts_by_what_it_says) {
  const connection_facts less{.id = {.generation = 2},
                              .now = 100s,
                              .age = 1s,
                              .idle = 1s,
                              .time_left = std::optional<duration>{1s},
                              .received = 1,
                              .sent = 1,
                              .queued = 1,
                              .exchanges = 1};
  connection_facts more = less;
  more.id.generation = 1;
  const auto expect_greater = [&](const char* order) {
    const connection_query up = parse({{"sort", order}});
    const connection_query down = parse({{"sort", ("-" + std::string{order}).c_str()}});
    EXPECT_TRUE(up.comes_before(up.position_of(less), up.position_of(more))) << order;
    EXPECT_TRUE(down.comes_before(down.position_of(more), down.position_of(less))) << order;
  };
  (more = less).age = 2s;
  expect_greater("age");
  (more = less).idle = 2s;
  expect_greater("idle");
  (more = less).time_left = 2s;
  expect_greater("deadline");
  (more = less).time_left = std::nullopt;
  expect_greater("deadline");
  (more = less).received = 2;
  expect_greater("received");
  (more = less).sent = 2;
  expect_greater("sent");
  (more = less).queued = 2;
  expect_greater("queued");
  (more = less).exchanges = 2;
  expect_greater("exchanges");
  (more = less).id.generation = 3;
  expect_greater("id");
  expect_greater("age");  // alike in what counts: the id decides, so that an order is total
}

}  // namespace
}  // namespace dwell
