#pragma once

#include <cstdint>

/// Memory that runs out on purpose. This program's operator new, and OpenSSL's allocator, count
/// what the server under test asks for, and refuse what a test names.
namespace scarce_memory {

/// Has to be called before anything of OpenSSL is.
void rule_openssl();

/// From the `first` allocation of the server on, `count` are refused; the first is 1.
void refuse(std::int64_t first, std::int64_t count);
/// From now on nothing is refused.
void refuse_nothing();
/// How many have been refused, and asked for, since refuse().
std::int64_t refused();
std::int64_t asked();
/// Blocks of operator new that are in use.
std::int64_t live();

/// While it lives, allocations are the server's, or not. Nests.
class whose {
 public:
  explicit whose(bool server) noexcept;
  ~whose();
  whose(const whose&) = delete;
  whose& operator=(const whose&) = delete;

 private:
  bool before_;
};

}  // namespace scarce_memory
