#include <dwell/client/upstream.hpp>

#include "client/attempt.hpp"
#include "client/destination.hpp"
#include "connection/loop.hpp"

#include <cassert>
#include <utility>

namespace dwell::inline v0 {
namespace {

/// A connection that callbacks wait for; destroys itself.
class called_attempt final : attempt {
 public:
  static void start(loop& on, std::shared_ptr<const destination> to,
                    std::unique_ptr<connect_start> what) {
    auto* const made = new called_attempt{on, std::move(to), std::move(what)};
    if (!made->begin()) made->fail_later();
  }

 private:
  called_attempt(loop& on, std::shared_ptr<const destination> to,
                 std::unique_ptr<connect_start> what)
      : attempt{on, to->way, on.hosting(to->what, to)},
        to_{std::move(to)},
        start_{std::move(what)} {}
  ~called_attempt() = default;

  void arrived() override {
    connect_start& start = *start_;
    if (take([&start](void* where) { start.create_session(where); }) == nullptr) return failed();
    delete this;
  }
  void failed() override {
    on().count_connect_failure();
    on().run_apart([this] { start_->failed(error()); });
    delete this;
  }
  void discard() noexcept override { delete this; }

  std::shared_ptr<const destination> to_;
  std::unique_ptr<connect_start> start_;
};

}  // namespace

upstream_base::upstream_base(const connect_options& to, handler what)
    : to_{std::make_shared<const destination>(to, std::move(what))} {}

void upstream_base::connect(std::unique_ptr<connect_start> start) const {
  loop* const here = loop::current();
  assert(here != nullptr && "dwell: upstream::connect() is for callbacks and coroutines of a loop");
  called_attempt::start(*here, to_, std::move(start));
}

}  // namespace dwell::inline v0
