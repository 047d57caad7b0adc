#include "net/descriptor_table.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sched.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

namespace dwell::inline v0 {
namespace {

constexpr const char* where_descriptors_are = "/proc/thread-self/fd";

thread_local table_number current = 0;
std::atomic<table_number> made{0};

[[noreturn]] void fail(int error, const char* what) {
  throw std::system_error{error, std::generic_category(), what};
}

/// Every descriptor of the calling thread's table.
std::vector<int> open_descriptors() {
  struct closes {
    void operator()(DIR* folder) const noexcept { ::closedir(folder); }
  };
  const std::unique_ptr<DIR, closes> folder{::opendir(where_descriptors_are)};
  if (folder == nullptr) fail(errno, where_descriptors_are);
  const int itself = ::dirfd(folder.get());
  std::vector<int> all;
  while (const dirent* const each = ::readdir(folder.get())) {
    if (each->d_name[0] == '.') continue;
    const int descriptor = std::atoi(each->d_name);
    if (descriptor != itself) all.push_back(descriptor);
  }
  return all;
}

bool is_stream_socket(int descriptor) noexcept {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type != SOCK_DGRAM;
}

/// As long as it is open anywhere, somebody waits for its end.
bool has_peer(int descriptor) noexcept {
  struct stat facts {};
  if (::fstat(descriptor, &facts) != 0) return false;
  return S_ISFIFO(facts.st_mode) || (S_ISSOCK(facts.st_mode) && is_stream_socket(descriptor));
}

bool contains(std::span<const int> all, int one) noexcept {
  return std::ranges::find(all, one) != all.end();
}

void drop_what_is_not_ours(std::span<const int> own, std::span<const int> foreign) {
  std::vector<int> with_peer;
  for (const int each : open_descriptors()) {
    if (contains(foreign, each)) {
      ::close(each);
    } else if (each > STDERR_FILENO && !contains(own, each) && has_peer(each)) {
      with_peer.push_back(each);
    }
  }
  if (with_peer.empty()) return;
  const int nothing = ::open("/", O_PATH | O_CLOEXEC);
  if (nothing < 0) fail(errno, "open /");
  for (const int each : with_peer) ::dup3(nothing, each, O_CLOEXEC);
  ::close(nothing);
}

}  // namespace

table_number current_table() noexcept { return current; }
table_number tables_made() noexcept { return made.load(); }
void set_current_table(table_number which) noexcept { current = which; }

void require_own_tables() {
  int error = 0;
  bool listed = true;
  std::thread tries{[&] {
    if (::unshare(CLONE_FILES) != 0) error = errno;
    listed = ::access(where_descriptors_are, R_OK | X_OK) == 0;
  }};
  tries.join();
  constexpr const char* option = "tables = per_loop";
  if (error != 0) {
    fail(error,
         (std::string{option} + ": unshare(CLONE_FILES), which this process may not call").c_str());
  }
  if (!listed) {
    fail(ENOENT,
         (std::string{option} + " needs " + where_descriptors_are + "; mount /proc").c_str());
  }
}

void make_own_table(std::span<const int> own, std::span<const int> foreign) {
  if (::unshare(CLONE_FILES) != 0) fail(errno, "unshare(CLONE_FILES)");
  current = made.fetch_add(1) + 1;
  drop_what_is_not_ours(own, foreign);
}

}  // namespace dwell::inline v0
