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

  /// While somebody resumes it, nobody else destroys it; then it goes if it has ended, also with an
  /// exception.
  class holder {
   public:
    explicit holder(spawned_coroutine& which) noexcept : which_{which} { which.held_ = true; }
    holder(const holder&) = delete;
    holder& operator=(const holder&) = delete;
    ~holder() { which_.let_go(); }

   private:
    spawned_coroutine& which_;
  };

 private:
  void let_go() noexcept;
  explicit spawned_coroutine(slot& c) noexcept;
  void connection_ended() override;
  void on_writable() override;
  void on_flushed() override;

  bool held_ = false;
};

}  // namespace dwell::inline v0
