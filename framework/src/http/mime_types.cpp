#include "http/mime_types.hpp"

#include "http/text.hpp"

#include <algorithm>
#include <array>

namespace dwell::http {
namespace {

struct mime_type {
  std::string_view extension;
  std::string_view type;
};

/// The IANA registry's names; text is UTF-8, as everywhere today.
constexpr std::array types{
    mime_type{"avif", "image/avif"},
    mime_type{"bmp", "image/bmp"},
    mime_type{"css", "text/css; charset=utf-8"},
    mime_type{"csv", "text/csv; charset=utf-8"},
    mime_type{"gif", "image/gif"},
    mime_type{"gz", "application/gzip"},
    mime_type{"htm", "text/html; charset=utf-8"},
    mime_type{"html", "text/html; charset=utf-8"},
    mime_type{"ico", "image/vnd.microsoft.icon"},
    mime_type{"jpeg", "image/jpeg"},
    mime_type{"jpg", "image/jpeg"},
    mime_type{"js", "text/javascript; charset=utf-8"},
    mime_type{"json", "application/json"},
    mime_type{"map", "application/json"},
    mime_type{"md", "text/markdown; charset=utf-8"},
    mime_type{"mjs", "text/javascript; charset=utf-8"},
    mime_type{"mp3", "audio/mpeg"},
    mime_type{"mp4", "video/mp4"},
    mime_type{"ogg", "audio/ogg"},
    mime_type{"otf", "font/otf"},
    mime_type{"pdf", "application/pdf"},
    mime_type{"png", "image/png"},
    mime_type{"svg", "image/svg+xml"},
    mime_type{"tar", "application/x-tar"},
    mime_type{"ttf", "font/ttf"},
    mime_type{"txt", "text/plain; charset=utf-8"},
    mime_type{"wasm", "application/wasm"},
    mime_type{"wav", "audio/wav"},
    mime_type{"webm", "video/webm"},
    mime_type{"webmanifest", "application/manifest+json"},
    mime_type{"webp", "image/webp"},
    mime_type{"woff", "font/woff"},
    mime_type{"woff2", "font/woff2"},
    mime_type{"xml", "application/xml"},
    mime_type{"zip", "application/zip"},
};

}  // namespace

std::string_view extension_of(std::string_view path) noexcept {
  const auto name = path.substr(path.rfind('/') + 1);
  const auto dot = name.rfind('.');
  return dot == name.npos ? std::string_view{} : name.substr(dot + 1);
}

std::string_view mime_type_of(std::string_view path) noexcept {
  const auto extension = extension_of(path);
  const auto* const found = std::ranges::find_if(types, [extension](const mime_type& each) {
    return equals_ignoring_case(extension, each.extension);
  });
  return found == types.end() ? "application/octet-stream" : found->type;
}

}  // namespace dwell::http
