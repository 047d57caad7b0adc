#include <dwell/connection/connection.hpp>
#include <dwell/http/files.hpp>

#include "http/byte_range.hpp"
#include "http/conditions.hpp"
#include "http/date.hpp"
#include "http/document_root.hpp"
#include "http/mime_types.hpp"
#include "http/percent.hpp"
#include "http/response_writer.hpp"
#include "http/text.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>

namespace dwell::http {
namespace {

/// Up to this size a file leaves in one send with its head: sendfile(2) costs more than the copy.
constexpr std::uint64_t worth_no_copy = 4 * 1024;

/// Whether a slash at the end of `path`, as it was sent, came as an encoding: within what decodes
/// to so many characters.
bool hides_slash(std::string_view path, std::size_t decoded) noexcept {
  for (; decoded > 0 && !path.empty(); --decoded) {
    const std::size_t size = path.size();
    const bool encoded = size >= 3 && path[size - 3] == '%';
    if (encoded && hex_value(path[size - 2]) * 16 + hex_value(path[size - 1]) == '/') return true;
    path.remove_suffix(encoded ? 3 : 1);
  }
  return false;
}

bool has_dotfile(std::string_view path) noexcept {
  constexpr std::string_view well_known = ".well-known";
  while (!path.empty()) {
    const auto slash = std::min(path.find('/'), path.size());
    const auto segment = path.substr(0, slash);
    if (segment.starts_with('.') && segment != well_known) return true;
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return false;
}

response answer_to_error(int error) {
  switch (error) {
    case EACCES:
    case EPERM: return plain_answer(status::forbidden);
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN: {
      response busy = plain_answer(status::service_unavailable, "too many files are open");
      busy.headers.push_back({"Retry-After", "1"});
      return busy;
    }
    default: return plain_answer(status::not_found);
  }
}

void append_number(std::string& to, std::uint64_t value, int base = 10) {
  std::array<char, 20> text;
  to.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), value, base).ptr);
}

/// Another file of that name has another inode, a changed one another time of change: also where
/// size and the second are the same.
std::string etag_of(const struct stat& facts) {
  constexpr std::uint64_t nanoseconds = 1'000'000'000;
  constexpr int hexadecimal = 16;
  std::string made = "\"";
  append_number(made, facts.st_ino, hexadecimal);
  made += '-';
  append_number(made, static_cast<std::uint64_t>(facts.st_size), hexadecimal);
  made += '-';
  append_number(made,
                static_cast<std::uint64_t>(facts.st_mtim.tv_sec) * nanoseconds +
                    static_cast<std::uint64_t>(facts.st_mtim.tv_nsec),
                hexadecimal);
  made += '"';
  return made;
}

std::string content_range(const byte_range& part, std::uint64_t length) {
  std::string made = "bytes ";
  if (part.what == byte_range::kind::unsatisfiable) {
    made += '*';
  } else {
    append_number(made, part.first);
    made += '-';
    append_number(made, part.first + part.size - 1);
  }
  made += '/';
  append_number(made, length);
  return made;
}

response redirect_to_directory(const request& what) {
  std::string there{what.path()};
  there += '/';
  if (!what.query().empty()) there.append("?").append(what.query());
  response made = plain_answer(status::moved_permanently);
  made.headers.push_back({"Location", std::move(there)});
  return made;
}

using file_count = std::atomic<std::uint32_t>;

/// Makes room for another when it is closed.
class counted_file : public file {
 public:
  explicit counted_file(std::shared_ptr<file_count> among) noexcept
      : file{-1}, among_{std::move(among)} {
    among_->fetch_add(1, std::memory_order_relaxed);
  }
  counted_file(const counted_file&) = delete;
  counted_file& operator=(const counted_file&) = delete;
  ~counted_file() { among_->fetch_sub(1, std::memory_order_relaxed); }

  void take(int descriptor) noexcept { descriptor_ = descriptor; }

 private:
  std::shared_ptr<file_count> among_;
};

/// A small file leaves with the head of its answer. False: it cannot be read.
bool send_whole(const file& from, std::uint64_t offset, std::uint64_t size, std::string& body) {
  body.resize(size);
  return from.read(offset, std::as_writable_bytes(std::span{body})) ==
         static_cast<std::ptrdiff_t>(size);
}

}  // namespace

struct files::site {
  site(const std::string& directory, files_options chosen)
      : root{directory}, options{std::move(chosen)} {
    if (options.open == 0) throw std::invalid_argument{"http::files_options.open: use at least 1"};
  }

  /// What the request names, relative to the root; nullopt: nothing that is served.
  std::optional<std::string> path_of(const request& what) const;
  response answer(const request& what) const;
  response answer_with(const request& what, const std::string& path,
                       std::shared_ptr<const file> from, const struct stat& facts) const;
  std::string type_of(std::string_view path) const;

  document_root root;
  files_options options;
  std::shared_ptr<file_count> open = std::make_shared<file_count>(0);
};

std::optional<std::string> files::site::path_of(const request& what) const {
  const std::string_view rest = what.param("path");
  if (rest.data() == nullptr) {
    throw std::logic_error{"http::files is for a route whose pattern ends in *path"};
  }
  if (hides_slash(what.path(), rest.size()) || !is_plain_path(rest)) return std::nullopt;
  if (!options.dotfiles && has_dotfile(rest)) return std::nullopt;
  std::string path{rest};
  if (!path.empty() && !path.ends_with('/')) return path;
  if (options.index.empty()) return std::nullopt;
  return path += options.index;
}

response files::site::answer(const request& what) const {
  const auto path = path_of(what);
  if (!path) return plain_answer(status::not_found);
  if (open->load(std::memory_order_relaxed) >= options.open) return answer_to_error(EMFILE);
  auto from = std::make_shared<counted_file>(open);
  const document_root::opened found = root.open(*path);
  if (found.descriptor < 0) return answer_to_error(found.error);
  from->take(found.descriptor);
  if (!S_ISDIR(found.facts.st_mode)) return answer_with(what, *path, std::move(from), found.facts);
  const bool is_index = what.path().ends_with('/');
  // "//host/" would lead to another host.
  if (is_index || what.path().starts_with("//")) return plain_answer(status::not_found);
  return redirect_to_directory(what);
}

response files::site::answer_with(const request& what, const std::string& path,
                                  std::shared_ptr<const file> from,
                                  const struct stat& facts) const {
  const std::chrono::sys_seconds changed{std::chrono::seconds{facts.st_mtim.tv_sec}};
  const auto length = static_cast<std::uint64_t>(facts.st_size);
  const std::string etag = etag_of(facts);
  // Never later than Date (RFC 9110, 8.8.2.1).
  const auto last_modified = std::min(changed, what.peer().date());
  conditions asked{{.etag = etag, .last_modified = last_modified}};
  for (const field& each : what.headers()) asked.add(each.name, each.value);

  response made;
  made.headers.reserve(5);
  const conditions::verdict verdict = asked.judge();
  if (verdict == conditions::verdict::failed) return plain_answer(status::precondition_failed);
  made.headers.push_back({"ETag", etag});
  made.headers.push_back({"Last-Modified", std::string{http_date(last_modified)}});
  if (!options.cache_control.empty()) {
    made.headers.push_back({"Cache-Control", options.cache_control});
  }
  if (verdict == conditions::verdict::not_modified) {
    made.status = status::not_modified;
    return made;
  }
  made.headers.push_back({"Accept-Ranges", "bytes"});
  byte_range part{.size = length};
  if (const auto range = asked.range(); range && what.method() == method::get) {
    part = read_range(*range, length);
    if (part.what == byte_range::kind::whole) part.size = length;
  }
  if (part.what != byte_range::kind::whole) {
    made.headers.push_back({"Content-Range", content_range(part, length)});
    made.status = status::partial_content;
  }
  if (part.what == byte_range::kind::unsatisfiable) {
    response none = plain_answer(status::range_not_satisfiable);
    none.headers = std::move(made.headers);
    return none;
  }
  made.content_type = type_of(path);
  if (part.size > worth_no_copy || what.method() == method::head) {
    made.file = {.of = std::move(from), .offset = part.first, .size = part.size};
  } else if (!send_whole(*from, part.first, part.size, made.body)) {
    return plain_answer(status::internal_server_error);
  }
  return made;
}

std::string files::site::type_of(std::string_view path) const {
  std::string extension{extension_of(path)};
  std::ranges::transform(extension, extension.begin(), to_lower);
  const auto own = options.types.find(extension);
  return own == options.types.end() ? std::string{mime_type_of(path)} : own->second;
}

files::files(const std::string& directory, files_options options)
    : site_{std::make_shared<site>(directory, std::move(options))} {}

response files::operator()(const request& what) const { return site_->answer(what); }

}  // namespace dwell::http
