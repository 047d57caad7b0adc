#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace dwell::inline v0 {

template <class Signature>
class unique_function;

/// A callable that can be moved but not copied, so that it may own what it works on (C++23's
/// std::move_only_function in small). Allocates once, when it is made.
template <class R, class... Args>
class unique_function<R(Args...)> {
 public:
  unique_function() noexcept = default;
  template <class F>
  requires(!std::same_as<std::remove_cvref_t<F>, unique_function> &&
           std::is_invocable_r_v<R, std::decay_t<F>&, Args...>) unique_function(F&& f)
      : target_{std::make_unique<holder<std::decay_t<F>>>(std::forward<F>(f))} {}

  R operator()(Args... args) { return target_->call(std::forward<Args>(args)...); }
  explicit operator bool() const noexcept { return target_ != nullptr; }

 private:
  struct callable {
    virtual ~callable() = default;
    virtual R call(Args... args) = 0;
  };
  template <class F>
  struct holder final : callable {
    template <class G>
    explicit holder(G&& g) : f{std::forward<G>(g)} {}
    R call(Args... args) override { return std::invoke(f, std::forward<Args>(args)...); }
    F f;
  };
  std::unique_ptr<callable> target_;
};

}  // namespace dwell::inline v0
