#include "http_answer.hpp"

#include <string>
#include <vector>

namespace load {
namespace {

using progress = http_answers::progress;

struct answer {
  std::string text;
  int status;
  bool keeps_alive;
  bool until_end = false;  ///< only FIN ends it
};

const std::vector<answer>& answers() {
  static const std::vector<answer> all = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, true},
      {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, true},
      {"HTTP/1.1 204 No Content\r\n\r\n", 204, true},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n", 304, true},
      {"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno", 404, false},
      {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, false},
      {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", 200, true},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0"
       "\r\nTrailer: 1\r\n\r\n",
       200, true},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 503 "
       "Busy\r\ncontent-length: 1\r\n\r\n!",
       503, true},
      {"HTTP/1.1 200 OK\r\n\r\nwhatever comes", 200, false, true},
      {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", 200, false, true},
  };
  return all;
}

/// Reads pieces as they come from the network. Returns the bytes that belong to the answer; 0: it
/// was not complete.
std::size_t feed(http_answers& into, const std::vector<std::string_view>& pieces) {
  std::size_t used = 0;
  for (const std::string_view piece : pieces) {
    const http_answers::result read = into.read(piece);
    used += read.used;
    if (read.what == progress::wrong) return 0;
    if (read.what == progress::complete) return used;
  }
  return 0;
}

TEST(load_http_answers, are_read_whole_at_every_cut) {
  for (const answer& each : answers()) {
    const std::string_view text = each.text;
    for (std::size_t first = 0; first <= text.size(); ++first) {
      for (std::size_t second = first; second <= text.size(); second += each.until_end ? 1 : 3) {
        SCOPED_TRACE(each.text + " cut at " + std::to_string(first) + " and " +
                     std::to_string(second));
        http_answers reader;
        const std::size_t used =
            feed(reader,
                 {text.substr(0, first), text.substr(first, second - first), text.substr(second)});
        ASSERT_EQ(used, each.until_end ? 0 : text.size());
        if (each.until_end) {
          ASSERT_TRUE(reader.end());
        }
        ASSERT_EQ(reader.status(), each.status);
        ASSERT_EQ(reader.keeps_alive(), each.keeps_alive);
        ASSERT_FALSE(reader.end()) << "it has been told already";
      }
    }
  }
}

TEST(load_http_answers, follow_each_other_on_one_connection) {
  http_answers reader;
  for (int round = 0; round < 3; ++round) {
    for (const answer& each : answers()) {
      if (!each.keeps_alive) continue;
      // The next one's first bytes are not this one's.
      const std::string more = each.text + "HTTP/1.1 200";
      const http_answers::result read = reader.read(more);
      ASSERT_EQ(read.what, progress::complete) << each.text;
      ASSERT_EQ(read.used, each.text.size()) << each.text;
      ASSERT_EQ(reader.status(), each.status);
    }
  }
}

TEST(load_http_answers, cut_short_are_not_complete) {
  for (const answer& each : answers()) {
    const std::size_t head = each.text.rfind("\r\n\r\n") + 4;
    const std::size_t whole = each.until_end ? head : each.text.size();
    for (std::size_t length = 0; length < whole; ++length) {
      http_answers reader;
      ASSERT_EQ(feed(reader, {each.text.substr(0, length)}), 0U) << each.text << " of " << length;
      ASSERT_FALSE(reader.end()) << each.text << " of " << length;
    }
  }
}

TEST(load_http_answers, are_refused_when_they_are_none) {
  for (const char* text :
       {"SSH-2.0-OpenSSH\r\n", "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "GET / HTTP/1.1\r\n\r\n"}) {
    http_answers reader;
    EXPECT_EQ(reader.read(text).what, progress::wrong) << text;
  }
}

}  // namespace
}  // namespace load
