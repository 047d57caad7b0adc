#include "tally_queue.hpp"

#include <utility>

namespace load {

std::unique_ptr<tally> tally_queue::exchange(std::unique_ptr<tally> full) {
  std::unique_ptr<tally> empty;
  {
    const std::scoped_lock held{lock_};
    full_.push_back(std::move(full));
    if (!empty_.empty()) {
      empty = std::move(empty_.back());
      empty_.pop_back();
    }
  }
  came_.notify_one();
  return empty ? std::move(empty) : std::make_unique<tally>();
}

std::unique_ptr<tally> tally_queue::take(nanoseconds patience) {
  std::unique_lock held{lock_};
  if (!came_.wait_for(held, patience, [this] { return !full_.empty(); })) return nullptr;
  std::unique_ptr<tally> first = std::move(full_.front());
  full_.erase(full_.begin());
  return first;
}

void tally_queue::recycle(std::unique_ptr<tally> used) {
  used->clear();
  const std::scoped_lock held{lock_};
  empty_.push_back(std::move(used));
}

}  // namespace load
