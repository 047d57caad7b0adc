#include "surroundings.hpp"

#include "cpu_list.hpp"
#include "networks.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace load {
namespace {

class socket_of {
 public:
  explicit socket_of(int descriptor) : descriptor_{descriptor} {
    if (descriptor < 0) throw std::system_error{errno, std::generic_category(), "socket"};
  }
  socket_of(socket_of&& other) noexcept : descriptor_{std::exchange(other.descriptor_, -1)} {}
  socket_of& operator=(socket_of&&) = delete;
  ~socket_of() { close(); }
  void close() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

/// Listens on loopback; nothing else has its port.
struct listener {
  listener() {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    if (::bind(descriptor.get(), reinterpret_cast<sockaddr*>(&at), size) != 0 ||
        ::listen(descriptor.get(), 128) != 0 ||
        ::getsockname(descriptor.get(), reinterpret_cast<sockaddr*>(&at), &size) != 0) {
      throw std::system_error{errno, std::generic_category(), "listen"};
    }
    where = at;
  }
  socket_of connect() const {
    socket_of made{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (::connect(made.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) {
      throw std::system_error{errno, std::generic_category(), "connect"};
    }
    return made;
  }
  socket_of accept() const {
    return socket_of{::accept4(descriptor.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  }

  socket_of descriptor{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in where{};
};

std::uint64_t of(const end_sample& end, const std::string& state) {
  const auto found = end.states.find(state);
  return found == end.states.end() ? 0 : found->second;
}

TEST(load_surroundings, both_ends_of_a_run_on_loopback_are_told_apart) {
  const listener server;
  plan to;
  to.port = ntohs(server.where.sin_port);
  to.server = ::getpid();
  surroundings around{to};

  std::vector<socket_of> here;
  std::vector<socket_of> there;
  for (int i = 0; i < 20; ++i) {
    here.push_back(server.connect());
    there.push_back(server.accept());
  }
  for (std::size_t i = 0; i < 12; ++i) {  // we close first: TIME_WAIT at the client's end
    here[i].close();
    char byte = 0;
    ASSERT_EQ(::read(there[i].get(), &byte, 1), 0);
    there[i].close();
  }
  for (std::size_t i = 12; i < 15; ++i) {  // and the server
    there[i].close();
    char byte = 0;
    ASSERT_EQ(::read(here[i].get(), &byte, 1), 0);
    here[i].close();
  }

  second seen;
  around.sample(seen);
  EXPECT_EQ(of(seen.client, "TIME-WAIT"), 12U);
  EXPECT_EQ(of(seen.client, "ESTAB"), 5U);
  EXPECT_EQ(seen.ports_used, 17U);
  ASSERT_TRUE(seen.server);
  EXPECT_EQ(of(*seen.server, "TIME-WAIT"), 3U);
  EXPECT_EQ(of(*seen.server, "ESTAB"), 5U);
  EXPECT_EQ(of(*seen.server, "LISTEN"), 0U);
  ASSERT_TRUE(seen.packets_sent && seen.bytes_sent);
  EXPECT_GE(*seen.packets_sent, 20U * 3);  // a handshake has three, and loopback carries all of it
  EXPECT_TRUE(seen.server->cpu);
}

/// {"ESTAB": 5, …}: what ss(8) says of sockets with that port at one end.
std::map<std::string, std::uint64_t> ss(const std::string& end, std::uint16_t port) {
  const std::string command = "ss -Htan '" + end + " = :" + std::to_string(port) + "'";
  std::map<std::string, std::uint64_t> counts;
  FILE* const output = ::popen(command.c_str(), "r");
  char line[512];
  while (std::fgets(line, sizeof line, output) != nullptr) {
    const std::string text{line};
    if (const std::string state = text.substr(0, text.find(' ')); state != "LISTEN") {
      ++counts[state];
    }
  }
  ::pclose(output);
  return counts;
}

TEST(load_surroundings, states_are_those_of_ss) {
  if (std::system("command -v ss >/dev/null") != 0) GTEST_SKIP() << "needs ss (iproute2)";
  const listener server;
  plan to;
  to.port = ntohs(server.where.sin_port);
  to.server = ::getpid();
  surroundings around{to};
  std::vector<socket_of> here;
  std::vector<socket_of> there;
  for (int i = 0; i < 9; ++i) {
    here.push_back(server.connect());
    there.push_back(server.accept());
  }
  for (std::size_t i = 0; i < 5; ++i) here[i].close();   // FIN-WAIT-2 and CLOSE-WAIT
  for (std::size_t i = 0; i < 3; ++i) there[i].close();  // TIME-WAIT
  for (std::size_t i = 7; i < 9; ++i) there[i].close();  // the other way round
  second seen;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  do {  // a busy machine may take its time to acknowledge a FIN
    seen = {};
    around.sample(seen);
  } while ((of(seen.client, "FIN-WAIT-1") + of(*seen.server, "FIN-WAIT-1") != 0 ||
            of(seen.client, "FIN-WAIT-2") != 2) &&
           std::chrono::steady_clock::now() < deadline);
  EXPECT_EQ(seen.client.states, ss("dport", to.port));
  EXPECT_EQ(seen.server.value().states, ss("sport", to.port));
  EXPECT_EQ(seen.client.states.size(), 4U) << "so many states are there to be told apart";
}

TEST(load_surroundings, what_a_run_used_is_the_sum_of_its_seconds_without_the_warm_up) {
  const listener server;
  plan to;
  to.port = ntohs(server.where.sin_port);
  surroundings around{to};
  run_result result;
  result.plan = to;
  result.seconds.resize(3);
  result.seconds[0].warmup = true;
  for (second& each : result.seconds) each.client.cpu = cpu_time{100, 1'000};
  around.complete(result);
  EXPECT_EQ(result.client_cpu.user_us, 200);
  EXPECT_EQ(result.client_cpu.system_us, 2'000);
  EXPECT_FALSE(result.server_cpu) << "nobody has said which process it is";
  EXPECT_GT(result.ports.available, 1'000U);
}

TEST(load_surroundings, a_server_elsewhere_is_not_guessed_at) {
  plan to;
  to.host = "192.0.2.1";  // RFC 5737: nobody's
  to.port = 9;
  surroundings around{to};
  second seen;
  around.sample(seen);
  EXPECT_FALSE(seen.server);
  run_result result;
  around.complete(result);
  EXPECT_FALSE(result.notes.empty());
}

TEST(load_networks, the_way_to_loopback_is_within_this_network) {
  const std::optional<way_out> way = way_to("127.0.0.1", 80);
  ASSERT_TRUE(way);
  EXPECT_EQ(way->address, "127.0.0.1");
  EXPECT_EQ(way->interface, "lo");
  EXPECT_TRUE(way->within_this_network);
}

TEST(load_networks, this_process_shares_its_own_network) {
  EXPECT_EQ(shares_network(::getpid()), true);
  EXPECT_EQ(shares_network(-1), std::nullopt);
  EXPECT_TRUE(read_sysctl("net.ipv4.ip_local_port_range"));
  EXPECT_FALSE(read_sysctl("net.ipv4.no_such_thing"));
}

TEST(load_cpu_list, reads_what_it_writes) {
  for (const char* text : {"0", "0,2-3", "1-4,6,8-9"}) {
    EXPECT_EQ(to_string(parse_processors(text)), text);
  }
  EXPECT_EQ(parse_processors("2-3,0"), (processors{2, 3, 0}));
  for (const char* wrong : {"", "a", "1-", "-1", "1,,2", "99999"}) {
    EXPECT_THROW(parse_processors(wrong), std::invalid_argument) << wrong;
  }
}

}  // namespace
}  // namespace load
