#pragma once

#include <string>
#include <string_view>
#include <sys/stat.h>

namespace dwell::http {

/// A directory that stays open; what is below it is opened, and nothing else.
class document_root {
 public:
  enum class resolver : unsigned char {
    kernel,      ///< openat2(2): a symbolic link may lead to what is below the directory
    components,  ///< a directory at a time, no symbolic link is followed
  };
  struct opened {
    int descriptor = -1;
    int error = 0;  ///< errno value, when the descriptor is -1
    struct stat facts {};
  };

  /// The resolver that works here. Throws std::system_error, naming the directory.
  explicit document_root(const std::string& directory);
  document_root(const std::string& directory, resolver how);
  document_root(const document_root&) = delete;
  document_root& operator=(const document_root&) = delete;
  ~document_root();

  /// Regular file or directory, for reading; anything else is ENOENT. `path` is relative; a slash
  /// at its end means a directory.
  opened open(const std::string& path) const noexcept;
  resolver how() const noexcept { return how_; }

 private:
  int open_beneath(const char* path) const noexcept;
  int open_components(std::string_view path) const noexcept;

  int directory_;
  resolver how_ = resolver::kernel;
};

/// Whether a path names a file without tricks: no empty segment (but a slash at its end), none that
/// is "." or "..", no NUL.
bool is_plain_path(std::string_view path) noexcept;

}  // namespace dwell::http
