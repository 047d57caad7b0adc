#pragma once

#include <dwell/connection/suspension.hpp>

#include <asio/associated_cancellation_slot.hpp>
#include <asio/async_result.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>

#include <concepts>
#include <coroutine>
#include <memory>
#include <optional>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

namespace dwell::inline v0 {

/// Where a handler's Asio objects live: the loop of `peer`. In simulation that is nowhere, and what
/// is awaited there ends at once with asio::error::operation_not_supported.
inline asio::io_context::executor_type executor(connection& peer) {
  if (asio::io_context* const host = suspension::asio_host(peer)) return host->get_executor();
  static asio::io_context nowhere;
  return nowhere.get_executor();
}

/// The same for the loop that runs: in a coroutine that belongs to no connection (client::spawn),
/// or in any callback.
inline asio::io_context::executor_type executor() {
  if (asio::io_context* const host = suspension::current_asio_host()) return host->get_executor();
  static asio::io_context nowhere;
  return nowhere.get_executor();
}

/// A completion token: awaits an Asio operation in a handler's coroutine, or in a task that it
/// awaits.
///
///     asio::steady_timer timer{dwell::executor(peer), 1s};
///     auto [error] = co_await timer.async_wait(dwell::use_task);
///     auto [failed, size] = co_await socket.async_read_some(asio::buffer(block), dwell::use_task);
///
/// The result is a tuple of what the operation reports, the error code first; what the operation
/// reports is never thrown. When the connection ends, the operation is cancelled through its
/// cancellation slot (asio::cancellation_type::terminal) and awaited; then its error is
/// asio::error::operation_aborted. Operations that begin after that are left alone. The I/O object
/// should be on executor(peer): its operations are then cancelled on the thread that runs them.
struct use_task_t {};
inline constexpr use_task_t use_task{};

/// The part of an awaited operation that knows its result but not how it was begun.
template <class... Results>
class asio_result : public suspension {
 public:
  using value = std::tuple<std::error_code, Results...>;

  /// What the operation and the awaiter share, because each may go first: a server that is
  /// destroyed takes suspended frames with it, while the reactor keeps the operation a little
  /// longer.
  struct link {
    explicit link(asio_result& by) : awaited_by{&by} { by.pending_ = this; }
    link(const link&) = delete;
    link& operator=(const link&) = delete;
    ~link() {
      if (awaited_by != nullptr) awaited_by->pending_ = nullptr;
    }
    asio::cancellation_signal cancellation;
    asio_result* awaited_by;
  };

  /// The completion handler.
  class completion {
   public:
    using executor_type = asio::io_context::executor_type;
    using cancellation_slot_type = asio::cancellation_slot;

    completion(asio_result& by, executor_type where)
        : link_{std::make_unique<link>(by)}, where_{where} {}
    executor_type get_executor() const noexcept { return where_; }
    cancellation_slot_type get_cancellation_slot() const noexcept {
      return link_->cancellation.slot();
    }
    void operator()(std::error_code error, Results... results) {
      asio_result* const by = std::exchange(link_->awaited_by, nullptr);
      if (by == nullptr) return;
      by->pending_ = nullptr;
      by->result_.emplace(error, std::move(results)...);
      by->resume_later();
    }

   private:
    std::unique_ptr<link> link_;
    executor_type where_;
  };

  bool await_ready() const noexcept { return false; }
  value await_resume() { return std::move(*result_); }

 protected:
  asio_result() noexcept = default;
  ~asio_result() override {
    if (pending_ == nullptr) return;
    link& pending = *pending_;
    pending.awaited_by = nullptr;
    pending.cancellation.emit(asio::cancellation_type::terminal);
  }

  void refuse() { result_.emplace(asio::error::operation_not_supported, blank<Results>()...); }

 private:
  void connection_ended() override {
    if (pending_ != nullptr) pending_->cancellation.emit(asio::cancellation_type::terminal);
  }

  /// An accepted socket has no default, but an executor is enough for it.
  template <class T>
  static T blank() {
    if constexpr (std::default_initializable<T>) {
      return T{};
    } else {
      static asio::io_context nowhere;
      return T{nowhere.get_executor()};
    }
  }

  std::optional<value> result_;
  link* pending_ = nullptr;
};

/// Awaited; see use_task. Begins the operation when it is awaited.
template <class Initiation, class Arguments, class... Results>
class [[nodiscard]] asio_operation final : public asio_result<Results...> {
 public:
  template <class... Given>
  explicit asio_operation(Initiation initiation, Given&&... arguments)
      : initiation_{std::move(initiation)}, arguments_{std::forward<Given>(arguments)...} {}

  template <std::derived_from<task_promise_base> Promise>
  bool await_suspend(std::coroutine_handle<Promise> sleeper) {
    this->suspend(sleeper);
    try {
      if (asio::io_context* const host = this->asio_host()) {
        begin(*host);
        return true;
      }
      this->refuse();
    } catch (...) {
      this->give_up();
      throw;
    }
    this->give_up();
    return false;
  }

 private:
  void begin(asio::io_context& host) {
    using completion_handler = typename asio_result<Results...>::completion;
    std::apply(
        [&](auto&... arguments) {
          std::move(initiation_)(completion_handler{*this, host.get_executor()},
                                 std::move(arguments)...);
        },
        arguments_);
  }

  Initiation initiation_;
  Arguments arguments_;
};

template <class... Signature>
inline constexpr bool reports_an_error_code = false;
template <class R, class... Results>
inline constexpr bool reports_an_error_code<R(std::error_code, Results...)> = true;

}  // namespace dwell::inline v0

template <class R, class... Results>
class asio::async_result<dwell::use_task_t, R(Results...)> {
  static_assert(dwell::reports_an_error_code<R(Results...)>,
                "dwell::use_task awaits operations that report a std::error_code first");
};

template <class R, class... Results>
class asio::async_result<dwell::use_task_t, R(std::error_code, Results...)> {
 public:
  template <class Initiation, class... Arguments>
  static auto initiate(Initiation&& initiation, dwell::use_task_t, Arguments&&... arguments) {
    return dwell::asio_operation<std::decay_t<Initiation>, std::tuple<std::decay_t<Arguments>...>,
                                 std::decay_t<Results>...>{std::forward<Initiation>(initiation),
                                                           std::forward<Arguments>(arguments)...};
  }
};
