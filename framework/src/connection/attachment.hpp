#pragma once

namespace dwell::inline v0 {

struct slot;

/// Something that lives no longer than a connection's slot, in a list of it: an after() timer, a
/// spawned coroutine. Owned by the list.
class attachment {
 public:
  attachment(const attachment&) = delete;
  attachment& operator=(const attachment&) = delete;
  /// Leaves the list.
  virtual ~attachment();

  attachment* next() const noexcept { return next_; }
  /// The descriptor is released. May destroy itself; so may the other two.
  virtual void connection_ended() = 0;
  virtual void on_writable() {}
  virtual void on_flushed() {}

 protected:
  explicit attachment(slot& c) noexcept;
  slot& attached_to() const noexcept { return *peer_; }

 private:
  slot* peer_;
  attachment* next_;
  attachment** link_;
};

}  // namespace dwell::inline v0
