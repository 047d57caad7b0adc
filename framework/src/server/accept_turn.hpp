#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace dwell::inline v0 {

/// Which loop accepts, where all share their listeners because what one has accepted no other can
/// have: each in turn, so that they fill evenly, and none that is full or resting. One at a time:
/// an event of a listener would wake them all, since EPOLLEXCLUSIVE does not reach through nested
/// sets.
class accept_turn {
 public:
  static constexpr std::uint32_t nobody = 0xffff'ffff;
  /// Connections in a row: more spread a small crowd unevenly, fewer wake another loop more often.
  static constexpr std::uint32_t length = 8;

  explicit accept_turn(std::size_t loops) : resting_(loops) {}

  bool is_of(std::uint32_t loop) const noexcept { return holder_.load() == loop; }
  bool is_vacant() const noexcept { return is_of(nobody); }
  /// Whose turn it is has accepted one more. True: it is over.
  bool takes_its_last() noexcept { return ++taken_ >= length; }

  /// Whether accepting has failed there, and would again.
  bool rests(std::uint32_t loop) const noexcept { return resting_[loop].load(); }
  /// False: it did already.
  bool rest(std::uint32_t loop) noexcept { return !resting_[loop].exchange(true); }
  void wake(std::uint32_t loop) noexcept { resting_[loop].store(false); }

  /// On to the next one after `from` that `can`; `nobody`, if none can.
  template <class Can>
  std::uint32_t next_after(std::uint32_t from, Can&& can) const {
    const auto loops = static_cast<std::uint32_t>(resting_.size());
    for (std::uint32_t i = 1; i <= loops; ++i) {
      const std::uint32_t which = (from + i) % loops;
      if (!rests(which) && can(which)) return which;
    }
    return nobody;
  }
  void pass_to(std::uint32_t next) noexcept {
    taken_ = 0;
    holder_.store(next);
  }
  /// Of several that see it vacant one gets it.
  bool claim_for(std::uint32_t loop) noexcept {
    std::uint32_t vacant = nobody;
    return holder_.compare_exchange_strong(vacant, loop);
  }

 private:
  std::atomic<std::uint32_t> holder_{0};
  std::uint32_t taken_ = 0;  // only whose turn it is looks
  std::vector<std::atomic<bool>> resting_;
};

}  // namespace dwell::inline v0
