#include "scenario.hpp"

#include <vector>

namespace {

TEST(date, is_the_year_2000_and_goes_on_in_whole_seconds) {
  with_seeds([](std::uint64_t seed) {
    using namespace std::chrono;
    simulation sim{{.seed = seed}};
    std::vector<sys_seconds> seen;
    auto& server =
        sim.serve({}, dwell::callbacks<>{.on_data = [&](dwell::connection& peer, dwell::no_session&,
                                                        dwell::bytes data) {
                    seen.push_back(peer.date());
                    return data.size();
                  }});
    auto peer = sim.connect(server);
    const sys_seconds start = sys_days{year{2000} / January / 1};
    std::vector<sys_seconds> expected;
    for (int i = 0; i < 40; ++i) {
      sim.advance(100ms * i);
      peer.send("x");
      expected.push_back(start + floor<seconds>(sim.now()));
      sim.advance(1ms);
    }
    EXPECT_EQ(seen, expected);
  });
}

}  // namespace
