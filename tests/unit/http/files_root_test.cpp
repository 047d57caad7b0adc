#include "http/document_root.hpp"
#include "http/mime_types.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace dwell::http {
namespace {

namespace fs = std::filesystem;
using resolver = document_root::resolver;

constexpr std::array resolvers{resolver::kernel, resolver::components};

/// A folder that holds a root and, beside it, what must not be seen.
class files_root : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "dwell-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    all_ = name;
    root_ = all_ / "root";
    fs::create_directories(root_ / "a" / "b");
    fs::create_directories(all_ / "outside");
    std::ofstream{all_ / "secret"} << "secret";
    std::ofstream{all_ / "outside" / "secret"} << "secret";
    std::ofstream{root_ / "file"} << "x";
    std::ofstream{root_ / "a" / "file"} << "x";
    std::ofstream{root_ / "a" / "b" / "file"} << "x";
    fs::create_symlink("../secret", root_ / "out");
    fs::create_directory_symlink("../outside", root_ / "out_dir");
    fs::create_symlink(all_ / "secret", root_ / "absolute");
    fs::create_directory_symlink("..", root_ / "a" / "up");
    fs::create_directory_symlink("../..", root_ / "a" / "far_up");
    fs::create_symlink("a/file", root_ / "inside");
    fs::create_symlink("/proc/self/root/etc/passwd", root_ / "magic");
    fs::create_symlink("loop", root_ / "loop");
    ASSERT_EQ(::mkfifo((root_ / "fifo").c_str(), 0600), 0);
    for (const auto& each : fs::recursive_directory_iterator{root_}) {
      struct stat facts {};
      if (::lstat(each.path().c_str(), &facts) == 0) inside_.insert(facts.st_ino);
    }
    struct stat facts {};
    ASSERT_EQ(::stat(root_.c_str(), &facts), 0);
    inside_.insert(facts.st_ino);
  }
  void TearDown() override { fs::remove_all(all_); }

  /// 0, or the error.
  static int try_open(const document_root& root, const std::string& path) {
    const auto found = root.open(path);
    if (found.descriptor >= 0) ::close(found.descriptor);
    return found.error;
  }

  fs::path all_;
  fs::path root_;
  std::set<ino_t> inside_;
};

TEST_F(files_root, opens_what_is_below_it) {
  for (const resolver how : resolvers) {
    const document_root root{root_.string(), how};
    for (const char* path : {"file", "a", "a/", "a/file", "a/b/", "a/b/file"}) {
      EXPECT_EQ(try_open(root, path), 0) << path;
    }
    EXPECT_TRUE(S_ISDIR([&] {
      const auto found = root.open("a");
      ::close(found.descriptor);
      return found.facts.st_mode;
    }()));
  }
  EXPECT_EQ(try_open(document_root{root_.string(), resolver::kernel}, "inside"), 0);
}

TEST_F(files_root, opens_nothing_else) {
  for (const resolver how : resolvers) {
    const document_root root{root_.string(), how};
    for (const std::string path : {"",
                                   ".",
                                   "..",
                                   "/",
                                   "../secret",
                                   "a/../../secret",
                                   "a/../file",
                                   "./file",
                                   "a//file",
                                   "/etc/passwd",
                                   "//etc/passwd",
                                   "out",
                                   "out_dir/secret",
                                   "absolute",
                                   "a/far_up/secret",
                                   "a/up/../../secret",
                                   "magic",
                                   "loop",
                                   "fifo",
                                   "none",
                                   "a/none",
                                   "file/",
                                   "file/x",
                                   "a/b/file/..",
                                   "...",
                                   "a\\..\\secret"}) {
      EXPECT_NE(try_open(root, path), 0) << path;
    }
    EXPECT_NE(try_open(root, std::string{"file\0", 5}), 0);
    EXPECT_NE(try_open(root, std::string{"\0file", 5}), 0);
    EXPECT_NE(try_open(root, std::string(5'000, 'a')), 0);
  }
}

TEST_F(files_root, refuses_devices) {
  for (const resolver how : resolvers) {
    const document_root root{"/dev", how};
    EXPECT_EQ(try_open(root, "null"), ENOENT);
    EXPECT_EQ(try_open(root, "zero"), ENOENT);
  }
}

TEST_F(files_root, never_leaves_it_whatever_the_path) {
  constexpr std::array<std::string_view, 24> words{
      "..",      ".",    "",       "a",    "b",       "up",     "far_up",   "out",
      "out_dir", "file", "secret", "root", "outside", "inside", "absolute", "magic",
      "fifo",    "loop", "proc",   "self", "etc",     "...",    " ",        "%2e%2e"};
  std::mt19937_64 random{7};
  for (const resolver how : resolvers) {
    const document_root root{root_.string(), how};
    int opened = 0;
    for (int i = 0; i < 20'000; ++i) {
      std::string path = random() % 8 == 0 ? "/" : "";
      for (std::uint64_t n = random() % 6 + 1; n > 0; --n) {
        path += words[random() % words.size()];
        if (n > 1 || random() % 4 == 0) path += '/';
      }
      if (!path.empty() && random() % 16 == 0)
        path[random() % path.size()] = static_cast<char>(random());
      const auto found = root.open(path);
      if (found.descriptor < 0) continue;
      ++opened;
      EXPECT_TRUE(inside_.contains(found.facts.st_ino)) << path;
      ::close(found.descriptor);
    }
    EXPECT_GT(opened, 100);
  }
}

TEST_F(files_root, holds_nothing_open_but_itself) {
  const auto descriptors = [] {
    return std::distance(fs::directory_iterator{"/proc/self/fd"}, fs::directory_iterator{});
  };
  const auto before = descriptors();
  for (const resolver how : resolvers) {
    const document_root root{root_.string(), how};
    for (const char* path : {"a/b/file", "a/none/x", "out_dir/secret", "a/b/", "fifo", ".."}) {
      try_open(root, path);
    }
    EXPECT_EQ(descriptors(), before + 1);
  }
  EXPECT_EQ(descriptors(), before);
  EXPECT_THROW(document_root{(root_ / "none").string()}, std::system_error);
  EXPECT_THROW(document_root{(root_ / "file").string()}, std::system_error);
}

TEST(files_mime_types, go_by_what_follows_the_last_dot) {
  EXPECT_EQ(mime_type_of("index.html"), "text/html; charset=utf-8");
  EXPECT_EQ(mime_type_of("a.b/PHOTO.JPG"), "image/jpeg");
  EXPECT_EQ(mime_type_of("archive.tar.gz"), "application/gzip");
  EXPECT_EQ(mime_type_of("a.html/file"), "application/octet-stream");
  EXPECT_EQ(mime_type_of("file"), "application/octet-stream");
  EXPECT_EQ(mime_type_of("file."), "application/octet-stream");
  EXPECT_EQ(mime_type_of(""), "application/octet-stream");
}

}  // namespace
}  // namespace dwell::http
