// An admin beside a server whose loops have descriptor tables of their own.
#include <dwell/dwell.hpp>

#include "support/child.hpp"
#include "support/observed_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace dwell {
namespace {

using ::testing::HasSubstr;

server_options with_tables() { return {.threads = 3, .tables = descriptor_tables::per_loop}; }

const callbacks<> echo{.on_data = [](connection& peer, no_session&, bytes data) {
  peer.send(data);
  return data.size();
}};

TEST(admin_of_descriptor_tables, hears_from_every_loop_and_drains) {
  in_child([] {
    server observed{with_tables()};
    const endpoint where = observed.serve(on_loopback(), echo);
    const admin shows{observed, on_any_port()};
    observed.start();
    std::vector<raw_client> clients;
    for (int i = 0; i < 24; ++i) {
      clients.emplace_back(where);
      clients.back().send("x");
      EXPECT_EQ(clients.back().receive(1), "x");
    }
    const http_reply all = ask(shows.endpoint(), "GET /connections");
    EXPECT_EQ(all.status, 200);
    EXPECT_THAT(all.body, HasSubstr("\"matched\": 24"));
    EXPECT_THAT(all.body, HasSubstr("\"partial\": false"));
    EXPECT_EQ(ask(shows.endpoint(), "POST /drain").status, 202);
    for (raw_client& each : clients) {
      EXPECT_EQ(each.receive_to_end().error, 0);
      each.close();
    }
    observed.wait();
  });
}

TEST(admin_of_descriptor_tables, is_refused_when_the_loops_could_not_wake_it) {
  in_child([] {
    server observed{with_tables()};
    observed.serve(on_loopback(), echo);
    observed.start();
    try {
      const admin late{observed, on_any_port()};
      ADD_FAILURE() << "it was made";
    } catch (const std::logic_error& refused) {
      EXPECT_THAT(refused.what(), HasSubstr("before"));
    }
  });
}

}  // namespace
}  // namespace dwell
