// Many TLS clients at once: stalled ones, a flood, certificates that change under them.

#include <dwell/dwell.hpp>

#include "support/loop_stall.hpp"
#include "support/running_server.hpp"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <unistd.h>
#include <vector>

namespace dwell {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

const callbacks<> echo{.on_data = [](connection& peer, no_session&, bytes data) {
  peer.send(data);
  return data.size();
}};

raw_client stalled(const endpoint& where, std::size_t number) {
  switch (number % 3) {
    case 0: return raw_client{where};  // silent
    case 1: {
      raw_client client{where};
      client.send("\x16\x03\x01\x02\x01\x01\x01\xFC\x03\x03");  // a ClientHello of 513 bytes begins
      return client;
    }
    default: return raw_client{where, {.tls = tls_session_options{}, .finishes_handshake = false}};
  }
}

/// A connection of its own, an exchange; how long it took.
clock::duration served(const running_server& server) {
  const auto began = clock::now();
  raw_client client = server.connect();
  client.send("hello");
  EXPECT_EQ(client.receive(5), "hello");
  return clock::now() - began;
}

clock::duration p99(const running_server& server, std::size_t count) {
  std::vector<clock::duration> times;
  for (std::size_t i = 0; i < count; ++i) times.push_back(served(server));
  std::ranges::sort(times);
  return times[count * 99 / 100];
}

TEST(tls_load, a_thousand_stalled_handshakes_end_at_their_deadline) {
  constexpr std::size_t many = 1'000;
  constexpr auto handshake = 1'500ms;
  running_server server{over(wire::tls, {.deadlines = {.handshake = handshake}}), echo};
  const auto alone = p99(server, 100);
  std::vector<raw_client> clients;
  std::size_t served_meanwhile = 0;
  clock::duration slowest{0};
  for (std::size_t i = 0; i < many; ++i) {
    clients.push_back(stalled(server.where(), i));
    if (i % 20 != 0) continue;
    slowest = std::max(slowest, served(server));
    ++served_meanwhile;
  }
  for (raw_client& each : clients) {
    EXPECT_EQ(each.receive_to_end().error, 0);
    each.close();
  }
  ASSERT_TRUE(server.wait_for_live(0));
  std::size_t ended = 0;
  for (const close_record& record : server.records().all()) {
    if (record.reason != close_reason::handshake_timeout) continue;
    ++ended;
    EXPECT_EQ(record.phase, phase::handshake);
    EXPECT_GE(record.age, handshake);
    EXPECT_LT(record.age, handshake + 5s);  // a busy machine; what is not bounded stays
  }
  EXPECT_EQ(ended, many);
  std::printf("  %zu served among them: p99 alone %.1f ms, slowest meanwhile %.1f ms\n",
              served_meanwhile, std::chrono::duration<double, std::milli>(alone).count(),
              std::chrono::duration<double, std::milli>(slowest).count());
}

// Each step of a handshake costs a signature. Who is open already waits for a few of them at most.
TEST(tls_load, a_flood_of_handshakes_does_not_starve_the_open) {
  constexpr std::size_t many = 300;
  static std::atomic<std::size_t> begun;  // handshakes that a ClientHello has come for
  begun = 0;
  std::atomic<std::size_t> begun_before_answer = 0;
  loop_stall stall;
  const callbacks<> answers{.on_data = [&](connection& peer, no_session&, bytes data) {
    if (data.text() == "stall") {
      stall.hold();
    } else {
      begun_before_answer = begun.load();
      peer.send(data);
    }
    return data.size();
  }};
  service_options options = over(wire::tls, {});
  options.tls->configure = [](SSL_CTX* context) {
    SSL_CTX_set_client_hello_cb(
        context,
        [](SSL*, int*, void*) {
          ++begun;
          return SSL_CLIENT_HELLO_SUCCESS;
        },
        nullptr);
  };
  running_server server{std::move(options), answers};
  raw_client open = server.connect();
  raw_client stalls = server.connect();
  stalls.send("stall");
  stall.wait_until_held();
  begun = 0;
  std::vector<raw_client> flood;
  for (std::size_t i = 0; i < many; ++i) flood.push_back(stalled(server.where(), 2));
  open.send("hello");
  stall.let_go();
  EXPECT_EQ(open.receive(5), "hello");
  std::printf("  %zu handshakes began before it was served\n", begun_before_answer.load());
  EXPECT_LT(begun_before_answer, 24U);  // a few turns of four
  EXPECT_TRUE(eventually([&] { return begun == many; })) << begun;
}

/// Files that a server reads its certificate from.
class certificate_files {
 public:
  certificate_files()
      : folder_{std::filesystem::temp_directory_path() /
                ("dwell-certificates-" + std::to_string(::getpid()))} {
    std::filesystem::create_directories(folder_);
  }
  certificate_files(const certificate_files&) = delete;
  certificate_files& operator=(const certificate_files&) = delete;
  ~certificate_files() { std::filesystem::remove_all(folder_); }

  tls_certificate names() const { return {folder_ / "server.crt", folder_ / "server.key"}; }
  void write(const tls_certificate& what) const {
    std::ofstream{names().chain} << what.chain;
    std::ofstream{names().private_key} << what.private_key;
  }

 private:
  std::filesystem::path folder_;
};

TEST(tls_load, certificates_swapped_a_hundred_times_cost_no_handshake) {
  const certificate_files files;
  const std::array<tls_certificate, 2> certificates{self_signed({"first"}),
                                                    self_signed({"second"})};
  files.write(certificates[0]);
  running_server server{{.tls = tls_options{.certificate = files.names()}}, echo, {.threads = 2}};
  std::atomic<bool> over = false;
  std::atomic<std::size_t> first = 0, second = 0, failed = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&] {
      while (!over) {
        try {
          raw_client client = server.connect();
          client.send("x");
          if (client.receive(1) != "x") throw std::runtime_error{"another answer"};
          ++(client.tls()->shown() == "first" ? first : second);
        } catch (const std::exception& wrong) {
          ++failed;
          ADD_FAILURE() << wrong.what();
        }
      }
    });
  }
  for (std::size_t i = 1; i <= 100; ++i) {
    const std::size_t before = first + second;
    files.write(certificates[i % 2]);
    server->reload_certificates();
    EXPECT_TRUE(eventually([&] { return first + second > before; }));
    EXPECT_EQ(server.connect().tls()->shown(), i % 2 == 0 ? "first" : "second");
  }
  files.write({certificates[1].chain, certificates[0].private_key});
  EXPECT_THROW(server->reload_certificates(), std::invalid_argument);
  EXPECT_EQ(server.connect().tls()->shown(), "first");
  over = true;
  for (std::thread& each : clients) each.join();
  EXPECT_EQ(failed, 0U);
  EXPECT_GT(first, 0U);
  EXPECT_GT(second, 0U);
  std::printf("  100 swaps, %zu handshakes, %zu failed\n", first + second, failed.load());
}

// Each with certificates, deadlines and a protocol of its own, on the same loops.
TEST(tls_load, services_with_and_without_it_share_a_server) {
  constexpr std::size_t each_kind = 3;
  const callbacks<> names{.on_data = [](connection& peer, no_session&, bytes data) {
    peer.send(peer.tls() == nullptr ? std::string_view{"plain"} : peer.tls()->version);
    return data.size();
  }};
  server host{quietly({.threads = 2})};
  std::vector<endpoint> plain, secured;
  for (std::size_t i = 0; i < each_kind; ++i) {
    plain.push_back(host.serve(on_loopback(), names));
    service_options options = on_loopback();
    options.tls = tls_options{.certificate = self_signed({"service-" + std::to_string(i)})};
    secured.push_back(host.serve(std::move(options), names));
  }
  host.start();
  for (int round = 0; round < 20; ++round) {
    for (std::size_t i = 0; i < each_kind; ++i) {
      raw_client open{plain[i]};
      raw_client old{secured[i], {.tls = tls_session_options{.version = TLS1_2_VERSION}}};
      raw_client now{secured[i], {.tls = tls_session_options{.version = TLS1_3_VERSION}}};
      for (raw_client* const client : {&open, &old, &now}) client->send("who?");
      EXPECT_EQ(open.receive(5), "plain");
      EXPECT_EQ(old.receive(7), "TLSv1.2");
      EXPECT_EQ(now.receive(7), "TLSv1.3");
      EXPECT_EQ(now.tls()->shown(), "service-" + std::to_string(i));
    }
  }
  raw_client wrong{secured[0]};
  wrong.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(wrong.receive_to_end().error, 0);
  raw_client still{plain[0]};
  still.send("who?");
  EXPECT_EQ(still.receive(5), "plain");
}

}  // namespace
}  // namespace dwell
