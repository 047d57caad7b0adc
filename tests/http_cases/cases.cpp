#include "http_cases/cases.hpp"

#include <string_view>

namespace dwell::testing {
namespace {

using namespace std::string_literals;

std::string get(std::string_view target = "/", std::string_view fields = {}) {
  return "GET " + std::string{target} + " HTTP/1.1\r\nHost: a\r\n" + std::string{fields} + "\r\n";
}
std::string line(std::string_view first) { return std::string{first} + "\r\nHost: a\r\n\r\n"; }
std::string post(std::string_view fields, std::string_view body,
                 std::string_view target = "/echo") {
  return "POST " + std::string{target} + " HTTP/1.1\r\nHost: a\r\n" + std::string{fields} + "\r\n" +
         std::string{body};
}
std::string chunked(std::string_view body, std::string_view fields = {}) {
  return post("Transfer-Encoding: chunked\r\n" + std::string{fields}, body);
}
std::string counted(std::string_view body, std::string_view fields = {}) {
  return post("Content-Length: " + std::to_string(body.size()) + "\r\n" + std::string{fields},
              body);
}
std::string times(std::size_t count, std::string_view what) {
  std::string made;
  for (; count > 0; --count) made += what;
  return made;
}
std::string list(std::size_t count, std::string_view what) {
  std::string made;
  for (std::size_t i = 0; i < count; ++i) (made += i == 0 ? "" : ", ") += what;
  return made;
}

const std::string refused = "protocol_error";
const std::string ok = "200 [OK]";
const std::string line_feed = "400 close (a line feed without carriage return)";
const std::string carriage_return = "400 close (a carriage return without line feed)";
const std::string control = "400 close (a control character in the header)";
const std::string white_space = "400 close (a line begins with white space)";
const std::string no_token = "400 close (the name of a header field is not a token)";
const std::string no_colon = "400 close (a header field has no colon)";
const std::string three_words = "400 close (the request line is not METHOD TARGET VERSION)";
const std::string no_version = "400 close (the request line does not end with a version)";
const std::string bad_target = "400 close (the request target is malformed)";
const std::string bad_host = "400 close (Host is empty or malformed)";
const std::string bad_length = "400 close (Content-Length is not a number)";
const std::string zero_length = "400 close (Content-Length begins with a zero)";
const std::string two_lengths = "400 close (there is more than one Content-Length)";
const std::string both = "400 close (both Content-Length and Transfer-Encoding)";
const std::string bad_chunk = "400 close (the chunked body is malformed)";
const std::string bad_trailer = "400 close (a trailer changes what the head has said)";
const std::string bad_path = "400 close (the path is not valid percent-encoding)";
const std::string no_such_coding = "501 close (the only transfer coding known here is chunked)";
const std::string no_such_method = "501 close (this method is not known here)";
const std::string no_such_version = "505 close (use HTTP/1.1 or HTTP/1.0)";
const std::string no_such_expectation =
    "417 close (the only expectation known here is 100-continue)";
const std::string too_large = "413 close (the body is too large)";
const std::string too_long = "414 close (the request target is too long)";
const std::string fields_too_large = "431 close (the header fields are too large)";
const std::string too_many_fields = "431 close (too many header fields)";
const std::string too_slow = "408 close (the request took too long to come)";
const std::string echo_methods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE";
const std::string chunked_echo = "200 [POST /echo Transfer-Encoding=chunked {";

std::vector<raw_case> make_cases() {
  return {
      // ── requests as they should be ──
      {"get", get(), ok},
      {"get_seen", get("/echo"), "200 [GET /echo]"},
      {"head", line("HEAD / HTTP/1.1"), "200"},
      {"head_seen", line("HEAD /echo HTTP/1.1") + get(), "200, " + ok},
      {"head_of_a_stream", line("HEAD /stream/2/4 HTTP/1.1") + get(), "200 chunked, " + ok},
      {"head_of_a_large_body", line("HEAD /bytes/300000 HTTP/1.1") + get(), "200, " + ok},
      {"head_later", line("HEAD /later HTTP/1.1") + get(), "200, " + ok},
      {"head_not_found", line("HEAD /no HTTP/1.1") + get(), "404, " + ok},
      {"head_that_throws", line("HEAD /throws HTTP/1.1") + get(), "500, " + ok},
      {"put", line("PUT /echo HTTP/1.1"), "200 [PUT /echo]"},
      {"patch", line("PATCH /echo HTTP/1.1"), "200 [PATCH /echo]"},
      {"delete", line("DELETE /echo HTTP/1.1"), "200 [DELETE /echo]"},
      {"trace_has_a_route", line("TRACE /echo HTTP/1.1"), "200 [TRACE /echo]"},
      {"get_with_a_body", "GET /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + get(),
       "200 [GET /echo Content-Length=3 {abc}], " + ok},
      {"fields_in_order", get("/echo", "B: 1\r\na: 2\r\nB: 3\r\n"), "200 [GET /echo B=1 a=2 B=3]"},
      {"white_space_around_values", get("/echo", "A:x\r\nB: \t y z \t\r\nC:\r\n"),
       "200 [GET /echo A=x B=y z C=]"},
      {"bytes_above_ascii_in_a_value", get("/echo", "A: \xC3\xA4\r\n"),
       "200 [GET /echo A=\xC3\xA4]"},
      {"unusual_field_name", get("/echo", "!#$%&'*+-.^_`|~9: x\r\n"),
       "200 [GET /echo !#$%&'*+-.^_`|~9=x]"},
      {"host_with_port", "GET / HTTP/1.1\r\nHost: a.b:8080\r\n\r\n", ok},
      {"host_ipv6", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", ok},
      {"host_in_small_letters", "GET / HTTP/1.1\r\nhost: a\r\n\r\n", ok},
      {"upgrade_is_ignored", get("/", "Connection: upgrade\r\nUpgrade: websocket\r\n"), ok},
      {"empty_line_before", "\r\n" + get(), ok},
      {"empty_line_between", get() + "\r\n" + get(), list(2, ok)},
      {"empty_line_after", get() + "\r\n", ok},
      {"only_an_empty_line", "\r\n", ""},
      {"empty_line_after_a_body", counted("abc") + "\r\n" + get(),
       "200 [POST /echo Content-Length=3 {abc}], " + ok},

      // ── keep-alive, close, HTTP/1.0 ──
      {"close", get("/", "Connection: close\r\n"), "200 close [OK]", "finished"},
      {"close_among_others", get("/", "Connection: x, CLOSE , y\r\n"), "200 close [OK]",
       "finished"},
      {"close_in_a_second_field", get("/", "Connection: x\r\nConnection: close\r\n"),
       "200 close [OK]", "finished"},
      {"close_and_keep_alive", get("/", "Connection: keep-alive, close\r\n"), "200 close [OK]",
       "finished"},
      {"keep_alive_asked_for", get("/", "Connection: keep-alive\r\n"), ok},
      {"nothing_after_close", get("/", "Connection: close\r\n") + get(), "200 close [OK]",
       "finished"},
      {"http_1_0", "GET / HTTP/1.0\r\n\r\n", "200 close [OK]", "finished"},
      {"http_1_0_keep_alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n" + get(),
       list(2, ok)},
      {"http_1_0_close", "GET / HTTP/1.0\r\nConnection: close\r\n\r\n", "200 close [OK]",
       "finished"},
      {"http_1_0_with_host", "GET /echo HTTP/1.0\r\nHost: b\r\n\r\n", "200 close [GET /echo 1.0]",
       "finished"},
      {"http_1_0_body",
       "POST /echo HTTP/1.0\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc" + get(),
       "200 [POST /echo 1.0 Content-Length=3 Connection=keep-alive {abc}], " + ok},
      {"http_1_0_stream", "GET /stream/2/4 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
       "200 close [abcdabcd]", "finished"},
      {"http_1_0_head_of_a_stream", "HEAD /stream/2/4 HTTP/1.0\r\n\r\n", "200 close", "finished"},
      {"http_1_0_expectation_is_ignored",
       "POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na",
       "200 close [POST /echo 1.0 Expect=100-continue Content-Length=1 {a}]", "finished"},
      {"http_1_0_not_found_keeps", "GET /no HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + get(),
       "404, " + ok},
      {"the_handler_closes", get("/last") + get(), "200 close [bye]", "finished"},
      {"once", get(), "200 close [OK]", "finished", setup::once},
      {"once_not_found", get("/no"), "404 close", "finished", setup::once},
      {"once_later", get("/later"), "200 close [GET /later]", "finished", setup::once},
      {"once_stream", get("/stream/3/2"), "200 close chunked [ababab]", "finished", setup::once},
      {"once_pipelined", get() + get(), "200 close [OK]", "finished", setup::once},
      {"once_http_1_0", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "200 close [OK]",
       "finished", setup::once},
      {"twice", get() + get(), "200 [OK], 200 close [OK]", "finished", setup::twice},
      {"twice_pipelined", times(4, get()), "200 [OK], 200 close [OK]", "finished", setup::twice},
      {"twice_counts_404", get("/no") + get(), "404, 200 close [OK]", "finished", setup::twice},
      {"twice_later", get("/later") + get("/later"), "200 [GET /later], 200 close [GET /later]",
       "finished", setup::twice},

      // ── pipelining ──
      {"pipelined", get("/echo?1") + get("/echo?2") + get("/echo?3"),
       "200 [GET /echo?1], 200 [GET /echo?2], 200 [GET /echo?3]"},
      {"pipelined_with_bodies", counted("abc") + chunked("1\r\nd\r\n0\r\n\r\n") + get(),
       "200 [POST /echo Content-Length=3 {abc}], " + chunked_echo + "d}], " + ok},
      {"pipelined_later", get("/later/1") + get("/hello/2") + get("/later/3") + get("/hello/4"),
       "200 [1], 200 [2], 200 [3], 200 [4]"},
      {"pipelined_at_once", get("/at-once") + get() + get("/at-once"),
       "200 [GET /at-once], " + ok + ", 200 [GET /at-once]"},
      {"pipelined_bodies_later",
       post("Content-Length: 3\r\n", "abc", "/later") +
           post("Content-Length: 1\r\n", "d", "/later"),
       "200 [POST /later Content-Length=3 {abc}], 200 [POST /later Content-Length=1 {d}]"},
      {"good_then_bad", get() + "GARBAGE\r\n\r\n", ok + ", " + three_words, refused},
      {"good_later_then_bad", get("/later/1") + "G\n", "200 [1], " + line_feed, refused},
      {"bad_then_good", line("GET / HTTP/1.2") + get(), no_such_version, refused},
      {"good_bad_good", get() + get("/\x80") + get(), ok + ", " + bad_target, refused},
      {"large_bodies_pipelined", get("/bytes/200000") + get("/bytes/200000") + get(),
       "200 [#200000], 200 [#200000], " + ok},
      {"large_bodies_later_pipelined", get("/later-bytes/200000") + get() + get("/later-bytes/1"),
       "200 [#200000], " + ok + ", 200 [a]"},
      {"streams_pipelined", get("/stream/50/9000") + get() + get("/stream/1/1"),
       "200 chunked [#450000], " + ok + ", 200 chunked [a]"},
      {"stream_of_nothing", get("/stream/0/0") + get(), "200 chunked [], " + ok},
      {"one_piece_beyond_the_output_limit", get("/stream/1/3000000") + get(),
       "200 chunked [#3000000], " + ok},
      {"large_body_then_close", get("/bytes/300000", "Connection: close\r\n"),
       "200 close [#300000]", "finished"},
      {"stream_then_close", get("/stream/40/9000", "Connection: close\r\n"),
       "200 close chunked [#360000]", "finished"},
      {"large_stream_to_http_1_0", "GET /stream/40/9000 HTTP/1.0\r\n\r\n", "200 close [#360000]",
       "finished"},

      // ── the router ──
      {"not_found", get("/no"), "404"},
      {"not_found_then_found", get("/no") + get(), "404, " + ok},
      {"not_found_with_a_body", post("Content-Length: 3\r\n", "abc", "/no") + get(), "404, " + ok},
      {"not_found_with_chunks",
       post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n", "/no") + get(),
       "404, " + ok},
      {"method_not_allowed", line("DELETE / HTTP/1.1") + get(),
       "405 allow: GET, HEAD, OPTIONS (use GET, HEAD, OPTIONS), " + ok},
      {"method_not_allowed_post", post("Content-Length: 1\r\n", "a", "/") + get(),
       "405 allow: GET, HEAD, OPTIONS (use GET, HEAD, OPTIONS), " + ok},
      {"get_where_only_post_is", get("/post"), "405 allow: POST, OPTIONS (use POST, OPTIONS)"},
      {"head_where_only_post_is", line("HEAD /post HTTP/1.1") + get(),
       "405 allow: POST, OPTIONS, " + ok},
      {"trace_not_allowed", line("TRACE / HTTP/1.1"),
       "405 allow: GET, HEAD, OPTIONS (use GET, HEAD, OPTIONS)"},
      {"options", line("OPTIONS /echo HTTP/1.1") + get(), "204 allow: " + echo_methods + ", " + ok},
      {"options_not_found", line("OPTIONS /no HTTP/1.1"), "404"},
      {"options_asterisk", line("OPTIONS * HTTP/1.1") + get(),
       "204 allow: " + echo_methods + ", " + ok},
      {"parameter", get("/hello/you"), "200 [you]"},
      {"parameter_decoded", get("/hello/a%20b%2Fc%25"), "200 [a b/c%]"},
      {"parameters", get("/a/1%31/b/%32"), "200 [11,2]"},
      {"parameter_is_not_empty", get("/hello/"), "404"},
      {"parameter_is_one_segment", get("/hello/a/b"), "404"},
      {"literal_goes_first", get("/hello/world"), "200 [literal]"},
      {"parameter_badly_encoded", get("/hello/%4"), bad_path, refused},
      {"parameter_badly_encoded_head", line("HEAD /hello/%zz HTTP/1.1"), "400 close", refused},
      {"plus_in_a_path", get("/hello/a+b"), "200 [a+b]"},
      {"the_rest", get("/files/a/b%20c/"), "200 [<a/b c/>]"},
      {"the_rest_may_be_empty", get("/files/"), "200 [<>]"},
      {"the_rest_needs_its_slash", get("/files"), "404"},
      {"slash_at_the_end_counts", get("/echo/"), "404"},
      {"dots_are_not_resolved", get("/files/../echo"), "200 [<../echo>]"},
      {"encoded_segment_is_compared_as_sent", get("/%65cho"), "404"},

      // ── targets, queries, cookies ──
      {"absolute_target", line("GET http://b.c:80/echo?d HTTP/1.1"),
       "200 [GET http://b.c:80/echo?d]"},
      {"absolute_target_without_path", line("GET HTTP://b HTTP/1.1"), ok},
      {"absolute_target_query_only", line("GET https://b?x HTTP/1.1"), ok},
      {"absolute_target_needs_host", "GET http://b/ HTTP/1.1\r\n\r\n",
       "400 close (there is no Host)", refused},
      {"absolute_target_of_another_scheme", line("GET ftp://b/ HTTP/1.1"), bad_target, refused},
      {"absolute_target_with_user", line("GET http://u@b/ HTTP/1.1"), bad_target, refused},
      {"absolute_target_without_host", line("GET http:///x HTTP/1.1"), bad_target, refused},
      {"query", get("/query?b=2&a=1"), "200 [a=1 b=2]"},
      {"query_decoded", get("/query?%61=x%26y+z&b=%2B"), "200 [a=x&y z b=+]"},
      {"query_first_of_two", get("/query?a=1&a=2"), "200 [a=1 b=none]"},
      {"query_without_value", get("/query?a&b="), "200 [a= b=]"},
      {"query_odd", get("/query?&&=1&a=b=c&"), "200 [a=b=c b=none]"},
      {"query_badly_encoded", get("/query?a=%zz&b=%4"), "200 [a=%zz b=%4]"},
      {"query_with_question_mark", get("/query?a=?&b=/"), "200 [a=? b=/]"},
      {"query_empty", get("/query?"), "200 [a=none b=none]"},
      {"cookie", get("/cookies", "Cookie: a=b\r\n"), "200 [<a|b>]"},
      {"cookies_oddly_spaced", get("/cookies", "Cookie:  a=b ;c= d;;  e ; =f;g=h=i; \r\n"),
       "200 [<a|b><c|d><|e><|f><g|h=i>]"},
      {"cookies_in_two_fields", get("/cookies", "Cookie: a=b\r\nX: y\r\ncookie: c=\"d\"\r\n"),
       "200 [<a|b><c|\"d\">]"},
      {"cookies_empty", get("/cookies", "Cookie:\r\nCookie: ;\r\n"), "200"},

      // ── bodies ──
      {"body", counted("abc"), "200 [POST /echo Content-Length=3 {abc}]"},
      {"body_of_no_bytes", counted("") + get(), "200 [POST /echo Content-Length=0], " + ok},
      {"body_with_line_ends", counted("\r\n\r\nGET / HTTP/1.1\r\n\r\n") + get(),
       "200 [POST /echo Content-Length=22 {\r\n\r\nGET / HTTP/1.1\r\n\r\n}], " + ok},
      {"body_of_any_bytes", counted("\0\x01\xFF\n"s),
       "200 [POST /echo Content-Length=4 {\0\x01\xFF\n}]"s},
      {"post_without_a_length", line("POST /echo HTTP/1.1") + get(), "200 [POST /echo], " + ok},
      {"body_incomplete", post("Content-Length: 5\r\n", "abc"), ""},
      {"chunks", chunked("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), chunked_echo + "abcde}]"},
      {"chunk_sizes_in_hex", chunked("A\r\n0123456789\r\nb\r\n0123456789a\r\n0\r\n\r\n"),
       chunked_echo + "01234567890123456789a}]"},
      {"chunk_size_with_zeros", chunked("0003\r\nabc\r\n000\r\n\r\n") + get(),
       chunked_echo + "abc}], " + ok},
      {"chunk_extensions", chunked("3;a;b=\"c d\";e=f\r\nabc\r\n0;g=h\r\n\r\n"),
       chunked_echo + "abc}]"},
      {"chunk_extension_name", chunked("3;a\r\nabc\r\n0\r\n\r\n"), chunked_echo + "abc}]"},
      {"chunk_extension_names", chunked("3;a;b;c\r\nabc\r\n0\r\n\r\n"), chunked_echo + "abc}]"},
      {"chunk_extension_of_the_last", chunked("3\r\nabc\r\n0;a=b\r\n\r\n"), chunked_echo + "abc}]"},
      {"chunk_extension_name_after_quotes", chunked("3;a=\"b\";c\r\nabc\r\n0\r\n\r\n"),
       chunked_echo + "abc}]"},
      {"chunked_of_nothing", chunked("0\r\n\r\n") + get(),
       "200 [POST /echo Transfer-Encoding=chunked], " + ok},
      {"chunked_in_capitals", post("Transfer-Encoding: CHUNKED\r\n", "1\r\na\r\n0\r\n\r\n"),
       "200 [POST /echo Transfer-Encoding=CHUNKED {a}]"},
      {"trailers", chunked("1\r\na\r\n0\r\nX: y\r\nZ:\r\n\r\n") + get(),
       chunked_echo + "a}], " + ok},
      {"chunks_incomplete", chunked("3\r\nab"), ""},
      {"trailers_incomplete", chunked("0\r\nX: y\r\n"), ""},

      // ── 100-continue ──
      {"expect_and_wait", post("Expect: 100-continue\r\nContent-Length: 3\r\n", ""), "100"},
      {"expect_with_the_body", post("Expect: 100-continue\r\nContent-Length: 3\r\n", "abc") + get(),
       "200 [POST /echo Expect=100-continue Content-Length=3 {abc}], " + ok, "stays", setup::plain,
       then::stays, "100, 200 [POST /echo Expect=100-continue Content-Length=3 {abc}], " + ok},
      {"expect_with_some_of_the_body", post("Expect: 100-continue\r\nContent-Length: 3\r\n", "a"),
       "", "stays", setup::plain, then::stays, "100"},
      {"expect_with_chunks", chunked("1\r\na\r\n0\r\n\r\n", "Expect: 100-Continue\r\n"),
       "200 [POST /echo Transfer-Encoding=chunked Expect=100-Continue {a}]", "stays", setup::plain,
       then::stays, "100, 200 [POST /echo Transfer-Encoding=chunked Expect=100-Continue {a}]"},
      {"expect_without_a_body", get("/echo", "Expect: 100-continue\r\n"),
       "200 [GET /echo Expect=100-continue]"},
      {"expect_something_else", get("/", "Expect: x\r\n"), no_such_expectation, refused},
      {"expect_nothing", get("/", "Expect:\r\n"), no_such_expectation, refused},
      {"expect_two_things", get("/", "Expect: 100-continue, x\r\n"), no_such_expectation, refused},
      {"expect_on_a_missing_route",
       post("Expect: 100-continue\r\nContent-Length: 3\r\n", "", "/no"), "404 close", "finished"},
      {"expect_on_a_missing_method",
       post("Expect: 100-continue\r\nContent-Length: 3\r\n", "", "/hello/you"),
       "405 close allow: GET, HEAD, OPTIONS (use GET, HEAD, OPTIONS)", "finished"},
      {"expect_with_too_large_a_length",
       post("Expect: 100-continue\r\nContent-Length: 2000000\r\n", ""), too_large, refused},
      {"expect_later", post("Expect: 100-continue\r\nContent-Length: 1\r\n", "a", "/later"),
       "200 [POST /later Expect=100-continue Content-Length=1 {a}]", "stays", setup::plain,
       then::stays, "100, 200 [POST /later Expect=100-continue Content-Length=1 {a}]"},

      // ── what a handler may do wrong ──
      {"throws", get("/throws") + get(), "500, " + ok},
      {"throws_a_number", get("/throws-a-number") + get(), "500, " + ok},
      {"throws_later", get("/throws-later") + get(), "500, " + ok},
      {"throws_midway", get("/throws-midway") + get(), "", "handler_failed"},
      {"throws_midway_at_once", get("/at-once-throws-midway") + get(), "", "handler_failed"},
      {"throws_midway_later", get("/later-throws-midway") + get(), "", "handler_failed"},
      {"splits_a_field", get("/splits-a-field") + get(), "500, " + ok},
      {"bad_field_name", get("/bad-name") + get(), "500, " + ok},
      {"writes_the_length_itself", get("/own-length") + get(), "500, " + ok},
      {"bad_content_type", get("/bad-type") + get(), "500, " + ok},
      {"bad_status", get("/none/600") + get(), "500, " + ok},
      {"informational_status", get("/none/101") + get(), "500, " + ok},
      {"unknown_status", get("/none/299") + get(), "299 [not to be sent], " + ok},
      {"no_content", get("/none/204") + get(), "204, " + ok},
      {"not_modified", get("/none/304") + get(), "304, " + ok},
      {"fields_of_a_response", get("/created"), "201 location: /1 x-two: b"},
      {"static_body", get("/static"), "200 [static]"},

      // ── the request line ──
      {"no_words", "\r\n\r\n", three_words, refused},
      {"one_word", "GET\r\n\r\n", three_words, refused},
      {"http_0_9", "GET /\r\n\r\n", three_words, refused},
      {"four_words", line("GET / x HTTP/1.1"), no_version, refused},
      {"two_spaces_before_target", line("GET  / HTTP/1.1"), no_version, refused},
      {"two_spaces_after_target", line("GET /  HTTP/1.1"), no_version, refused},
      {"space_after_version", line("GET / HTTP/1.1 "), no_version, refused},
      {"tab_in_the_line", line("GET\t/ HTTP/1.1"), three_words, refused},
      {"version_in_small_letters", line("GET / http/1.1"), no_version, refused},
      {"version_of_two_digits", line("GET / HTTP/1.10"), no_version, refused},
      {"version_without_dot", line("GET / HTTP/11"), no_version, refused},
      {"http_2_0", line("GET / HTTP/2.0"), no_such_version, refused},
      {"http_1_2", line("GET / HTTP/1.2"), no_such_version, refused},
      {"http_0_9_said", line("GET / HTTP/0.9"), no_such_version, refused},
      {"http_2_preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", no_such_version, refused},
      {"unknown_method", line("BREW / HTTP/1.1"), no_such_method, refused},
      {"method_in_small_letters", line("get / HTTP/1.1"), no_such_method, refused},
      {"method_is_no_token", line("GE(T / HTTP/1.1"), "400 close (the method is not a token)",
       refused},
      {"connect", line("CONNECT a:443 HTTP/1.1"),
       "405 close allow: " + echo_methods + " (this server is not a proxy)", refused},
      {"target_without_slash", line("GET echo HTTP/1.1"), bad_target, refused},
      {"target_asterisk_with_get", line("GET * HTTP/1.1"), bad_target, refused},
      {"target_with_fragment", line("GET /#a HTTP/1.1"), bad_target, refused},
      {"target_above_ascii", line("GET /\xC3\xA4 HTTP/1.1"), bad_target, refused},
      {"target_with_delete", line("GET /\x7F HTTP/1.1"), control, refused},
      {"target_with_nul", line("GET /\0 HTTP/1.1"s), control, refused},

      // ── header fields ──
      {"bare_lf", "GET / HTTP/1.1\nHost: a\n\n", line_feed, refused},
      {"bare_lf_at_the_end", "GET / HTTP/1.1\r\nHost: a\r\n\n", line_feed, refused},
      {"bare_cr_ends_a_field", get("/", "X: a\rTransfer-Encoding: chunked\r\n"), carriage_return,
       refused},
      {"bare_cr_ends_the_block", "GET / HTTP/1.1\r\nHost: a\r\n\rX", carriage_return, refused},
      {"cr_cr_lf", "GET / HTTP/1.1\r\r\n", carriage_return, refused},
      {"nul_in_a_value", get("/", "X: a\0b\r\n"s), control, refused},
      {"escape_in_a_name", get("/", "X\x1B: a\r\n"), control, refused},
      {"folded", get("/", "X: a\r\n b\r\n"), white_space, refused},
      {"folded_with_a_tab", get("/", "X: a\r\n\tb\r\n"), white_space, refused},
      {"space_before_the_request", " " + get(), white_space, refused},
      {"space_before_the_first_field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", white_space, refused},
      {"space_before_the_colon", get("/", "X : a\r\n"), no_token, refused},
      {"empty_name", get("/", ": a\r\n"), no_token, refused},
      {"name_is_no_token", get("/", "X(Y): a\r\n"), no_token, refused},
      {"name_above_ascii", get("/", "X\xC3\xA4: a\r\n"), no_token, refused},
      {"no_colon", get("/", "Nonsense\r\n"), no_colon, refused},
      {"no_host", "GET / HTTP/1.1\r\n\r\n", "400 close (there is no Host)", refused},
      {"two_hosts", get("/", "Host: a\r\n"), "400 close (there is more than one Host)", refused},
      {"empty_host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", bad_host, refused},
      {"host_with_a_space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", bad_host, refused},
      {"host_with_a_path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", bad_host, refused},
      {"host_with_a_user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", bad_host, refused},
      {"host_with_a_bad_port", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", bad_host, refused},
      {"host_two_in_one", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", bad_host, refused},
      {"host_ipv6_unclosed", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", bad_host, refused},

      // ── framing ──
      {"length_and_coding",
       post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), both, refused},
      {"coding_and_length",
       post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), both, refused},
      {"two_lengths", post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"), two_lengths,
       refused},
      {"two_equal_lengths", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), two_lengths,
       refused},
      {"list_of_lengths", post("Content-Length: 3, 3\r\n", "abc"), bad_length, refused},
      {"length_with_a_sign", post("Content-Length: +3\r\n", "abc"), bad_length, refused},
      {"length_negative", post("Content-Length: -1\r\n", ""), bad_length, refused},
      {"length_in_hex", post("Content-Length: 0x3\r\n", "abc"), bad_length, refused},
      {"length_empty", post("Content-Length:\r\n", ""), bad_length, refused},
      {"length_with_a_space", post("Content-Length: 1 0\r\n", "abc"), bad_length, refused},
      {"length_with_leading_zero", post("Content-Length: 03\r\n", "abc"), zero_length, refused},
      {"length_of_two_zeros", post("Content-Length: 00\r\n", ""), zero_length, refused},
      {"length_beyond_64_bits", post("Content-Length: 18446744073709551616\r\n", ""),
       "413 close (Content-Length is beyond counting)", refused},
      {"length_of_all_64_bits", post("Content-Length: 18446744073709551615\r\n", ""), too_large,
       refused},
      {"length_of_63_bits", post("Content-Length: 9223372036854775807\r\n", ""), too_large,
       refused},
      {"coding_gzip", post("Transfer-Encoding: gzip\r\n", ""), no_such_coding, refused},
      {"coding_gzip_chunked", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
       no_such_coding, refused},
      {"coding_chunked_twice", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"),
       no_such_coding, refused},
      {"coding_in_two_fields",
       post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
       "400 close (there is more than one Transfer-Encoding)", refused},
      {"coding_identity", post("Transfer-Encoding: identity\r\n", ""), no_such_coding, refused},
      {"coding_with_vertical_tab",
       post("Transfer-Encoding: \x0B"
            "chunked\r\n",
            "0\r\n\r\n"),
       control, refused},
      {"coding_on_http_1_0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       "400 close (Transfer-Encoding is not part of HTTP/1.0)", refused},
      {"chunk_size_missing", chunked("\r\nabc\r\n"), bad_chunk, refused},
      {"chunk_size_of_letters", chunked("xyz\r\n"), bad_chunk, refused},
      {"chunk_size_negative", chunked("-1\r\n"), bad_chunk, refused},
      {"chunk_size_with_0x", chunked("0x3\r\nabc\r\n0\r\n\r\n"), bad_chunk, refused},
      {"chunk_size_with_a_space_before", chunked(" 3\r\nabc\r\n0\r\n\r\n"), bad_chunk, refused},
      {"chunk_size_beyond_64_bits", chunked("10000000000000000\r\n"), bad_chunk, refused},
      {"chunk_size_of_64_bits", chunked("ffffffffffffffff\r\n"), too_large, refused},
      {"chunk_longer_than_said", chunked("3\r\nabcd\r\n0\r\n\r\n"), bad_chunk, refused},
      {"chunk_line_ends_with_lf", chunked("3\nabc\n0\n\n"), bad_chunk, refused},
      {"chunk_line_ends_with_cr", chunked("3\rabc\r\n0\r\n\r\n"), bad_chunk, refused},
      {"chunk_extension_with_lf", chunked("3;a\nbc\r\n0\r\n\r\n"), bad_chunk, refused},
      {"trailer_is_a_length", chunked("0\r\nContent-Length: 5\r\n\r\n"), bad_trailer, refused},
      {"trailer_is_a_coding", chunked("0\r\nTransfer-Encoding: x\r\n\r\n"), bad_trailer, refused},
      {"trailer_is_a_host", chunked("0\r\nhost: x\r\n\r\n"), bad_trailer, refused},
      {"trailer_folded", chunked("0\r\nX: y\r\n z\r\n\r\n"), white_space, refused},
      {"trailer_with_bare_lf", chunked("0\r\nX: y\n\r\n"), line_feed, refused},
      {"trailer_without_colon", chunked("0\r\nX\r\n\r\n"), no_colon, refused},
      {"smuggled_behind_a_body", chunked("0\r\n\r\nGET /echo?smuggled HTTP/1.1\r\nHost: a\r\n\r\n"),
       "200 [POST /echo Transfer-Encoding=chunked], 200 [GET /echo?smuggled]"},

      // ── limits: at them, and one beyond ──
      {"fields_at_the_limit", get("/echo", "A:\r\nB:\r\nC:\r\n"), "200 [GET /echo A= B= C=]",
       "stays", setup::tight},
      {"fields_beyond", get("/echo", "A:\r\nB:\r\nC:\r\nD:\r\n"), too_many_fields, refused,
       setup::tight},
      {"header_at_the_limit", get("/echo", "A: " + std::string(164, 'x') + "\r\n"), "200 [#176]",
       "stays", setup::tight},
      {"header_beyond", get("/echo", "A: " + std::string(165, 'x') + "\r\n"), fields_too_large,
       refused, setup::tight},
      {"header_without_end", get("/echo", "A: " + std::string(500, 'x')), fields_too_large, refused,
       setup::tight},
      {"target_at_the_limit", get("/echo?" + std::string(34, 'x')),
       "200 [GET /echo?" + std::string(34, 'x') + "]", "stays", setup::tight},
      {"target_beyond", get("/echo?" + std::string(35, 'x')), too_long, refused, setup::tight},
      {"target_without_end", "GET /" + std::string(300, 'x'), too_long, refused, setup::tight},
      {"body_at_the_limit", counted("0123456789") + get(),
       "200 [POST /echo Content-Length=10 {0123456789}], " + ok, "stays", setup::tight},
      {"body_beyond", counted("0123456789a"), too_large, refused, setup::tight},
      {"chunks_at_the_limit", chunked("5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n") + get(),
       chunked_echo + "0123456789}], " + ok, "stays", setup::tight},
      {"chunks_beyond", chunked("5\r\n01234\r\n6\r\n56789a\r\n0\r\n\r\n"), too_large, refused,
       setup::tight},
      {"chunk_extension_beyond", chunked("1;" + std::string(300, 'x') + "\r\na\r\n0\r\n\r\n"),
       bad_chunk, refused, setup::tight},
      {"chunk_size_of_many_zeros", chunked(std::string(300, '0') + "1\r\na\r\n0\r\n\r\n"),
       bad_chunk, refused, setup::tight},
      {"trailers_beyond", chunked("0\r\nX: " + std::string(300, 'x') + "\r\n\r\n"),
       fields_too_large, refused, setup::tight},
      {"too_many_trailers", chunked("0\r\nA:\r\nB:\r\nC:\r\nD:\r\nE:\r\n\r\n"), too_many_fields,
       refused, setup::tight},
      {"limits_are_of_each_request", times(3, get("/echo", "A: " + std::string(164, 'x') + "\r\n")),
       list(3, "200 [#176]"), "stays", setup::tight},

      // ── the peer ends first ──
      {"half_close", get(), ok, "peer_closed", setup::plain, then::ends},
      {"half_close_pipelined", times(3, get()), list(3, ok), "peer_closed", setup::plain,
       then::ends},
      {"half_close_many_pipelined", times(66, get()), list(66, ok), "peer_closed", setup::plain,
       then::ends},
      {"half_close_later", get("/later"), "200 [GET /later]", "peer_closed", setup::plain,
       then::ends},
      {"half_close_later_pipelined", get("/later/1") + get("/later/2") + get("/hello/3"),
       "200 [1], 200 [2], 200 [3]", "peer_closed", setup::plain, then::ends},
      {"half_close_at_once", get("/at-once") + get("/at-once"),
       "200 [GET /at-once], 200 [GET /at-once]", "peer_closed", setup::plain, then::ends},
      {"half_close_large", get("/bytes/300000"), "200 [#300000]", "peer_closed", setup::plain,
       then::ends},
      {"half_close_large_pipelined", get("/bytes/300000") + get("/later-bytes/300000") + get(),
       "200 [#300000], 200 [#300000], " + ok, "peer_closed", setup::plain, then::ends},
      {"half_close_stream", get("/stream/40/9000") + get(), "200 chunked [#360000], " + ok,
       "peer_closed", setup::plain, then::ends},
      {"half_close_and_close", get("/", "Connection: close\r\n"), "200 close [OK]", "finished",
       setup::plain, then::ends},
      {"half_close_of_nothing", "", "", "peer_closed", setup::plain, then::ends},
      {"half_close_in_the_line", "GET / HT", "", "peer_closed", setup::plain, then::ends},
      {"half_close_in_the_head", "GET / HTTP/1.1\r\nHost: a\r\n", "", "peer_closed", setup::plain,
       then::ends},
      {"half_close_in_the_body", post("Content-Length: 5\r\n", "abc"), "", "peer_closed",
       setup::plain, then::ends},
      {"half_close_in_a_chunk", chunked("5\r\nabc"), "", "peer_closed", setup::plain, then::ends},
      {"half_close_in_the_second", get() + "GET /", ok, "peer_closed", setup::plain, then::ends},
      {"half_close_after_later_in_the_second", get("/later/1") + "GET /", "200 [1]", "peer_closed",
       setup::plain, then::ends},
      {"half_close_after_bad", "GET\n", line_feed, refused, setup::plain, then::ends},
      {"half_close_while_awaited", post("Expect: 100-continue\r\nContent-Length: 3\r\n", ""), "100",
       "peer_closed", setup::plain, then::ends},

      // ── deadlines ──
      {"never_whole_head", "GET / HTTP/1.1\r\nHost: a\r\n", too_slow, "read_timeout",
       setup::impatient, then::waits},
      {"one_byte_and_silence", "G", too_slow, "read_timeout", setup::impatient, then::waits},
      {"never_whole_body", post("Content-Length: 5\r\n", "abc"), too_slow, "read_timeout",
       setup::impatient, then::waits},
      {"never_whole_body_of_head", "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc",
       "408 close", "read_timeout", setup::impatient, then::waits},
      {"never_whole_chunk", chunked("5\r\nabc"), too_slow, "read_timeout", setup::impatient,
       then::waits},
      {"never_whole_trailers", chunked("0\r\n"), too_slow, "read_timeout", setup::impatient,
       then::waits},
      {"never_whole_second", get() + "GET", ok + ", " + too_slow, "read_timeout", setup::impatient,
       then::waits},
      {"empty_line_and_silence", "\r\n", "", "stays", setup::impatient, then::waits},
      {"empty_line_between_and_silence", get() + "\r\n", ok, "stays", setup::impatient,
       then::waits},
      {"no_body_after_100", post("Expect: 100-continue\r\nContent-Length: 3\r\n", ""),
       "100, " + too_slow, "read_timeout", setup::impatient, then::waits},
      {"answered_too_late", get("/much-later"), "503 close (the answer took too long)",
       "handle_timeout", setup::impatient, then::waits},
      {"head_answered_too_late", line("HEAD /much-later HTTP/1.1"), "503 close", "handle_timeout",
       setup::impatient, then::waits},
      {"pipelined_behind_too_late", get("/much-later") + get(),
       "503 close (the answer took too long)", "handle_timeout", setup::impatient, then::waits},
      {"answered_before_too_late", get() + get("/much-later"),
       ok + ", 503 close (the answer took too long)", "handle_timeout", setup::impatient,
       then::waits},
      {"half_close_and_too_late", get("/much-later"), "503 close (the answer took too long)",
       "handle_timeout", setup::impatient, then::ends},

      // ── no HTTP at all ──
      {"tls_client_hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03"s, control, refused},
      {"ssh", "SSH-2.0-OpenSSH_9.2\r\n\r\n", three_words, refused},
      {"nul_bytes", std::string(20, '\0'), control, refused},
      {"bytes_above_ascii", std::string(20, '\xFF') + "\r\n\r\n", three_words, refused},
      {"smtp", "EHLO a\r\n\r\n", three_words, refused},
      {"proxy_protocol_1", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + get(), no_version, refused},
      {"proxy_protocol_2", "\r\n\r\n\0\r\nQUIT\n"s, three_words, refused},
      {"redis", "*1\r\n$4\r\nPING\r\n\r\n", three_words, refused},
  };
}

}  // namespace

const std::vector<raw_case>& raw_cases() {
  static const std::vector<raw_case> all = make_cases();
  return all;
}

}  // namespace dwell::testing
