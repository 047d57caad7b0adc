#pragma once

#include "connection/attachment.hpp"
#include "connection/coroutine.hpp"

#include <cstddef>

namespace dwell::inline v0 {

/// One connection::spawn(), until its coroutine has ended.
class spawned_coroutine final : public attachment, public coroutine {
 public:
  static void start(slot& c, task<> what);
  static spawned_coroutine& of(coroutine& which) noexcept {
    return static_cast<spawned_coroutine&>(which);
  }

  static void* operator new(std::size_t size) { return take_frame(size); }
  static void operator delete(void* self, std::size_t size) noexcept { give_frame(self, size); }

  /// While somebody resumes it, nobody else destroys it.
  void hold() noexcept { held_ = true; }
  void let_go() noexcept;

 private:
  explicit spawned_coroutine(slot& c) noexcept;
  void connection_ended() override;
  void on_writable() override;
  void on_flushed() override;

  bool held_ = false;
};

}  // namespace dwell::inline v0
