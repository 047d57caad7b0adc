#include <dwell/connection/file.hpp>

#include "net/descriptor_table.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace dwell::inline v0 {

file::file(int descriptor) noexcept
    : descriptor_{descriptor}, opened_in_{current_table()}, tables_before_{tables_made()} {}

file::file(const std::string& path)
    : file{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)} {
  if (descriptor_ < 0) throw std::system_error{errno, std::generic_category(), path};
  struct stat facts {};
  if (::fstat(descriptor_, &facts) == 0 && S_ISREG(facts.st_mode)) return;
  throw std::system_error{EINVAL, std::generic_category(), path + " is not a regular file"};
}

file::~file() {
  if (const int here = descriptor(); here >= 0) ::close(here);
}

int file::descriptor() const noexcept {
  const table_number here = current_table();
  const bool has_it = here == opened_in_ || (opened_in_ == 0 && here > tables_before_);
  return has_it ? descriptor_ : -1;
}

std::uint64_t file::size() const noexcept {
  struct stat facts {};
  return ::fstat(descriptor(), &facts) == 0 ? static_cast<std::uint64_t>(facts.st_size) : 0;
}

std::ptrdiff_t file::read(std::uint64_t offset, std::span<std::byte> into) const noexcept {
  const int from = descriptor();
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t count =
        ::pread(from, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
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
