#pragma once

#include <string>
#include <string_view>

namespace dwell::inline v0 {

/// A file of /proc that is read again and again, through one descriptor.
class proc_file {
 public:
  /// Throws std::system_error that names the file.
  explicit proc_file(std::string path);
  proc_file(proc_file&& other) noexcept;
  proc_file& operator=(proc_file&&) = delete;
  ~proc_file();

  /// What it says now. Valid until the next read.
  std::string_view read();

 private:
  std::string path_;
  int descriptor_;
  std::string text_;
};

}  // namespace dwell::inline v0
