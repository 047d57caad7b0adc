// What a handler can ask a request.
#include <dwell/http.hpp>

#include "scenario.hpp"

#include <gmock/gmock.h>

#include <functional>
#include <iterator>
#include <vector>

namespace {

namespace http = dwell::http;
using ::testing::ElementsAre;
using ::testing::Optional;

using pairs = std::vector<std::pair<std::string, std::string>>;

template <class Range>
pairs all_of(const Range& range) {
  pairs made;
  for (const auto& [name, value] : range) made.emplace_back(name, value);
  return made;
}

/// Sends it to a server whose handler looks at it with `look`.
void send(const std::string& text, const std::function<void(const http::request&)>& look) {
  simulation sim{{.seed = 7}};
  int asked = 0;
  http::router routes;
  const auto handler = [&](const http::request& what) {
    look(what);
    ++asked;
    return http::response{};
  };
  routes.get("/*path", handler).post("/*path", handler);
  auto& server = sim.serve({}, http::serve(std::move(routes)));
  auto client = sim.connect(server);
  client.send(text);
  sim.advance(10ms);
  EXPECT_EQ(asked, 1) << text;
}

void get(const std::string& target, const std::string& fields,
         const std::function<void(const http::request&)>& look) {
  send("GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n", look);
}

TEST(http_request, fields_are_found_whatever_their_case_and_the_first_counts) {
  get("/", "X-One: 1\r\nx-one:\t2 \r\nEmpty:\r\nAccept: a, b\r\n", [](const http::request& what) {
    EXPECT_THAT(what.header("x-ONE"), Optional(std::string_view{"1"}));
    EXPECT_THAT(what.header("X-One"), Optional(std::string_view{"1"}));
    EXPECT_THAT(what.header("EMPTY"), Optional(std::string_view{}));
    EXPECT_THAT(what.header("host"), Optional(std::string_view{"a"}));
    EXPECT_EQ(what.header("X-On"), std::nullopt);
    EXPECT_EQ(what.header("X-One2"), std::nullopt);
    EXPECT_EQ(what.header(""), std::nullopt);
    EXPECT_THAT(all_of(what.headers()), ElementsAre(std::pair{"Host", "a"}, std::pair{"X-One", "1"},
                                                    std::pair{"x-one", "2"}, std::pair{"Empty", ""},
                                                    std::pair{"Accept", "a, b"}));
    EXPECT_EQ(std::ranges::distance(what.headers()), 5);
  });
}

TEST(http_request, without_fields_has_none) {
  send("GET / HTTP/1.0\r\n\r\n", [](const http::request& what) {
    EXPECT_EQ(all_of(what.headers()), pairs{});
    EXPECT_EQ(all_of(what.cookies()), pairs{});
    EXPECT_FALSE(what.is_http_1_1());
    EXPECT_EQ(what.body(), "");
  });
}

TEST(http_request, target_path_and_query) {
  struct {
    std::string target, path, query;
  } const examples[] = {
      {"/", "/", ""},
      {"/a/b?c=d", "/a/b", "c=d"},
      {"/a?", "/a", ""},
      {"/a??b?c", "/a", "?b?c"},
      {"/?x", "/", "x"},
      {"/a%20b;c=d", "/a%20b;c=d", ""},
      {"http://host", "/", ""},
      {"http://host?x=/y", "/", "x=/y"},
      {"HTTPS://host:1/a?b", "/a", "b"},
      {"/http://host/a?b", "/http://host/a", "b"},
      {"/a?b=http://host/", "/a", "b=http://host/"},
  };
  for (const auto& each : examples) {
    get(each.target, "", [&](const http::request& what) {
      EXPECT_EQ(what.target(), each.target);
      EXPECT_EQ(what.path(), each.path) << each.target;
      EXPECT_EQ(what.query(), each.query) << each.target;
    });
  }
}

TEST(http_request, query_parameters_are_decoded) {
  get("/?a=1&b=x+y%2Bz&%63=%26&a=2&d&=e&f=%zz&g=%&h=%4&&i=j=k&%zz=l", "",
      [](const http::request& what) {
        EXPECT_EQ(what.query("a"), "1");
        EXPECT_EQ(what.query("b"), "x y+z");
        EXPECT_EQ(what.query("c"), "&");
        EXPECT_EQ(what.query("d"), "");
        EXPECT_EQ(what.query(""), "e");
        EXPECT_EQ(what.query("f"), "%zz");
        EXPECT_EQ(what.query("g"), "%");
        EXPECT_EQ(what.query("h"), "%4");
        EXPECT_EQ(what.query("i"), "j=k");
        EXPECT_EQ(what.query("%zz"), "l");
        EXPECT_EQ(what.query("A"), std::nullopt);
        EXPECT_EQ(what.query("j"), std::nullopt);
      });
}

TEST(http_request, cookies) {
  get("/", "Cookie: a=1; b=\"x y\";a=3;; c ; =d\r\nX: y\r\nCOOKIE:\te = f ; A=g\r\nCookie:\r\n",
      [](const http::request& what) {
        EXPECT_THAT(what.cookie("a"), Optional(std::string_view{"1"}));
        EXPECT_THAT(what.cookie("b"), Optional(std::string_view{"\"x y\""}));
        EXPECT_THAT(what.cookie("e"), Optional(std::string_view{"f"}));
        EXPECT_THAT(what.cookie("A"), Optional(std::string_view{"g"}));
        EXPECT_THAT(what.cookie(""), Optional(std::string_view{"c"}));
        EXPECT_EQ(what.cookie("x"), std::nullopt);
        EXPECT_THAT(all_of(what.cookies()),
                    ElementsAre(std::pair{"a", "1"}, std::pair{"b", "\"x y\""}, std::pair{"a", "3"},
                                std::pair{"", "c"}, std::pair{"", "d"}, std::pair{"e", "f"},
                                std::pair{"A", "g"}));
      });
}

TEST(http_request, parameters_and_the_connection) {
  get("/a%2Fb/%C3%A4", "", [](const http::request& what) {
    EXPECT_EQ(what.param("path"), "a/b/\xC3\xA4");
    EXPECT_EQ(what.param("none"), "");
    EXPECT_EQ(what.param(""), "");
    EXPECT_TRUE(what.peer().is_open());
  });
}

}  // namespace
