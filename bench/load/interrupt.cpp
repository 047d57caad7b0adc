#include "interrupt.hpp"

#include "clock.hpp"

#include <atomic>
#include <csignal>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace load {
namespace {

std::atomic<int> wake{-1};  // readable once interrupted
std::atomic<bool> asked{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

void on_signal(int) {
  asked = true;
  const std::uint64_t one = 1;
  if (::write(wake, &one, sizeof one) < 0) return;  // then it was readable already
}

}  // namespace

void catch_interrupt() {
  if (wake >= 0) return;
  wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // no SA_RESTART: waits must return
  for (const int signal : {SIGINT, SIGTERM}) ::sigaction(signal, &action, nullptr);
}

void forget_interrupt() {
  const int before = wake.exchange(-1);
  if (before >= 0) ::close(before);
  asked = false;
  catch_interrupt();
}

bool interrupted() noexcept { return asked; }

bool sleep_until(nanoseconds when) noexcept {
  while (!interrupted()) {
    const nanoseconds left = when - now();
    if (left.count() <= 0) return true;
    const timespec timeout{left.count() / 1'000'000'000, left.count() % 1'000'000'000};
    pollfd asked_for{wake, POLLIN, 0};
    ::ppoll(&asked_for, wake < 0 ? 0 : 1, &timeout, nullptr);
  }
  return false;
}

}  // namespace load
