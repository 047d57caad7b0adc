// llhttp as it was built, without the guard that stands in front of it.
#include "http/llhttp.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace dwell::http {
namespace {

bool takes(std::string_view request) {
  llhttp_settings_t settings;
  llhttp_settings_init(&settings);
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &settings);
  return llhttp_execute(&parser, request.data(), request.size()) == HPE_OK;
}

TEST(llhttp, takes_a_request) { EXPECT_TRUE(takes("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n")); }

TEST(llhttp, does_not_let_a_bare_cr_end_a_field_cve_2023_30589) {
  EXPECT_FALSE(takes("GET / HTTP/1.1\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n"));
}

TEST(llhttp, does_not_let_crlf_cr_x_end_the_head_cve_2025_23167) {
  EXPECT_FALSE(takes("GET / HTTP/1.1\r\nX: a\r\n\rX"));
}

TEST(llhttp, does_not_take_space_before_a_colon_cve_2024_27982) {
  EXPECT_FALSE(takes("POST / HTTP/1.1\r\nContent-Length : 5\r\n\r\n"));
}

TEST(llhttp, has_names_of_its_own) {
#define NAME_OF(function) NAME_OF_EXPANDED(function)
#define NAME_OF_EXPANDED(function) #function
  EXPECT_STREQ(NAME_OF(llhttp_execute), "dwell_llhttp_execute");
  EXPECT_STREQ(NAME_OF(llhttp__internal_execute), "dwell_llhttp__internal_execute");
#undef NAME_OF_EXPANDED
#undef NAME_OF
}

}  // namespace
}  // namespace dwell::http
