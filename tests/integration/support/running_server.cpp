#include "support/running_server.hpp"

#include <gtest/gtest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>

namespace dwell {

close_record close_log::only() const {
  EXPECT_TRUE(wait_for(1)) << "no connection was closed";
  const auto records = all();
  EXPECT_EQ(records.size(), 1U);
  return records.empty() ? close_record{} : records.front();
}

std::shared_ptr<spdlog::logger> quiet_logger() {
  return std::make_shared<spdlog::logger>("quiet", std::make_shared<spdlog::sinks::null_sink_mt>());
}

server_options quietly(server_options options) {
  if (options.logger == nullptr) options.logger = quiet_logger();
  return options;
}

service_options on_loopback(service_options options) {
  if (options.listen == endpoint{}) options.listen.address = "127.0.0.1";
  return options;
}

service_options over(wire which, service_options options) {
  if (which == wire::tls) options.tls = tls_options{.certificate = test_certificate()};
  return options;
}

running_server::running_server(service_options service, handler what, server_options options)
    : over_tls_{service.tls.has_value()},
      server_{quietly(std::move(options))},
      where_{server_.serve(records_.listening(on_loopback(std::move(service))), std::move(what))} {
  server_.start();
}

}  // namespace dwell
