// What /kernel and /metrics say of the kernel, and that it agrees with the server.

#include <dwell/dwell.hpp>
#include <dwell/kernel/kernel_view.hpp>

#include "support/child.hpp"
#include "support/loop_stall.hpp"
#include "support/observed_server.hpp"
#include "support/two_networks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <spdlog/logger.h>
#include <spdlog/sinks/ringbuffer_sink.h>

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <optional>
#include <string>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace dwell {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

json kernel_page(const observed_server& server) {
  const http_reply reply = server.ask("GET /kernel");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.headers.at("Content-Type"), "application/json");
  return json::parse(reply.body);
}

/// "what: application kernel" of the first service.
std::map<std::string, std::pair<json, json>> compared(const json& page) {
  std::map<std::string, std::pair<json, json>> rows;
  for (const json& each : page["services"][0]["compared"]) {
    rows[each["what"]] = {each["application"], each["kernel"]};
  }
  return rows;
}

double sample(const std::string& page, const std::string& name) {
  const std::size_t at = page.find("\n" + name + ' ');
  if (at == std::string::npos) return -1;
  return std::stod(page.substr(at + name.size() + 2));
}

/// Keeps what its peer has closed; "pause" is not read on, "close" ends, "linger" ends and waits.
callbacks<> does_as_told() {
  return {.on_data =
              [](connection& peer, no_session&, bytes data) {
                if (data.text() == "pause") peer.pause();
                if (data.text() == "close") peer.close();
                if (data.text() == "linger") peer.close(close_reason::protocol_error);
                return data.size();
              },
          .on_peer_closed = [](connection&, no_session&) {}};
}

service_options patient(duration close = 1h) {
  return {.name = "api",
          .listen = {two_networks::server_address},
          .deadlines = {.idle = 1h, .handle = off, .close = close}};
}

TEST(admin_kernel, agrees_with_the_server) {
  in_two_networks([](two_networks& networks) {
    const observed_server server{patient(), does_as_told()};
    std::vector<raw_client> clients;
    networks.on_client_side([&] {
      for (int i = 0; i < 12; ++i) clients.push_back(server.connect());
    });
    // 0 to 2 stay.
    for (int i : {3, 4}) clients[static_cast<std::size_t>(i)].shutdown_send();
    clients[5].send("pause");
    clients[6].send("pause");
    ASSERT_TRUE(eventually([&] { return server->counts().received == 10; }));
    clients[5].shutdown_send();  // nobody reads that
    clients[6].reset();
    for (int i : {7, 8}) clients[static_cast<std::size_t>(i)].send("close");  // they keep their end
    clients[9].send("close");
    clients[9].receive_to_end();
    clients[9].close();
    for (int i : {10, 11}) clients[static_cast<std::size_t>(i)].send("linger");

    json page;
    const auto agree = [&](const char* what, int count) {
      return compared(page)[what] == std::pair<json, json>{count, count};
    };
    EXPECT_TRUE(eventually([&] {
      page = kernel_page(server);
      return agree("open", 3) && agree("peer closed", 3) && agree("closing", 2) &&
             agree("closed, TIME_WAIT here", 3) &&
             compared(page)["reset"] == std::pair<json, json>{1, nullptr} &&
             compared(page)["not accepted"] == std::pair<json, json>{nullptr, 0};
    })) << page.dump(1);
    const json& service = page["services"][0];
    EXPECT_EQ(service["service"], "api");
    EXPECT_EQ(service["listen"], to_string(server.where()));
    EXPECT_EQ(service["application"]["connections"], 9);
    EXPECT_EQ(service["application"]["phases"]["close"], 2);
    EXPECT_EQ(service["application"]["phases"]["handle"], 2);
    EXPECT_EQ(service["application"]["phases"]["idle"], 5);
    EXPECT_EQ(service["application"]["time_wait_since_start"]["here"], 3);
    EXPECT_EQ(service["kernel"]["orphans"], 2);
    EXPECT_EQ(service["kernel"]["states"]["TIME_WAIT"], 1);
    EXPECT_EQ(service["kernel"]["states"]["LISTEN"], 1);
    EXPECT_EQ(page["kernel_error"], nullptr);
    EXPECT_EQ(page["silent_loops"], json::array());

    const std::string table = server.ask("GET /kernel?format=text").body;
    EXPECT_THAT(table, ::testing::ContainsRegex("peer closed +3 +3  CLOSE_WAIT\n"));
    const std::string metrics = server.ask("GET /metrics?kernel=full").body;
    const std::string of = "dwell_kernel_sockets{service=\"api\",state=";
    EXPECT_EQ(sample(metrics, of + "\"CLOSE_WAIT\"}"), 3);
    EXPECT_EQ(sample(metrics, of + "\"ESTABLISHED\"}"), 3);
    EXPECT_EQ(sample(metrics, "dwell_kernel_port_orphans{service=\"api\"}"), 2);
    EXPECT_EQ(sample(server.ask("GET /metrics").body, of + "\"ESTABLISHED\"}"), -1)
        << "asked for, not in each scrape";
  });
}

/// Connections that nobody accepts, from the client's side.
class knocking {
 public:
  explicit knocking(const endpoint& where, int count) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(where.port);
    ::inet_pton(AF_INET, where.address.c_str(), &to.sin_addr);
    for (int i = 0; i < count; ++i) {
      open_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      ::connect(open_.back(), reinterpret_cast<const sockaddr*>(&to), sizeof to);
    }
  }
  knocking(const knocking&) = delete;
  knocking& operator=(const knocking&) = delete;
  ~knocking() {
    for (const int each : open_) ::close(each);
  }

 private:
  std::vector<int> open_;
};

TEST(admin_kernel, shows_an_accept_queue_that_overflows) {
  in_two_networks([](two_networks& networks) {
    loop_stall stall;
    service_options small = patient();
    small.socket.backlog = 3;
    const observed_server server{small,
                                 callbacks<>{.on_data = [&](connection&, no_session&, bytes data) {
                                   stall.hold();
                                   return data.size();
                                 }}};
    const std::string none = server.ask("GET /metrics").body;
    EXPECT_EQ(sample(none, "dwell_kernel_listen_overflows_total"), 0);
    EXPECT_EQ(sample(none, "dwell_kernel_listen_drops_total"), 0);
    EXPECT_EQ(sample(none, "dwell_kernel_up"), 1);
    std::optional<raw_client> holds;
    std::optional<knocking> waiting;
    networks.on_client_side([&] {
      holds.emplace(server.where());
      holds->send("hold");
      stall.wait_until_held();
      waiting.emplace(server.where(), 12);
    });
    EXPECT_TRUE(eventually([&] {
      return sample(server.ask("GET /metrics").body, "dwell_kernel_listen_overflows_total") > 0;
    }));
    const std::string full = server.ask("GET /metrics?kernel=full").body;
    EXPECT_GT(sample(full, "dwell_kernel_listen_drops_total"), 0);
    EXPECT_EQ(sample(full, "dwell_kernel_accept_queue{service=\"api\"}"), 4);
    EXPECT_EQ(sample(full, "dwell_kernel_accept_queue_limit{service=\"api\"}"), 3);
    EXPECT_EQ(sample(full, "dwell_kernel_accept_queue_fullest_ratio{service=\"api\"}"), 1);
    const json page = kernel_page(server);
    EXPECT_EQ(page["silent_loops"], json::array({0})) << "it is held";
    EXPECT_GE(compared(page)["not accepted"].second, 4);
    EXPECT_EQ(page["services"][0]["kernel"]["accept_queues"][0],
              json({{"listener", to_string(server.where())}, {"queued", 4}, {"limit", 3}}));
    EXPECT_GT(page["network"]["counters"]["TcpExt.ListenOverflows"], 0);
    EXPECT_THAT(server.ask("GET /kernel?format=text").body,
                AllOf(HasSubstr("loop 0 did not answer"), HasSubstr(": 4 of 3\n"),
                      HasSubstr("TcpExt.ListenOverflows")));
    stall.let_go();
  });
}

TEST(admin_kernel, shows_what_the_watchdog_has_named) {
  in_two_networks([](two_networks& networks) {
    const auto sink = std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(100);
    const auto logger = std::make_shared<spdlog::logger>("test", sink);
    sink->set_pattern("%l %v");
    const observed_server server{patient(200ms), does_as_told(), {.logger = logger}};
    std::vector<raw_client> clients;
    networks.on_client_side([&] {
      for (int i = 0; i < 3; ++i) clients.push_back(server.connect());
    });
    clients[0].shutdown_send();
    clients[1].send("pause");
    ASSERT_TRUE(eventually([&] { return server->counts().received == 5; }));
    clients[1].shutdown_send();

    ASSERT_TRUE(eventually([&] { return server->counts().held == 2; }));
    kernel_view kernel;
    EXPECT_EQ(kernel.port(server.where().port).held[tcp_state::close_wait], 2U);
    const json listed = json::parse(server.ask("GET /connections?state=held&sort=id").body);
    ASSERT_EQ(listed["matched"], 2) << listed;
    for (const json& each : listed["connections"]) {
      const std::string who = "api " + each["id"].get<std::string>() + ' ' +
                              each["peer"].get<std::string>() + ": the peer has closed";
      const auto lines = sink->last_formatted();
      EXPECT_EQ(
          std::ranges::count_if(
              lines, [&](const std::string& line) { return line.starts_with("warning " + who); }),
          1)
          << who;
    }
    EXPECT_EQ(kernel_page(server)["services"][0]["application"]["held"], 2);
    EXPECT_EQ(
        sample(server.ask("GET /metrics").body, "dwell_connections_held_total{service=\"api\"}"),
        2);
    EXPECT_THAT(server.ask("GET /kernel?format=text").body, HasSubstr("peer's FIN: 2; see"));
    EXPECT_EQ(server->counts().live, 3U) << "nobody was closed by it";
  });
}

TEST(admin_kernel, knows_no_port_of_a_unix_socket) {
  const std::string path = "unix:/tmp/dwell_admin_kernel_test." + std::to_string(::getpid());
  const observed_server server{{.listen = {path}}, does_as_told()};
  const raw_client client = server.connect();
  ASSERT_TRUE(server.wait_for_live(1));
  const json page = kernel_page(server);
  EXPECT_EQ(page["services"][0]["kernel"], nullptr);
  const std::pair<json, json> open{1, nullptr};
  EXPECT_EQ(compared(page)["open"], open);
  EXPECT_EQ(server.ask("GET /metrics?kernel=full").status, 200);
}

TEST(admin_kernel, refuses_a_format_it_does_not_know) {
  const observed_server server{{}, does_as_told()};
  const http_reply refused = server.ask("GET /kernel?format=xml");
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, HasSubstr("use json, text"));
}

/// From here on this process gets no netlink socket, as under some containers' seccomp profiles.
void forbid_netlink() {
  std::array<sock_filter, 6> rules{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[0])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog program{rules.size(), rules.data()};
  ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

TEST(admin_kernel, says_why_the_kernel_could_not_be_asked) {
  in_child([] {
    ASSERT_NO_FATAL_FAILURE(forbid_netlink());
    const observed_server server{{}, does_as_told()};
    const raw_client client = server.connect();
    ASSERT_TRUE(server.wait_for_live(1));
    const json page = kernel_page(server);
    EXPECT_THAT(page["kernel_error"].get<std::string>(), HasSubstr("NETLINK_SOCK_DIAG"));
    EXPECT_EQ(page["network"], nullptr);
    const std::pair<json, json> open{1, nullptr};
    EXPECT_EQ(compared(page)["open"], open);
    EXPECT_THAT(server.ask("GET /kernel?format=text").body,
                HasSubstr("the kernel could not be asked: "));
    const std::string metrics = server.ask("GET /metrics?kernel=full").body;
    EXPECT_EQ(sample(metrics, "dwell_kernel_up"), 0);
    EXPECT_EQ(sample(metrics, "dwell_kernel_time_wait"), -1);
    EXPECT_EQ(sample(metrics, "dwell_connections{service=\"default\"}"), 1);
  });
}

}  // namespace
}  // namespace dwell
