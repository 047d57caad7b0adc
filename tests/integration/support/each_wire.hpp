#pragma once

#include "support/running_server.hpp"

#include <gtest/gtest.h>

#include <string>

namespace dwell {

/// For INSTANTIATE_TEST_SUITE_P: what holds without TLS and with it.
class each_wire : public ::testing::TestWithParam<wire> {
 protected:
  static bool over_tls() { return GetParam() == wire::tls; }
  static service_options over_it(service_options options) {
    return over(GetParam(), std::move(options));
  }
};

inline auto both_wires() { return ::testing::Values(wire::plain, wire::tls); }

inline std::string name_of(const ::testing::TestParamInfo<wire>& which) {
  return which.param == wire::tls ? "tls" : "plain";
}

}  // namespace dwell
