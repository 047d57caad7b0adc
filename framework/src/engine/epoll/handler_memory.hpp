#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

namespace dwell::inline v0 {

/// Room for the one handler of one repeated Asio operation, so that starting it again allocates
/// nothing.
/// Shared with the handler: an io_context may destroy a pending one after the engine has gone.
class handler_memory {
 public:
  void* take(std::size_t size) {
    if (taken_ || size > storage_.size()) return ::operator new(size);
    taken_ = true;
    return storage_.data();
  }
  void give(void* pointer) noexcept {
    if (pointer == storage_.data()) {
      taken_ = false;
    } else {
      ::operator delete(pointer);
    }
  }

 private:
  alignas(std::max_align_t) std::array<std::byte, 256> storage_;
  bool taken_ = false;
};

template <class T>
class handler_allocator {
 public:
  using value_type = T;
  explicit handler_allocator(handler_memory& memory) noexcept : memory_{&memory} {}
  template <class U>
  handler_allocator(const handler_allocator<U>& other) noexcept : memory_{other.memory_} {}
  T* allocate(std::size_t count) { return static_cast<T*>(memory_->take(sizeof(T) * count)); }
  void deallocate(T* pointer, std::size_t) noexcept { memory_->give(pointer); }
  friend bool operator==(const handler_allocator&, const handler_allocator&) = default;

 private:
  template <class U>
  friend class handler_allocator;
  handler_memory* memory_;
};

/// Gives `Call` the associated allocator that Asio looks for.
template <class Call>
class with_memory {
 public:
  using allocator_type = handler_allocator<Call>;
  with_memory(std::shared_ptr<handler_memory> memory, Call call)
      : memory_{std::move(memory)}, call_{std::move(call)} {}
  allocator_type get_allocator() const noexcept { return allocator_type{*memory_}; }
  template <class... Args>
  void operator()(Args&&... args) {
    call_(std::forward<Args>(args)...);
  }

 private:
  std::shared_ptr<handler_memory> memory_;
  Call call_;
};

}  // namespace dwell::inline v0
