// Loops with descriptor tables of their own, in processes that may have few descriptors.
#include <dwell/asio.hpp>
#include <dwell/dwell.hpp>

#include "support/child.hpp"
#include "support/eventually.hpp"
#include "support/raw_client.hpp"
#include "support/running_server.hpp"

#include <asio/io_context.hpp>
#include <asio/ip/udp.hpp>
#include <gtest/gtest.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/null_sink.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>
#include <vector>

// TSan takes a number for the same descriptor in every table, where glibc is asked for it.
#define SKIP_UNDER_TSAN() static_cast<void>(0)
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#undef SKIP_UNDER_TSAN
#define SKIP_UNDER_TSAN() GTEST_SKIP() << "TSan takes numbers of different tables for the same"
#endif
#endif

namespace dwell {
namespace {

using namespace std::chrono_literals;

constexpr int loops = 4;
constexpr rlim_t few = 256;
constexpr int of_each = 160;  // few, less 64, 16, and 4 for each loop

/// Asynchronous, as loops with tables of their own want it; says nothing.
std::shared_ptr<spdlog::logger> silent_logger() {
  static const auto pool = std::make_shared<spdlog::details::thread_pool>(64, 1);
  static const auto logger = std::make_shared<spdlog::async_logger>(
      "silent", std::make_shared<spdlog::sinks::null_sink_mt>(), pool);
  return logger;
}

server_options with_tables(server_options options = {}) {
  if (options.threads == 1) options.threads = loops;
  if (options.logger == nullptr) options.logger = silent_logger();
  options.tables = descriptor_tables::per_loop;
  return options;
}

void allow_descriptors(rlim_t count) {
  const rlimit limit{count, count};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/// Answers whatever comes with the number of its loop, in one digit.
const callbacks<> tells_its_loop{.on_data = [](connection& peer, no_session&, bytes data) {
  peer.send(std::to_string(peer.id().loop));
  return data.size();
}};

int loop_of(raw_client& client) {
  client.send("?");
  return std::stoi(client.receive(1));
}

/// Descriptors in the table of each thread.
std::vector<std::size_t> open_in_each_thread(pid_t process) {
  namespace fs = std::filesystem;
  std::vector<std::size_t> counts;
  for (const auto& thread : fs::directory_iterator{"/proc/" + std::to_string(process) + "/task"}) {
    const fs::directory_iterator all{thread.path() / "fd"};
    counts.push_back(static_cast<std::size_t>(std::distance(begin(all), end(all))));
  }
  return counts;
}

/// A server in a process of its own that may have few descriptors; drains at SIGTERM.
class crowded_process {
 public:
  explicit crowded_process(service_options service = {}, server_options options = {})
      : process_{[&](child& self) {
          allow_descriptors(few);
          server crowd{with_tables(std::move(options))};
          const endpoint where = crowd.serve(on_loopback(std::move(service)), tells_its_loop);
          self.say(to_string(where));
          self.say(std::to_string(crowd.capacity()));
          const int status = crowd.run();
          const server_counts counts = crowd.counts();
          EXPECT_EQ(counts.live, 0U);
          EXPECT_EQ(counts.accept_failed, 0U);
          return status;
        }} {
    where_ = parse_endpoint(process_.hear());
    capacity_ = std::stoi(process_.hear());
  }

  const endpoint& where() const noexcept { return where_; }
  int capacity() const noexcept { return capacity_; }
  pid_t id() const noexcept { return process_.id(); }
  raw_client connect() const { return raw_client{where_}; }
  void terminate() const { ::kill(process_.id(), SIGTERM); }
  child_result wait() { return process_.wait(); }

 private:
  child process_;
  endpoint where_;
  int capacity_ = 0;
};

/// How many of `clients` are on each loop; each of them is served.
std::map<int, int> spread(std::vector<raw_client>& clients) {
  std::map<int, int> counts;
  for (raw_client& each : clients) ++counts[loop_of(each)];
  return counts;
}

// ── more than RLIMIT_NOFILE ──

TEST(descriptor_tables, hold_more_connections_than_one_table_could_and_all_are_served) {
  crowded_process server;
  EXPECT_EQ(server.capacity(), loops * of_each);
  std::vector<raw_client> clients;
  for (int i = 0; i < server.capacity(); ++i) clients.push_back(server.connect());
  for (const auto& [loop, count] : spread(clients)) EXPECT_EQ(count, of_each) << "loop " << loop;
  server.terminate();
  for (raw_client& each : clients) {
    const raw_client::ending end = each.receive_to_end();
    EXPECT_EQ(end.error, 0);
    EXPECT_EQ(end.data, "");
    each.close();
  }
  EXPECT_EQ(server.wait().exit_code, 0);
}

TEST(descriptor_tables, are_as_before_when_connections_have_gone) {
  crowded_process server;
  {
    std::vector<raw_client> first;
    for (int i = 0; i < 16 * loops; ++i) first.push_back(server.connect());
    EXPECT_EQ(spread(first).size(), static_cast<std::size_t>(loops));
  }
  std::vector<std::size_t> before;
  const auto settled = [&] {
    const auto now = open_in_each_thread(server.id());
    return std::exchange(before, now) == now && std::ranges::max(now) < 60;
  };
  ASSERT_TRUE(eventually(settled));
  for (int round = 0; round < 3; ++round) {
    std::vector<raw_client> clients;
    for (int i = 0; i < 400; ++i) clients.push_back(server.connect());
    spread(clients);
    clients.clear();
    EXPECT_TRUE(eventually([&] { return open_in_each_thread(server.id()) == before; }));
  }
  server.terminate();
  EXPECT_EQ(server.wait().exit_code, 0);
}

TEST(descriptor_tables, give_way_when_one_is_full_while_others_have_room) {
  crowded_process server;
  std::map<int, std::vector<raw_client>> by_loop;
  for (int i = 0; i < server.capacity(); ++i) {
    raw_client fresh = server.connect();
    const int loop = loop_of(fresh);
    by_loop[loop].push_back(std::move(fresh));
  }
  by_loop[2].clear();  // all room there is in one of them
  for (int i = 0; i < of_each; ++i) {
    raw_client fresh = server.connect();
    EXPECT_EQ(loop_of(fresh), 2);
    by_loop[2].push_back(std::move(fresh));
  }
  by_loop.clear();
  server.terminate();
  EXPECT_EQ(server.wait().exit_code, 0);
}

TEST(descriptor_tables, of_a_client_hold_more_than_one_table_could) {
  crowded_process server;
  child connects{[&](child&) {
    allow_descriptors(few);
    constexpr int each_loop = 120;
    std::atomic<int> answered{0}, there{0};
    client crowd{
        {.threads = loops, .logger = silent_logger(), .tables = descriptor_tables::per_loop}};
    const auto visit = [&, to = server.where()]() -> task<> {
      auto peer = co_await connect({.host = to.address, .port = to.port});
      if (!peer) co_return;
      ++there;
      // All are open at the same time.
      for (int i = 0; i < 1'000 && there < loops * each_loop; ++i) co_await sleep_for(10ms);
      if (!co_await peer->write("?")) co_return;
      if (const auto data = co_await peer->read()) ++answered;
    };
    for (std::uint32_t loop = 0; loop < loops; ++loop) {
      for (int i = 0; i < each_loop; ++i) crowd.spawn([&visit] { return visit(); }, loop);
    }
    EXPECT_EQ(crowd.run(), 0);
    EXPECT_EQ(answered, loops * each_loop);
    return 0;
  }};
  EXPECT_EQ(connects.wait().exit_code, 0);
  server.terminate();
  EXPECT_EQ(server.wait().exit_code, 0);
}

// ── one listener for all ──

class a_listener_that_all_share : public ::testing::TestWithParam<const char*> {
 protected:
  service_options service() const {
    const std::string kind = GetParam();
    if (kind == "unix") return {.listen = {"unix:" + path_}};
    if (kind == "without_reuse_port") return {.socket = {.reuse_port = false}};
    return {};
  }
  std::string path_ = ::testing::TempDir() + "tables_" + std::to_string(::getpid());
};

TEST_P(a_listener_that_all_share, serves_on_every_loop_and_is_closed_by_the_drain_in_all_tables) {
  crowded_process server{service(), {.drain = {.deadline = 20s}}};
  std::vector<raw_client> clients;
  for (int i = 0; i < 64; ++i) clients.push_back(server.connect());
  const auto counts = spread(clients);
  EXPECT_EQ(counts.size(), static_cast<std::size_t>(loops));
  for (const auto& [loop, count] : counts) EXPECT_LE(count, 32) << "loop " << loop;
  server.terminate();
  for (raw_client& each : clients) {
    EXPECT_EQ(each.receive_to_end().error, 0);
    each.close();
  }
  EXPECT_EQ(server.wait().exit_code, 0);
  EXPECT_THROW(server.connect(), std::system_error);
}

INSTANTIATE_TEST_SUITE_P(, a_listener_that_all_share,
                         ::testing::Values("tcp", "without_reuse_port", "unix"),
                         [](const auto& of) { return std::string{of.param}; });

TEST(descriptor_tables, close_listeners_while_connections_are_still_at_work) {
  in_child([] {
    std::atomic<bool> may_end = false;
    const auto waits = [&may_end](connection& peer) -> task<> {
      while (auto data = co_await peer.read()) {
        co_await peer.write("!");
        while (!may_end) co_await sleep_for(5ms);
        co_await peer.write(".");
      }
    };
    running_server server{{}, waits, with_tables()};
    std::vector<raw_client> clients;
    for (int i = 0; i < 40; ++i) {
      clients.push_back(server.connect());
      clients.back().send("?");
      EXPECT_EQ(clients.back().receive(1), "!");
    }
    server->drain();
    EXPECT_TRUE(eventually([&] {
      try {
        raw_client late = server.connect();
        return false;
      } catch (const std::system_error& refused) {
        return refused.code() == std::errc::connection_refused;
      }
    }));
    may_end = true;
    for (raw_client& each : clients) {
      EXPECT_EQ(each.receive_to_end().data, ".");
      each.close();
    }
    server->wait();
  });
}

TEST(descriptor_tables, let_the_others_accept_when_one_is_full_of_what_is_no_connection) {
  in_child([] {
    std::atomic<int> hogged{-1};
    std::vector<int> hoard;
    callbacks<> hogs{.on_data = [&](connection& peer, no_session&, bytes data) {
      int nobody = -1;
      const auto here = static_cast<int>(peer.id().loop);
      if (here != 0 && hogged.compare_exchange_strong(nobody, here)) {
        for (int made = 0; (made = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)) >= 0;) {
          hoard.push_back(made);
        }
      }
      peer.send(std::to_string(here));
      return data.size();
    }};
    running_server server{{}, hogs, with_tables()};
    std::map<int, int> served;
    std::vector<raw_client> clients;
    for (int i = 0; i < 16 || hogged < 0; ++i) {
      clients.push_back(server.connect());
      loop_of(clients.back());
    }
    for (int i = 0; i < 60; ++i) {
      clients.push_back(server.connect());
      ++served[loop_of(clients.back())];
    }
    EXPECT_EQ(served.size(), static_cast<std::size_t>(loops) - 1);
    EXPECT_EQ(served.count(hogged), 0U);
    EXPECT_GE(server->counts().accept_failed, 1U);
  });
}

// ── what each thread may do with what was opened elsewhere ──

/// Runs `call` on loop `which`, by way of a connection there, and waits for it.
template <class Call>
void on_loop(running_server& server, std::uint32_t which, Call call) {
  std::vector<raw_client> clients;
  std::atomic<int> done{0};
  for (int i = 0; i < 64; ++i) {
    clients.push_back(server.connect());
    if (loop_of(clients.back()) == static_cast<int>(which)) break;
  }
  server->each([&, which](connection& peer) {
    if (peer.id().loop != which || done.exchange(1) != 0) return;
    call();
    done = 2;
  });
  ASSERT_TRUE(eventually([&] { return done == 2; }));
}

TEST(descriptor_tables, hold_no_end_of_what_closes_elsewhere) {
  in_child([] {
    std::array<int, 2> ends{};
    std::array<int, 2> tube{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    ASSERT_EQ(::pipe2(tube.data(), O_CLOEXEC | O_NONBLOCK), 0);
    running_server server{{}, tells_its_loop, with_tables()};
    on_loop(server, 3, [&] {
      // Nor does the number mean anything there, or later something else.
      EXPECT_EQ(::write(ends[1], "x", 1), -1);
      EXPECT_EQ(errno, EBADF);
      EXPECT_EQ(::send(ends[0], "x", 1, MSG_NOSIGNAL), -1);
    });
    ::close(ends[1]);
    ::close(tube[1]);
    char byte = 0;
    EXPECT_EQ(::recv(ends[0], &byte, 1, MSG_DONTWAIT), 0);
    EXPECT_EQ(::read(tube[0], &byte, 1), 0);
  });
}

std::string temporary_file(const std::string& text) {
  const std::string path = ::testing::TempDir() + "tables_file_" + std::to_string(::getpid());
  std::ofstream{path} << text;
  return path;
}

std::string read_all(const file& from) {
  std::array<std::byte, 16> room{};
  const auto count = from.read(0, room);
  return count < 0 ? "unreadable"
                   : std::string{reinterpret_cast<const char*>(room.data()),
                                 static_cast<std::size_t>(count)};
}

TEST(descriptor_tables, have_files_from_before_and_no_others) {
  SKIP_UNDER_TSAN();
  in_child([] {
    const std::string path = temporary_file("old");
    const file early{path};
    running_server server{{}, tells_its_loop, with_tables()};
    std::optional<file> late;
    on_loop(server, 1, [&] {
      EXPECT_EQ(read_all(early), "old");
      late.emplace(path);
      EXPECT_EQ(read_all(*late), "old");
    });
    on_loop(server, 2, [&] {
      EXPECT_EQ(read_all(early), "old");
      EXPECT_EQ(late->descriptor(), -1);
      EXPECT_EQ(read_all(*late), "unreadable");
      late.reset();  // closes nobody's descriptor
    });
    EXPECT_EQ(read_all(early), "old");
    std::filesystem::remove(path);
  });
}

TEST(descriptor_tables, are_shared_by_a_loop_and_its_workers) {
  SKIP_UNDER_TSAN();
  in_child([] {
    const std::string path = temporary_file("by a worker");
    const auto sends_file = [&path](connection& peer) -> task<> {
      const auto asked = co_await peer.read();
      if (!asked) co_return;
      auto open = [&path] { return whole_file(path); };
      const file_part found = co_await offload(open);
      peer.send_file(found);
      co_await peer.flush();
    };
    running_server server{{}, sends_file, with_tables()};
    for (int i = 0; i < 8 * loops; ++i) {
      raw_client client = server.connect();
      client.send("?");
      EXPECT_EQ(client.receive_to_end().data, "by a worker");
    }
    std::filesystem::remove(path);
  });
}

TEST(descriptor_tables, do_not_keep_threads_from_reaching_loops) {
  in_child([] {
    running_server server{{}, tells_its_loop, with_tables()};
    std::vector<raw_client> clients;
    for (int i = 0; i < 32; ++i) clients.push_back(server.connect());
    EXPECT_EQ(spread(clients).size(), static_cast<std::size_t>(loops));
    std::mutex filling;
    std::vector<connection_id> ids;
    std::atomic<bool> seen = false;
    server->each(
        [&](connection& peer) {
          const std::lock_guard lock{filling};
          ids.push_back(peer.id());
        },
        [&] { seen = true; });
    ASSERT_TRUE(eventually([&] { return seen.load(); }));
    ASSERT_EQ(ids.size(), clients.size());
    std::atomic<std::size_t> reached{0};
    // From this thread to a loop, from there to all the others, and they are asleep.
    EXPECT_TRUE(server->post(ids[0], [&](connection&) {
      for (const connection_id id : ids) server->post(id, [&](connection&) { ++reached; });
    }));
    EXPECT_TRUE(eventually([&] { return reached == ids.size(); }));
  });
}

// What is left of a loop is closed where its numbers mean something.
TEST(descriptor_tables, do_not_close_a_strangers_descriptors_at_the_end) {
  in_child([] {
    std::atomic<int> waiting{-1};
    std::atomic<bool> taken{false};
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    constexpr int beyond_all = 500;  // a number that is free in every table
    int of_this_thread = -1;
    {
      const auto waits = [&waiting, &taken](connection& peer) -> task<> {
        const auto asked = co_await peer.read();
        if (!asked || peer.id().loop != 2 || taken.exchange(true)) co_return;
        // Nobody ever sends to it; only its handler knows it.
        const int made = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        auto socket = std::make_shared<asio::ip::udp::socket>(executor(peer));
        socket->assign(asio::ip::udp::v4(), ::fcntl(made, F_DUPFD_CLOEXEC, beyond_all));
        ::close(made);
        socket->async_wait(asio::ip::udp::socket::wait_read, [socket](const std::error_code&) {});
        waiting = socket->native_handle();
      };
      running_server server{{}, waits, with_tables()};
      for (int i = 0; i < 1'000 && waiting < 0; ++i) {
        raw_client client = server.connect();
        client.send("?");
        raw_client::dawdle(1ms);
      }
      of_this_thread = ::fcntl(ends[0], F_DUPFD_CLOEXEC, beyond_all);
    }
    EXPECT_EQ(waiting, beyond_all);
    EXPECT_EQ(of_this_thread, beyond_all);
    EXPECT_GE(::fcntl(of_this_thread, F_GETFD), 0);
  });
}

// ── refused ──

template <class Made>
std::string complaint_of(Made make) {
  try {
    make();
  } catch (const std::exception& refused) {
    return refused.what();
  }
  return "nothing was refused";
}

bool says(const std::string& text, const char* word) { return text.find(word) != text.npos; }

TEST(descriptor_tables, are_refused_to_an_embedded_server) {
  in_child([] {
    asio::io_context host{1};
    const auto text = complaint_of([&] { const server embedded{host, with_tables()}; });
    EXPECT_TRUE(says(text, "tables = per_loop") && says(text, "embedded")) << text;
  });
}

TEST(descriptor_tables, are_refused_with_a_logger_that_writes_from_every_loop) {
  in_child([] {
    const auto text =
        complaint_of([] { const server noisy{with_tables({.logger = quiet_logger()})}; });
    EXPECT_TRUE(says(text, "tables = per_loop") && says(text, "async_logger")) << text;
  });
}

TEST(descriptor_tables, are_refused_where_unshare_is_forbidden) {
  in_child([] {
    // To unshare is EPERM from now on; the rest is as it was.
    std::array<sock_filter, 4> rules{
        sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
        sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_unshare},
        sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM},
        sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
    const sock_fprog program{static_cast<unsigned short>(rules.size()), rules.data()};
    ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ASSERT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
    const auto text = complaint_of([] { const server caged{with_tables()}; });
    EXPECT_TRUE(says(text, "tables = per_loop") && says(text, "unshare")) << text;
  });
}

}  // namespace
}  // namespace dwell
