#include "plan.hpp"

#include "commands.hpp"

#include <stdexcept>

namespace load {
namespace {

using namespace std::chrono_literals;

TEST(load_plan, reads_targets_and_says_them_again) {
  for (const char* url : {"echo://127.0.0.1:7777", "http://10.0.0.2:80/", "http://[::1]:8080/a?b=c",
                          "echo://[fe80::1]:1", "http://example.invalid:65535/x/y"}) {
    plan of;
    set_target(of, url);
    EXPECT_EQ(target_of(of), url);
  }
  plan of;
  set_target(of, "tcp://localhost:7");
  EXPECT_EQ(target_of(of), "echo://localhost:7");
  set_target(of, "http://localhost");
  EXPECT_EQ(target_of(of), "http://localhost:80/");
  set_target(of, "http://localhost?q");
  EXPECT_EQ(target_of(of), "http://localhost:80/?q");
}

TEST(load_plan, refuses_what_is_no_target_and_changes_nothing) {
  for (const char* url :
       {"", "127.0.0.1:7777", "https://a/", "echo://a", "echo://a:", "echo://a:0", "echo://a:65536",
        "echo://a:7x", "echo://:7", "echo://[::1:7", "echo://[::1]7", "echo://a:7/path",
        "http://a/b#c", "http://user@a/", "http:///", "http://a/b c"}) {
    plan of;
    EXPECT_THROW(set_target(of, url), std::invalid_argument) << url;
    EXPECT_EQ(target_of(of), target_of(plan{}));
  }
}

TEST(load_plan, refuses_what_cannot_be_run) {
  plan good;
  set_target(good, "echo://127.0.0.1:7777");
  EXPECT_NO_THROW(check(good));
  const auto with = [&](auto change) {
    plan bad = good;
    change(bad);
    return bad;
  };
  EXPECT_THROW(check(with([](plan& p) { p.port = 0; })), std::invalid_argument);
  EXPECT_THROW(check(with([](plan& p) { p.threads = p.connections + 1; })), std::invalid_argument);
  EXPECT_THROW(check(with([](plan& p) { p.duration = 1ms; })), std::invalid_argument);
  EXPECT_THROW(check(with([](plan& p) { p.timeout = 0ms; })), std::invalid_argument);
  EXPECT_THROW(check(with([](plan& p) { p.connections = 100'000'000; })), std::invalid_argument);
  EXPECT_THROW(check(with([](plan& p) { p.ending = ending::server; })), std::invalid_argument);
  EXPECT_NO_THROW(check(with([](plan& p) {
    p.ending = ending::server;
    p.requests_per_connection = 1;
  })));
}

}  // namespace
}  // namespace load
