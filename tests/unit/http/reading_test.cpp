// The guard in front of llhttp, and llhttp behind it: the same verdict for every split of every
// input.
#include "http/block_scanner.hpp"
#include "http/body_reader.hpp"
#include "http/head.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <ostream>
#include <string>
#include <vector>

namespace dwell::http {
namespace {

using namespace std::string_literals;

constexpr head_limits small{.size = 512, .target = 100, .fields = 8};
constexpr std::uint64_t most_body = 1'000;

/// A request in words: "405: this server is not a proxy", or what was read.
class request_reader {
 public:
  /// Everything that has come, and again with more.
  void show(std::string_view input) {
    input.remove_prefix(std::min(used_, input.size()));
    if (verdict_.empty() && !body_) read_head_of(input);
    if (verdict_.empty() && body_) read_body_of(input);
  }
  std::string verdict() const { return verdict_.empty() ? "incomplete" : verdict_; }

 private:
  void refuse(const refusal& why) {
    verdict_ = std::to_string(static_cast<int>(why.status)) + ": " + why.why;
  }
  void read_head_of(std::string_view& input) {
    const auto [size, refused] = scanner_.scan(input, small);
    if (refused) return refuse(*refused);
    if (size == 0) return;
    head seen;
    if (const auto why = read_head(input.substr(0, size), small, seen)) return refuse(*why);
    line_ = std::string{to_string(seen.method)} + ' ' + std::string{seen.target} +
            (seen.http_1_1 ? "" : " 1.0") + (seen.keep_alive ? "" : " close") +
            (seen.expects_continue ? " continue" : "");
    body_.emplace(seen, most_body, small);
    input.remove_prefix(size);
    used_ = size;
  }
  void read_body_of(std::string_view input) {
    if (!body_->refused()) used_ += body_->read(input, text_);
    if (body_->refused()) {
      refuse(*body_->refused());
    } else if (body_->done()) {
      verdict_ = line_ + (text_.empty() ? "" : " [" + text_ + "]") + ", " + std::to_string(used_);
    }
  }

  block_scanner scanner_{block_scanner::kind::head};
  std::optional<body_reader> body_;
  std::string line_;
  std::string text_;
  std::string verdict_;
  std::size_t used_ = 0;
};

std::string verdict_of(std::string_view input, const std::vector<std::size_t>& cuts = {}) {
  request_reader reader;
  for (const std::size_t cut : cuts) reader.show(input.substr(0, cut));
  reader.show(input);
  return reader.verdict();
}

struct example {
  std::string name;
  std::string input;
  std::string verdict;
  friend std::ostream& operator<<(std::ostream& out, const example& which) {
    return out << which.name;
  }
};

std::string get(const std::string& fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}
std::string line(const std::string& first) { return first + "\r\nHost: a\r\n\r\n"; }
std::string chunked(const std::string& rest) {
  return "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + rest;
}

const std::string line_feed = "400: a line feed without carriage return";
const std::string carriage_return = "400: a carriage return without line feed";
const std::string control = "400: a control character in the header";
const std::string white_space = "400: a line begins with white space";
const std::string no_token = "400: the name of a header field is not a token";
const std::string bad_target = "400: the request target is malformed";
const std::string bad_host = "400: Host is empty or malformed";
const std::string bad_chunk = "400: the chunked body is malformed";
const std::string too_large = "413: the body is too large";
const std::string too_long = "414: the request target is too long";
const std::string fields_too_large = "431: the header fields are too large";
const std::string no_version = "400: the request line does not end with a version";
const std::string three_words = "400: the request line is not METHOD TARGET VERSION";

const std::vector<example> examples{
    // what is fine
    {"get", get(""), "GET /, 27"},
    {"http_1_0_without_host", "GET / HTTP/1.0\r\n\r\n", "GET / 1.0 close, 18"},
    {"http_1_0_keep_alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET / 1.0, 42"},
    {"connection_close", get("Connection: foo, CLOSE\r\n"), "GET / close, 51"},
    {"absolute_target", line("GET http://a.b:80/c?d HTTP/1.1"), "GET http://a.b:80/c?d, 43"},
    {"asterisk_target", line("OPTIONS * HTTP/1.1"), "OPTIONS *, 31"},
    {"empty_and_odd_values", get("X:\r\nY: \t \r\nZ: \xC3\xA4 b\tc\r\n"), "GET /, 49"},
    {"body_by_length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET",
     "POST / [abc], 50"},
    {"body_of_no_bytes", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "POST /, 47"},
    {"body_incomplete", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab", "incomplete"},
    {"chunks", chunked("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nGET"), "POST / [abcde], 76"},
    {"chunk_extensions", chunked("3;a;b=\"c d\";e=f\r\nabc\r\n0\r\n\r\n"), "POST / [abc], 83"},
    {"trailers", chunked("0\r\nX: y\r\nZ: \r\n\r\n"), "POST /, 72"},
    {"expect_continue", get("Expect: 100-Continue\r\n"), "GET / continue, 49"},
    {"expect_of_http_1_0", "GET / HTTP/1.0\r\nExpect: x\r\n\r\n", "GET / 1.0 close, 29"},
    {"upgrade_is_ignored", get("Connection: upgrade\r\nUpgrade: h2c\r\n"), "GET /, 62"},
    {"host_with_port", "GET / HTTP/1.1\r\nHost: a:65535\r\n\r\n", "GET /, 33"},
    {"host_ipv6", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET /, 34"},

    // CR, LF, NUL and control bytes
    {"cve_2023_30589_bare_cr", get("X: a\rTransfer-Encoding: chunked\r\n"), carriage_return},
    {"cve_2025_23167_crlf_cr_x", "GET / HTTP/1.1\r\nHost: a\r\n\rX", carriage_return},
    {"bare_lf_lines", "GET / HTTP/1.1\nHost: a\n\n", line_feed},
    {"bare_lf_at_the_end", "GET / HTTP/1.1\r\nHost: a\r\n\n", line_feed},
    {"cr_cr_lf", "GET / HTTP/1.1\r\r\n", carriage_return},
    {"nul_in_value", get("X: a\0b\r\n"s), control},
    {"nul_in_target", line("GET /\0 HTTP/1.1"s), control},
    {"delete_in_value", get("X: a\x7F\r\n"), control},
    {"tls_on_plain", "\x16\x03\x01\x02\x00\x01"s, control},
    {"escape_in_name", get("X\x1B: a\r\n"), control},

    // white space
    {"obs_fold", get("X: a\r\n b\r\n"), white_space},
    {"obs_fold_tab", get("X: a\r\n\tb\r\n"), white_space},
    {"space_before_request", " GET / HTTP/1.1\r\n", white_space},
    {"space_before_first_field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", white_space},
    {"cve_2024_27982_space_before_length", get(" Content-Length: 5\r\n"), white_space},
    {"space_before_colon", get("X : a\r\n"), no_token},
    {"tab_before_colon", get("Content-Length\t: 5\r\n"), no_token},
    {"two_spaces_before_target", line("GET  / HTTP/1.1"), no_version},
    {"two_spaces_after_target", line("GET /  HTTP/1.1"), no_version},
    {"space_after_version", line("GET / HTTP/1.1 "), no_version},
    {"tab_in_request_line", line("GET\t/ HTTP/1.1"), three_words},

    // names
    {"empty_name", get(": a\r\n"), no_token},
    {"no_colon", get("X\r\n"), "400: a header field has no colon"},
    {"comma_in_name", get("X,Y: a\r\n"), no_token},
    {"eight_bit_name", get("\xC3\xA4: a\r\n"), no_token},
    {"at_in_name", get("X@Y: a\r\n"), no_token},

    // Host
    {"no_host", "GET / HTTP/1.1\r\n\r\n", "400: there is no Host"},
    {"two_hosts", get("host: a\r\n"), "400: there is more than one Host"},
    {"empty_host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", bad_host},
    {"host_with_space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", bad_host},
    {"host_with_path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", bad_host},
    {"host_with_user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", bad_host},
    {"host_with_bad_port", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", bad_host},
    {"host_with_open_bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", bad_host},
    {"host_list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", bad_host},

    // Transfer-Encoding
    {"length_and_chunked", get("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
     "400: both Content-Length and Transfer-Encoding"},
    {"chunked_and_length", get("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"),
     "400: both Content-Length and Transfer-Encoding"},
    {"gzip_chunked", get("Transfer-Encoding: gzip, chunked\r\n"),
     "501: the only transfer coding known here is chunked"},
    {"chunked_twice_in_one", get("Transfer-Encoding: chunked, chunked\r\n"),
     "501: the only transfer coding known here is chunked"},
    {"chunked_obfuscated", get("Transfer-Encoding: xchunked\r\n"),
     "501: the only transfer coding known here is chunked"},
    {"empty_encoding", get("Transfer-Encoding:\r\n"),
     "501: the only transfer coding known here is chunked"},
    {"identity", get("Transfer-Encoding: identity\r\n"),
     "501: the only transfer coding known here is chunked"},
    {"encoding_twice", get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
     "400: there is more than one Transfer-Encoding"},
    {"encoding_in_http_1_0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
     "400: Transfer-Encoding is not part of HTTP/1.0"},

    // Content-Length
    {"length_twice", get("Content-Length: 3\r\nContent-Length: 3\r\n"),
     "400: there is more than one Content-Length"},
    {"length_list", get("Content-Length: 3, 3\r\n"), "400: Content-Length is not a number"},
    {"length_plus", get("Content-Length: +3\r\n"), "400: Content-Length is not a number"},
    {"length_minus", get("Content-Length: -3\r\n"), "400: Content-Length is not a number"},
    {"length_hex", get("Content-Length: 0x3\r\n"), "400: Content-Length is not a number"},
    {"length_empty", get("Content-Length: \r\n"), "400: Content-Length is not a number"},
    {"length_space_inside", get("Content-Length: 1 2\r\n"), "400: Content-Length is not a number"},
    {"length_leading_zero", get("Content-Length: 03\r\n"),
     "400: Content-Length begins with a zero"},
    {"length_beyond_counting", get("Content-Length: 99999999999999999999\r\n"),
     "413: Content-Length is beyond counting"},
    {"length_above_limit", get("Content-Length: 1001\r\n"), too_large},

    // the request line
    {"http_0_9", "GET /\r\n\r\n", three_words},
    {"empty_request_line", "\r\nGET / HTTP/1.1\r\n\r\n", three_words},
    {"http_1_2", line("GET / HTTP/1.2"), "505: use HTTP/1.1 or HTTP/1.0"},
    {"http_2_preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505: use HTTP/1.1 or HTTP/1.0"},
    {"http_in_small_letters", line("GET / http/1.1"), no_version},
    {"rtsp", line("GET / RTSP/1.0"), no_version},
    {"method_unknown", line("BREW / HTTP/1.1"), "501: this method is not known here"},
    {"method_in_small_letters", line("get / HTTP/1.1"), "501: this method is not known here"},
    {"method_no_token", line("G(T / HTTP/1.1"), "400: the method is not a token"},
    {"connect", line("CONNECT a:443 HTTP/1.1"), "405: this server is not a proxy"},
    {"fragment", line("GET /a#b HTTP/1.1"), bad_target},
    {"eight_bit_target", line("GET /\xC3\xA4 HTTP/1.1"), bad_target},
    {"relative_target", line("GET a HTTP/1.1"), bad_target},
    {"asterisk_with_get", line("GET * HTTP/1.1"), bad_target},
    {"ftp_target", line("GET ftp://a/ HTTP/1.1"), bad_target},
    {"absolute_without_host", line("GET http:///a HTTP/1.1"), bad_target},
    {"absolute_with_user", line("GET http://u@a/ HTTP/1.1"), bad_target},

    // limits
    {"target_of_the_limit", line("GET /" + std::string(99, 'a') + " HTTP/1.1"),
     "GET /" + std::string(99, 'a') + ", 126"},
    {"target_above_the_limit", line("GET /" + std::string(100, 'a') + " HTTP/1.1"), too_long},
    {"target_without_end", "GET /" + std::string(300, 'a'), too_long},
    {"fields_of_the_limit", get("A:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\nG:\r\n"), "GET /, 55"},
    {"fields_above_the_limit", get("A:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\nG:\r\nH:\r\n"),
     "431: too many header fields"},
    {"size_of_the_limit", get("X: " + std::string(480, 'a') + "\r\n"), "GET /, 512"},
    {"size_above_the_limit", get("X: " + std::string(481, 'a') + "\r\n"), fields_too_large},
    {"value_without_end", "GET / HTTP/1.1\r\nHost: " + std::string(600, 'a'), fields_too_large},

    // Expect
    {"expect_unknown", get("Expect: 200-ok\r\n"),
     "417: the only expectation known here is 100-continue"},

    // chunks
    {"chunk_lf", chunked("3\nabc\r\n0\r\n\r\n"), bad_chunk},
    {"chunk_lf_after_data", chunked("3\r\nabc\n0\r\n\r\n"), bad_chunk},
    {"chunk_longer_than_said", chunked("3\r\nabcd\r\n0\r\n\r\n"), bad_chunk},
    {"chunk_size_hex_prefix", chunked("0x3\r\nabc\r\n0\r\n\r\n"), bad_chunk},
    {"chunk_size_plus", chunked("+3\r\nabc\r\n0\r\n\r\n"), bad_chunk},
    {"chunk_size_minus", chunked("-3\r\nabc\r\n0\r\n\r\n"), bad_chunk},
    {"chunk_size_space", chunked("3 \r\nabc\r\n0\r\n\r\n"), bad_chunk},
    {"chunk_size_empty", chunked("\r\nabc\r\n0\r\n\r\n"), bad_chunk},
    {"chunk_size_overflow", chunked("fffffffffffffffff\r\nabc"), bad_chunk},
    {"chunk_size_wrap", chunked("10000000000000003\r\nabc\r\n0\r\n\r\n"), bad_chunk},
    {"chunk_above_limit", chunked("3e9\r\n"), too_large},
    {"chunks_above_limit", chunked("3e7\r\n" + std::string(999, 'x') + "\r\n2\r\n"), too_large},
    {"chunk_extension_lf", chunked("3;a\nb\r\nabc\r\n0\r\n\r\n"), bad_chunk},
    {"chunk_extension_without_end", chunked("3;" + std::string(600, 'a')), bad_chunk},
    {"chunk_zeros_without_end", chunked(std::string(600, '0')), bad_chunk},
    {"chunk_cr_in_last", chunked("0\r\r\n\r\n"), bad_chunk},

    // trailers
    {"trailer_length", chunked("0\r\nContent-Length: 3\r\n\r\n"),
     "400: a trailer changes what the head has said"},
    {"trailer_host", chunked("0\r\nhost: b\r\n\r\n"),
     "400: a trailer changes what the head has said"},
    {"trailer_encoding", chunked("0\r\nTransfer-Encoding: chunked\r\n\r\n"),
     "400: a trailer changes what the head has said"},
    {"trailer_lf", chunked("0\r\nX: y\n\r\n"), line_feed},
    {"trailer_end_lf", chunked("0\r\nX: y\r\n\n"), line_feed},
    {"trailer_fold", chunked("0\r\nX: y\r\n z\r\n\r\n"), white_space},
    {"trailer_name", chunked("0\r\nX y: z\r\n\r\n"), no_token},
    {"trailers_above_limit", chunked("0\r\nX: " + std::string(600, 'a')), fields_too_large},
};

class reading : public testing::TestWithParam<example> {};

TEST_P(reading, gives_one_verdict_however_it_is_split) {
  const auto& [name, input, verdict] = GetParam();
  ASSERT_EQ(verdict_of(input), verdict);
  std::vector<std::size_t> everywhere;
  for (std::size_t cut = 0; cut <= input.size(); ++cut) {
    ASSERT_EQ(verdict_of(input, {cut}), verdict) << "split at " << cut;
    everywhere.push_back(cut);
  }
  EXPECT_EQ(verdict_of(input, everywhere), verdict) << "byte by byte";
  for (std::size_t step = 2; step < 40; step += 7) {
    std::vector<std::size_t> cuts;
    for (std::size_t cut = step; cut < input.size(); cut += step) cuts.push_back(cut);
    EXPECT_EQ(verdict_of(input, cuts), verdict) << "in pieces of " << step;
  }
}

INSTANTIATE_TEST_SUITE_P(examples, reading, testing::ValuesIn(examples),
                         [](const auto& which) { return which.param.name; });

}  // namespace
}  // namespace dwell::http
