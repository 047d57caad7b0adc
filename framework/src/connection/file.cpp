#include <dwell/connection/file.hpp>

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace dwell::inline v0 {

file::file(const std::string& path)
    : descriptor_{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)} {
  if (descriptor_ < 0) throw std::system_error{errno, std::generic_category(), path};
  struct stat facts {};
  if (::fstat(descriptor_, &facts) == 0 && S_ISREG(facts.st_mode)) return;
  ::close(descriptor_);
  throw std::system_error{EINVAL, std::generic_category(), path + " is not a regular file"};
}

file::~file() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::uint64_t file::size() const noexcept {
  struct stat facts {};
  return ::fstat(descriptor_, &facts) == 0 ? static_cast<std::uint64_t>(facts.st_size) : 0;
}

std::ptrdiff_t file::read(std::uint64_t offset, std::span<std::byte> into) const noexcept {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t count = ::pread(descriptor_, into.data() + done, into.size() - done,
                                  static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -1;
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return static_cast<std::ptrdiff_t>(done);
}

file_part whole_file(const std::string& path) {
  auto opened = std::make_shared<const file>(path);
  const std::uint64_t size = opened->size();
  return {.of = std::move(opened), .size = size};
}

}  // namespace dwell::inline v0
