#include "../both_engines.hpp"

#include <dwell/testing/simulation.hpp>

namespace {

struct simulated {
  using network = dwell::testing::simulation;
  static constexpr dwell::duration long_time = std::chrono::seconds{5};
  static constexpr dwell::duration settling = std::chrono::seconds{1};
  static constexpr dwell::duration early{0};
  static constexpr dwell::duration late{0};
};

INSTANTIATE_TYPED_TEST_SUITE_P(simulated, both_engines, simulated);

}  // namespace
