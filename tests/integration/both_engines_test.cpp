#include "../both_engines.hpp"

#include <dwell/testing/loopback.hpp>

namespace {

struct kernel {
  using network = dwell::testing::loopback;
  static constexpr dwell::duration long_time{400};
  static constexpr dwell::duration settling{20};
  /// The client's clock starts once connect(2) has returned, and the server may be first.
  static constexpr dwell::duration early{20};
  static constexpr dwell::duration late{400};
};

INSTANTIATE_TYPED_TEST_SUITE_P(kernel, both_engines, kernel);

}  // namespace
