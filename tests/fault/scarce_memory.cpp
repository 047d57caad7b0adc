#include "scarce_memory.hpp"

#include <openssl/crypto.h>

#include <cstddef>
#include <cstdlib>
#include <limits>
#include <new>
#include <stdexcept>
#include <utility>

namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

// One thread, and plain numbers: they are used before and after everything else.
bool servers = false;
std::int64_t first_refused = never;
std::int64_t last_refused = never;
std::int64_t asked_so_far = 0;
std::int64_t refused_so_far = 0;
std::int64_t live_blocks = 0;

[[gnu::noinline]] bool is_refused() {
  if (!servers) return false;
  const std::int64_t number = ++asked_so_far;
  if (number < first_refused || number > last_refused) return false;
  ++refused_so_far;
  return true;
}

void* take(std::size_t size) noexcept {
  if (is_refused()) return nullptr;
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory != nullptr) ++live_blocks;
  return memory;
}

void* take_aligned(std::size_t size, std::align_val_t alignment) noexcept {
  if (is_refused()) return nullptr;
  const auto step = static_cast<std::size_t>(alignment);
  void* const memory = std::aligned_alloc(step, (size + step - 1) / step * step);
  if (memory != nullptr) ++live_blocks;
  return memory;
}

void give(void* memory) noexcept {
  if (memory == nullptr) return;
  --live_blocks;
  std::free(memory);
}

void* take_openssl(std::size_t size, const char* /*file*/, int /*line*/) {
  return is_refused() ? nullptr : std::malloc(size);
}
void* retake_openssl(void* old, std::size_t size, const char* /*file*/, int /*line*/) {
  return is_refused() ? nullptr : std::realloc(old, size);
}
void give_openssl(void* memory, const char* /*file*/, int /*line*/) { std::free(memory); }

}  // namespace

namespace scarce_memory {

void rule_openssl() {
  if (CRYPTO_set_mem_functions(take_openssl, retake_openssl, give_openssl) != 1) {
    throw std::logic_error{"OpenSSL has allocated already"};
  }
}

void refuse(std::int64_t first, std::int64_t count) {
  asked_so_far = refused_so_far = 0;
  first_refused = first;
  last_refused = first > never - count ? never : first + count - 1;
}
void refuse_nothing() { first_refused = last_refused = never; }
std::int64_t refused() { return refused_so_far; }
std::int64_t asked() { return asked_so_far; }
std::int64_t live() { return live_blocks; }

whose::whose(bool server) noexcept : before_{std::exchange(servers, server)} {}
whose::~whose() { servers = before_; }

}  // namespace scarce_memory

// These belong together: a sanitizer's own would find each other's memory foreign. Inlined, GCC
// takes what is below them for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (void* const memory = take(size)) return memory;
  throw std::bad_alloc{};
}
[[gnu::noinline]] void* operator new[](std::size_t size) { return operator new(size); }
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return take(size);
}
[[gnu::noinline]] void* operator new[](std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return take(size);
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  if (void* const memory = take_aligned(size, alignment)) return memory;
  throw std::bad_alloc{};
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { give(memory); }
[[gnu::noinline]] void operator delete[](void* memory) noexcept { give(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*size*/) noexcept {
  give(memory);
}
[[gnu::noinline]] void operator delete[](void* memory, std::size_t /*size*/) noexcept {
  give(memory);
}
[[gnu::noinline]] void operator delete(void* memory, const std::nothrow_t& /*tag*/) noexcept {
  give(memory);
}
[[gnu::noinline]] void operator delete[](void* memory, const std::nothrow_t& /*tag*/) noexcept {
  give(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept {
  give(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*size*/,
                                       std::align_val_t /*alignment*/) noexcept {
  give(memory);
}
