#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace dwell::inline v0 {

/// A regular file, open for reading, until the object goes. Any thread may use it; where loops have
/// descriptor tables of their own (server_options::tables), any thread if it was opened before the
/// server ran, else those of the loop that opened it. Elsewhere it cannot be read, and is not
/// closed.
class file {
 public:
  /// Throws std::system_error, naming the path, also when it is not a regular file. Does not wait
  /// for a FIFO's other end.
  explicit file(const std::string& path);
  /// Takes over an open descriptor of a regular file.
  explicit file(int descriptor) noexcept;
  file(const file&) = delete;
  file& operator=(const file&) = delete;
  ~file();

  /// -1 on a thread that may not use it.
  int descriptor() const noexcept;
  /// Bytes it has right now.
  std::uint64_t size() const noexcept;
  /// pread(2) until `into` is full or the file ends: how many bytes that were, -1 when it cannot be
  /// read.
  std::ptrdiff_t read(std::uint64_t offset, std::span<std::byte> into) const noexcept;

 protected:
  int descriptor_;

 private:
  std::uint32_t opened_in_;      // which descriptor table
  std::uint32_t tables_before_;  // those made later have a copy, if it is the process's
};

/// Bytes of a file that are to be sent. Copies share it.
struct file_part {
  /// Null: nothing.
  std::shared_ptr<const file> of{};
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

/// All of a regular file, as long as it is now. Throws as file() does.
file_part whole_file(const std::string& path);

}  // namespace dwell::inline v0
