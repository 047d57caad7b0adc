#include "support/counted_server.hpp"

#include "support/eventually.hpp"
#include "support/running_server.hpp"

#include <gtest/gtest.h>

namespace dwell {

using namespace std::chrono_literals;

counted_server::counted_server(service_options service, handler what, server_options options)
    : server_{context_, quietly(std::move(options))},
      where_{server_.serve(records_.listening(on_loopback(std::move(service))), std::move(what))},
      thread_{[this] { run(); }} {}

counted_server::~counted_server() {
  over_ = true;
  context_.stop();
  thread_.join();
}

void counted_server::run() {
  while (!over_) {
    if (context_.run_one() != 0) ++turns_;
  }
}

void counted_server::count_from_here() {
  std::uint64_t seen = 0;
  EXPECT_TRUE(eventually([&] {
    seen = turns_;
    std::this_thread::sleep_for(50ms);
    return turns_ == seen;
  })) << "the loop never sleeps";
  turns_ = 0;
}

}  // namespace dwell
