// A core that serves nothing: what runs on its loops is spawned, and when that has ended so does
// it.
#include "connection/loop_coroutine.hpp"
#include "server/core.hpp"

#include <utility>

namespace dwell::inline v0 {
namespace {

/// Something that keeps a client from its end.
template <class Core, void (Core::*end)() noexcept>
class work {
 public:
  explicit work(Core& of) noexcept : of_{&of} {}
  work(work&& other) noexcept : of_{std::exchange(other.of_, nullptr)} {}
  work& operator=(work&&) = delete;
  ~work() {
    if (of_ != nullptr) (of_->*end)();
  }

 private:
  Core* of_;
};

}  // namespace

void server_core::become_client() {
  is_client_ = true;
  begin_work();  // until it runs, so that it does not end before something is spawned
  hosts_.front()->connections->mail()->order(
      [held = work<server_core, &server_core::end_work>{*this}](loop&) mutable {
        const auto done = std::move(held);
      });
}

void server_core::spawn(std::uint32_t loop, unique_function<task<>()> body) {
  begin_work();
  // Its end is that of the body: also when that is destroyed unrun.
  unique_function<task<>()> counted = [held = work<server_core, &server_core::end_work>{*this},
                                       run = std::move(body)]() mutable { return run(); };
  hosts_.at(loop)->connections->mail()->order([body = std::move(counted)](dwell::loop& on) mutable {
    on.start_coroutine(std::move(body));
  });
}

/// Sequentially consistent: whoever ends the last work sees what all others did before.
void server_core::end_work() noexcept {
  if (work_.fetch_sub(1) != 1) return;
  order_all([this](loop& each) { loop_ended(each); });
}

}  // namespace dwell::inline v0
