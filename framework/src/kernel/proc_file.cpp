#include "kernel/proc_file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace dwell::inline v0 {
namespace {

[[noreturn]] void fail(const std::string& path) {
  const int error = errno;
  std::string text = "reading " + path;
  if (error == ENOENT) text += ": is /proc mounted, and does this kernel have TCP?";
  throw std::system_error{error, std::generic_category(), text};
}

}  // namespace

proc_file::proc_file(std::string path)
    : path_{std::move(path)}, descriptor_{::open(path_.c_str(), O_RDONLY | O_CLOEXEC)} {
  if (descriptor_ < 0) fail(path_);
  text_.resize(8192);
}

proc_file::proc_file(proc_file&& other) noexcept
    : path_{std::move(other.path_)},
      descriptor_{std::exchange(other.descriptor_, -1)},
      text_{std::move(other.text_)} {}

proc_file::~proc_file() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::string_view proc_file::read() {
  std::size_t size = 0;
  while (true) {
    if (size == text_.size()) text_.resize(2 * size);
    const ssize_t count =
        ::pread(descriptor_, text_.data() + size, text_.size() - size, static_cast<off_t>(size));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(path_);
    if (count == 0) return std::string_view{text_}.substr(0, size);
    size += static_cast<std::size_t>(count);
  }
}

}  // namespace dwell::inline v0
