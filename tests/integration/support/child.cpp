#include "support/child.hpp"

#include "support/eventually.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <poll.h>
#include <signal.h>
#include <stdexcept>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace dwell {
namespace {

constexpr int failed = 101;
constexpr int skipped = 102;

int run_guarded(const std::function<int()>& body) noexcept {
  try {
    const int code = body();
    return ::testing::Test::HasFailure() ? failed : code;
  } catch (const std::exception& unexpected) {
    std::fprintf(stderr, "in a child process: %s\n", unexpected.what());
  } catch (...) {
    std::fprintf(stderr, "in a child process: an unknown exception\n");
  }
  return failed;
}

std::string reason_to_skip() {
  const auto* result = ::testing::UnitTest::GetInstance()->current_test_info()->result();
  for (int i = 0; i < result->total_part_count(); ++i) {
    if (result->GetTestPartResult(i).skipped()) return result->GetTestPartResult(i).message();
  }
  return "skipped in a child process";
}

}  // namespace

child::child(const std::function<int(child&)>& body) {
  std::array<int, 2> pipe_ends{};
  if (::pipe(pipe_ends.data()) != 0) {
    throw std::system_error{errno, std::generic_category(), "pipe"};
  }
  std::fflush(nullptr);
  id_ = ::fork();
  if (id_ < 0) throw std::system_error{errno, std::generic_category(), "fork"};
  if (id_ == 0) {
    ::close(pipe_ends[0]);
    to_parent_ = pipe_ends[1];
    const int code = run_guarded([&] { return body(*this); });
    std::fflush(nullptr);
    ::_exit(code);
  }
  ::close(pipe_ends[1]);
  from_child_ = pipe_ends[0];
}

child::~child() {
  if (id_ > 0) {
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }
  if (from_child_ >= 0) ::close(from_child_);
}

void child::say(const std::string& text) const {
  const std::string line = text + '\n';
  if (::write(to_parent_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    throw std::runtime_error{"the parent does not listen"};
  }
}

std::string child::hear() {
  std::string line;
  pollfd watched{.fd = from_child_, .events = POLLIN, .revents = 0};
  const auto limit = std::chrono::milliseconds{patience};
  char next = 0;
  while (true) {
    if (::poll(&watched, 1, static_cast<int>(limit.count())) != 1) {
      throw std::runtime_error{"the child says nothing"};
    }
    if (::read(from_child_, &next, 1) != 1 || next == '\n') return line;
    line += next;
  }
}

child_result child::wait() {
  child_result result;
  std::array<char, 4096> buffer;
  for (ssize_t count = 0; (count = ::read(from_child_, buffer.data(), buffer.size())) > 0;) {
    result.said.append(buffer.data(), static_cast<std::size_t>(count));
  }
  int status = 0;
  ::waitpid(id_, &status, 0);
  id_ = -1;
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  return result;
}

void in_child(const std::function<void()>& part) {
  child process{[&](child& self) {
    part();
    if (!::testing::Test::IsSkipped()) return 0;
    self.say(reason_to_skip());
    return skipped;
  }};
  const child_result result = process.wait();
  if (result.exit_code == skipped) GTEST_SKIP() << result.said;
  if (result.exit_code != 0) {
    ADD_FAILURE() << "in a child process, see above (exit code " << result.exit_code << ", signal "
                  << result.signal << ")";
  }
}

}  // namespace dwell
