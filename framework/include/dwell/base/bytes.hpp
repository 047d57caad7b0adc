#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>

namespace dwell::inline v0 {

/// A view of bytes that somebody else owns. Made from and read as std::string_view or
/// std::span<const std::byte>. Tests false only when it stands for "no more bytes will come";
/// an empty message tests true. Who owns the bytes, and for how long, is said where one is handed
/// out.
class bytes {
 public:
  constexpr bytes() noexcept = default;
  constexpr bytes(const std::byte* data, std::size_t size) noexcept : data_{data}, size_{size} {}
  constexpr bytes(std::span<const std::byte> span) noexcept : bytes{span.data(), span.size()} {}
  bytes(std::string_view text) noexcept
      : bytes{reinterpret_cast<const std::byte*>(text.data()), text.size()} {}
  bytes(const char* text) noexcept : bytes{std::string_view{text}} {}
  template <class Text>
  requires std::convertible_to<const Text&, std::string_view> &&
      (!std::convertible_to<const Text&, const char*>)bytes(const Text& text) noexcept
      : bytes{std::string_view{text}} {}

  constexpr const std::byte* data() const noexcept { return data_; }
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr bool empty() const noexcept { return size_ == 0; }
  constexpr const std::byte* begin() const noexcept { return data_; }
  constexpr const std::byte* end() const noexcept { return data_ + size_; }

  constexpr explicit operator bool() const noexcept { return data_ != nullptr; }
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }

  constexpr bytes first(std::size_t count) const noexcept { return {data_, count}; }
  constexpr bytes subview(std::size_t offset) const noexcept {
    return {data_ + offset, size_ - offset};
  }

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace dwell::inline v0

template <>
inline constexpr bool std::ranges::enable_borrowed_range<dwell::bytes> = true;
