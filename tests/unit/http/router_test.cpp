// Which route a path leads to, and which patterns there can be.
#include <dwell/http/router.hpp>

#include "http/route_tree.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace {

using dwell::http::method;
using dwell::http::request;
using dwell::http::response;
using dwell::http::router;

response nothing(const request&) { return {}; }

/// "names=values" of the route that `path` leads to; "none".
std::string led(const router& by, std::string_view path) {
  const auto match = by.tree().match(path);
  if (match.found == nullptr) return "none";
  std::string made;
  for (std::size_t i = 0; i < match.count; ++i) {
    const auto& value = match.values[i];
    made += match.found->names[i] + "=" + std::string{value.data, value.size} + ";";
  }
  return made;
}

std::string fault_of(router& in, std::string_view pattern, method how = method::get) {
  try {
    in.on(how, pattern, nothing);
  } catch (const std::invalid_argument& why) {
    return why.what();
  }
  return "none";
}

TEST(router, of_nothing_finds_nothing) {
  const router empty;
  for (const auto* const path : {"/", "", "*", "/a", "//"}) EXPECT_EQ(led(empty, path), "none");
  EXPECT_EQ(empty.tree().allow(), "OPTIONS");
}

TEST(router, matches_literally_and_with_every_slash) {
  router routes;
  routes.get("/", nothing).get("/a", nothing).get("/a/b", nothing).get("/c/", nothing);
  for (const auto* const path : {"/", "/a", "/a/b", "/c/"}) EXPECT_EQ(led(routes, path), "");
  for (const auto* const path :
       {"", "a", "//", "/a/", "/c", "/A", "/a/b/c", "/%61", "/a%2Fb", "*"}) {
    EXPECT_EQ(led(routes, path), "none") << path;
  }
}

TEST(router, a_literal_goes_before_a_parameter_and_that_before_the_rest) {
  router routes;
  routes.get("/u/:id", nothing).get("/u/me", nothing).get("/u/*rest", nothing);
  routes.get("/u/:id/x", nothing).get("/u/me/y", nothing);
  EXPECT_EQ(led(routes, "/u/me"), "");
  EXPECT_EQ(led(routes, "/u/7"), "id=7;");
  EXPECT_EQ(led(routes, "/u/"), "rest=;");
  EXPECT_EQ(led(routes, "/u/7/x"), "id=7;");
  EXPECT_EQ(led(routes, "/u/me/y"), "");
  EXPECT_EQ(led(routes, "/u"), "none");
}

TEST(router, goes_back_where_a_segment_led_nowhere) {
  router routes;
  routes.get("/u/me/y", nothing).get("/u/:id/x", nothing).get("/:a/:b/:c/z", nothing);
  routes.get("/u/*rest", nothing);
  EXPECT_EQ(led(routes, "/u/me/x"), "id=me;");
  EXPECT_EQ(led(routes, "/u/me/q"), "rest=me/q;");
  EXPECT_EQ(led(routes, "/u/me/q/z"), "rest=me/q/z;");
  EXPECT_EQ(led(routes, "/v/me/q/z"), "a=v;b=me;c=q;");
  EXPECT_EQ(led(routes, "/v/me/q"), "none");
}

TEST(router, a_parameter_is_one_segment_that_is_not_empty) {
  router routes;
  routes.get("/:a/:b", nothing);
  EXPECT_EQ(led(routes, "/x/y"), "a=x;b=y;");
  EXPECT_EQ(led(routes, "/x%2F/ :*"), "a=x%2F;b= :*;");
  for (const auto* const path : {"/x/", "//y", "//", "/x", "/x/y/"}) {
    EXPECT_EQ(led(routes, path), "none") << path;
  }
}

TEST(router, the_rest_takes_everything) {
  router routes;
  routes.get("/*all", nothing);
  EXPECT_EQ(led(routes, "/"), "all=;");
  EXPECT_EQ(led(routes, "/a/b//c/"), "all=a/b//c/;");
  EXPECT_EQ(led(routes, "*"), "none");
}

TEST(router, says_what_is_allowed_where) {
  router routes;
  routes.get("/a", nothing).post("/a", nothing).delete_("/b", nothing);
  routes.on(method::trace, "/c", nothing);
  EXPECT_EQ(routes.tree().match("/a").found->allow, "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(routes.tree().match("/b").found->allow, "DELETE, OPTIONS");
  EXPECT_EQ(routes.tree().match("/c").found->allow, "OPTIONS, TRACE");
  EXPECT_EQ(routes.tree().allow(), "GET, HEAD, POST, DELETE, OPTIONS, TRACE");
}

TEST(router, answers_head_as_get_unless_told_otherwise) {
  router routes;
  routes.get("/a", nothing);
  routes.get("/b", nothing).on(method::head, "/b", nothing);
  routes.post("/c", nothing);
  const auto* const a = routes.tree().match("/a").found;
  const auto* const b = routes.tree().match("/b").found;
  EXPECT_EQ(a->handler_for(method::head), a->handler_for(method::get));
  EXPECT_NE(b->handler_for(method::head), b->handler_for(method::get));
  EXPECT_EQ(routes.tree().match("/c").found->handler_for(method::head), nullptr);
}

TEST(router, refuses_bad_patterns_by_name) {
  router routes;
  routes.get("/taken", nothing).get("/u/:id", nothing).get("/f/*path", nothing);
  EXPECT_EQ(fault_of(routes, ""), "route \"\": a pattern begins with '/'");
  EXPECT_EQ(fault_of(routes, "a"), "route \"a\": a pattern begins with '/'");
  EXPECT_EQ(fault_of(routes, "/:"), "route \"/:\": a parameter has no name");
  EXPECT_EQ(fault_of(routes, "/a/*"), "route \"/a/*\": a parameter has no name");
  EXPECT_EQ(fault_of(routes, "/*a/b"), "route \"/*a/b\": '*' is only for the last segment");
  EXPECT_EQ(fault_of(routes, "/:a/:a"), "route \"/:a/:a\": two parameters have the name a");
  EXPECT_EQ(fault_of(routes, "/:a/*a"), "route \"/:a/*a\": two parameters have the name a");
  EXPECT_EQ(fault_of(routes, "/taken"), "route \"/taken\": GET has a handler already");
  EXPECT_EQ(fault_of(routes, "/u/:name", method::post),
            "route \"/u/:name\": is there already, with other names");
  EXPECT_EQ(fault_of(routes, "/f/*rest", method::post),
            "route \"/f/*rest\": is there already, with other names");
  EXPECT_EQ(fault_of(routes, "/o", method::options),
            "route \"/o\": OPTIONS is not the routes' to answer");
  EXPECT_EQ(fault_of(routes, "/o", method::connect),
            "route \"/o\": CONNECT is not the routes' to answer");
  EXPECT_EQ(fault_of(routes, "/:1/:2/:3/:4/:5/:6/:7/:8"), "none");
  EXPECT_EQ(fault_of(routes, "/x/:1/:2/:3/:4/:5/:6/:7/:8/*9"),
            "route \"/x/:1/:2/:3/:4/:5/:6/:7/:8/*9\": has more than 8 parameters");
  EXPECT_EQ(led(routes, "/1/2/3/4/5/6/7/8"), "1=1;2=2;3=3;4=4;5=5;6=6;7=7;8=8;");
}

TEST(router, a_pattern_that_was_refused_answers_nothing) {
  router routes;
  EXPECT_NE(fault_of(routes, "/a/:x/:x"), "none");
  EXPECT_NE(fault_of(routes, "/b/*x/c"), "none");
  EXPECT_EQ(led(routes, "/a/1/2"), "none");
  EXPECT_EQ(led(routes, "/b/1"), "none");
}

}  // namespace
