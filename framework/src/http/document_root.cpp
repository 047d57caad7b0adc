#include "http/document_root.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace dwell::http {
namespace {

/// O_NONBLOCK: a FIFO without a writer must not hold up the loop.
constexpr int for_reading = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
/// openat2(2) asks to try again when something was renamed or mounted meanwhile.
constexpr int tries = 16;

int open_directory(const std::string& directory) {
  const int opened = ::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) throw std::system_error{errno, std::generic_category(), directory};
  return opened;
}

}  // namespace

document_root::document_root(const std::string& directory) : directory_{open_directory(directory)} {
  const int probe = open_beneath(".");
  if (probe >= 0) ::close(probe);
  const bool missing = errno == ENOSYS || errno == EPERM || errno == EINVAL;
  if (probe < 0 && missing) how_ = resolver::components;
}

document_root::document_root(const std::string& directory, resolver how)
    : directory_{open_directory(directory)}, how_{how} {}

document_root::~document_root() { ::close(directory_); }

int document_root::open_beneath(const char* path) const noexcept {
  open_how how{};
  how.flags = for_reading;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  long descriptor = -1;
  for (int i = 0; i < tries; ++i) {
    descriptor = ::syscall(SYS_openat2, directory_, path, &how, sizeof how);
    if (descriptor >= 0 || (errno != EAGAIN && errno != EINTR)) break;
  }
  return static_cast<int>(descriptor);
}

int document_root::open_components(std::string_view path) const noexcept {
  int at = directory_;
  while (at >= 0 && !path.empty()) {
    const auto slash = path.find('/');
    const bool is_directory = slash != path.npos;
    const std::string name{path.substr(0, slash)};
    path.remove_prefix(is_directory ? slash + 1 : path.size());
    int flags = for_reading | O_NOFOLLOW;
    if (is_directory) flags |= O_DIRECTORY;
    const int next = ::openat(at, name.c_str(), flags);
    const int error = errno;
    if (at != directory_) ::close(at);
    errno = error;
    at = next;
  }
  return at;
}

document_root::opened document_root::open(const std::string& path) const noexcept {
  opened made;
  if (!is_plain_path(path) || path.empty()) {
    made.error = ENOENT;
    return made;
  }
  made.descriptor = how_ == resolver::kernel ? open_beneath(path.c_str()) : open_components(path);
  if (made.descriptor < 0) {
    made.error = errno;
    return made;
  }
  const bool known = ::fstat(made.descriptor, &made.facts) == 0;
  if (known && (S_ISREG(made.facts.st_mode) || S_ISDIR(made.facts.st_mode))) return made;
  made.error = known ? ENOENT : errno;
  ::close(std::exchange(made.descriptor, -1));
  return made;
}

bool is_plain_path(std::string_view path) noexcept {
  if (path.find('\0') != path.npos) return false;
  while (!path.empty()) {
    const auto slash = std::min(path.find('/'), path.size());
    const auto segment = path.substr(0, slash);
    if (segment.empty() || segment == "." || segment == "..") return false;
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return true;
}

}  // namespace dwell::http
