#include "net/descriptor_table.hpp"

#include "net/raw_calls.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
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

int open_raw(const char* path, int flags) {
  const auto opened = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags));
  if (opened < 0) fail(errno, path);
  return opened;
}

/// Every descriptor of the calling thread's table; past glibc, as net/raw_calls.hpp says.
std::vector<int> open_descriptors() {
  const int folder = open_raw(where_descriptors_are, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  std::vector<int> all;
  alignas(dirent64) std::array<char, 4096> room{};
  long size = 0;
  while ((size = ::syscall(SYS_getdents64, folder, room.data(), room.size())) > 0) {
    for (long at = 0; at < size;) {
      const auto* const each = reinterpret_cast<const dirent64*>(room.data() + at);
      at += each->d_reclen;
      if (each->d_name[0] != '.') all.push_back(std::atoi(each->d_name));
    }
  }
  raw_close(folder);
  std::erase(all, folder);
  return all;
}

bool is_stream_socket(int descriptor) noexcept {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type != SOCK_DGRAM;
}

/// As long as it is open anywhere, somebody waits for its end.
bool has_peer(int descriptor) noexcept {
  struct statx facts {};
  if (::statx(descriptor, "", AT_EMPTY_PATH, STATX_TYPE, &facts) != 0) return false;
  return S_ISFIFO(facts.stx_mode) || (S_ISSOCK(facts.stx_mode) && is_stream_socket(descriptor));
}

bool contains(std::span<const int> all, int one) noexcept {
  return std::ranges::find(all, one) != all.end();
}

void drop_what_is_not_ours(std::span<const int> own, std::span<const int> foreign) {
  std::vector<int> with_peer;
  for (const int each : open_descriptors()) {
    if (contains(foreign, each)) {
      raw_close(each);
    } else if (each > STDERR_FILENO && !contains(own, each) && has_peer(each)) {
      with_peer.push_back(each);
    }
  }
  if (with_peer.empty()) return;
  const int nothing = open_raw("/", O_PATH | O_CLOEXEC);
  for (const int each : with_peer) ::syscall(SYS_dup3, nothing, each, O_CLOEXEC);
  raw_close(nothing);
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
