#pragma once

#include <dwell/http/request.hpp>
#include <dwell/http/response.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace dwell::http {

/// How files are answered with.
struct files_options {
  /// Name of the file that stands for its directory. Empty: none does, and a directory is 404.
  std::string index = "index.html";
  /// Cache-Control of answers with a file, and of their 304. Empty: none, and caches decide by
  /// Last-Modified (RFC 9111, 4.2.2).
  std::string cache_control{};
  /// Content-Type by extension, in small letters and without its dot ("geojson"): before the table
  /// that is built in, and application/octet-stream where that knows nothing.
  std::map<std::string, std::string, std::less<>> types{};
  /// Serves names that begin with a dot. Off, since .git and .env get deployed by mistake; what is
  /// below .well-known always is served (RFC 8615).
  bool dotfiles = false;
  /// Files open at once, for answers on their way; 503 beyond. 4,096: a fifth of 20,000
  /// descriptors, the rest are connections. At least 1.
  std::uint32_t open = 4'096;
};

/// What is below a directory, as the handler of a route whose pattern ends in `*path`:
///
///     routes.get("/static/*path", http::files{"/var/www"});
///
/// GET and HEAD; strong ETag (inode, size, time of change in nanoseconds) and Last-Modified;
/// If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since and If-Range in the order of RFC
/// 9110, 13.2.2; a Range of one part gets 206, one that begins past the end 416, and several parts
/// the whole file. A directory without its slash gets 301, with it the index.
///
/// Nothing outside of the directory is opened, whatever the path or a symbolic link says
/// (openat2(2) with RESOLVE_BENEATH; before Linux 5.6, or where seccomp forbids that, no symbolic
/// link is followed). Dot segments, empty segments, and slashes sent as %2F are 404, as is all that
/// is not a regular file; 403 where permission is missing. What a client gets is the file as it is
/// when it is opened: replace files by rename(2). One that becomes shorter while it is sent ends
/// its connection by abort.
///
/// Copies share the directory, which stays open: renaming it does not matter. Call it from any
/// loop; a handler of your own may call it, and change the answer. A file that is not in the page
/// cache is read while its loop waits.
class files {
 public:
  /// Throws std::system_error, naming the directory, when that cannot be opened, and
  /// std::invalid_argument, naming the option, when one is out of bounds.
  explicit files(const std::string& directory, files_options options = {});

  response operator()(const request& what) const;

 private:
  struct site;
  std::shared_ptr<const site> site_;
};

}  // namespace dwell::http
