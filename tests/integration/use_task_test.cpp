#include <dwell/asio.hpp>
#include <dwell/dwell.hpp>

#include "support/running_server.hpp"

#include <asio/buffer.hpp>
#include <asio/compose.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

namespace dwell {
namespace {

using namespace std::chrono_literals;
using asio::ip::tcp;

std::string ask(raw_client& peer, std::string_view text) {
  peer.send(text);
  return peer.receive(text.size());
}

bool forgets_everything(running_server& server) {
  return eventually(
      [&] { return server->counts().live == 0 && server->counts().waiting_for_frames == 0; });
}

task<> echo(connection& peer) {
  while (auto data = co_await peer.read()) co_await peer.write(data);
}

tcp::endpoint loopback(const endpoint& where) {
  return {asio::ip::address_v4::loopback(), where.port};
}

TEST(use_task, awaits_a_timer) {
  running_server it{{}, [](connection& peer) -> task<> {
                      const auto here = std::this_thread::get_id();
                      asio::steady_timer timer{dwell::executor(peer)};
                      while (auto data = co_await peer.read()) {
                        timer.expires_after(10ms);
                        auto [error] = co_await timer.async_wait(use_task);
                        EXPECT_FALSE(error);
                        EXPECT_EQ(std::this_thread::get_id(), here);
                        co_await peer.write(data);
                      }
                    }};
  raw_client peer = it.connect();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(ask(peer, "tick"), "tick");
}

// A proxy with an upstream of Asio's, which is composed operations and all.
TEST(use_task, awaits_a_socket_and_composed_operations) {
  running_server upstream{{}, echo};
  const endpoint there = upstream.where();
  running_server it{{}, [there](connection& peer) -> task<> {
                      tcp::socket socket{dwell::executor(peer)};
                      auto [failed] = co_await socket.async_connect(loopback(there), use_task);
                      if (failed) co_return;
                      std::string reply;
                      while (auto data = co_await peer.read()) {
                        reply.resize(data.size());
                        const auto given = asio::buffer(data.data(), data.size());
                        auto [write_error, written] =
                            co_await asio::async_write(socket, given, use_task);
                        EXPECT_FALSE(write_error);
                        EXPECT_EQ(written, data.size());
                        auto [read_error, count] =
                            co_await asio::async_read(socket, asio::buffer(reply), use_task);
                        EXPECT_FALSE(read_error);
                        EXPECT_EQ(count, reply.size());
                        co_await peer.write(reply);
                      }
                    }};
  raw_client peer = it.connect();
  for (int i = 0; i < 100; ++i) {
    const std::string text = "through " + std::to_string(i);
    ASSERT_EQ(ask(peer, text), text);
  }
  const std::string much(50'000, 'm');
  EXPECT_EQ(ask(peer, much), much);
}

TEST(use_task, reports_errors_and_throws_nothing) {
  std::promise<std::error_code> error;
  running_server it{
      {}, [&](connection& peer) -> task<> {
        tcp::acceptor nobody{dwell::executor(peer), {asio::ip::address_v4::loopback(), 0}};
        const tcp::endpoint where = nobody.local_endpoint();
        nobody.close();
        tcp::socket socket{dwell::executor(peer)};
        auto [failed] = co_await socket.async_connect(where, use_task);
        error.set_value(failed);
      }};
  raw_client peer = it.connect();
  EXPECT_EQ(error.get_future().get(), asio::error::connection_refused);
}

TEST(use_task, hands_over_what_an_operation_makes) {
  running_server it{
      {}, [](connection& peer) -> task<> {
        tcp::acceptor acceptor{dwell::executor(peer), {asio::ip::address_v4::loopback(), 0}};
        peer.send(std::to_string(acceptor.local_endpoint().port()) + '\n');
        auto [error, socket] = co_await acceptor.async_accept(use_task);
        EXPECT_FALSE(error);
        std::array<char, 64> block{};
        auto [failed, count] = co_await socket.async_read_some(asio::buffer(block), use_task);
        EXPECT_FALSE(failed);
        co_await peer.write(std::string_view{block.data(), count});
      }};
  raw_client peer = it.connect();
  std::string port;
  while (!port.ends_with('\n')) port += peer.receive(1);
  raw_client second{{.port = static_cast<std::uint16_t>(std::stoi(port))}};
  second.send("over there");
  EXPECT_EQ(peer.receive_to_end().data, "over there");
}

TEST(use_task, is_cancelled_when_its_connection_ends) {
  std::promise<std::error_code> timer_error;
  std::promise<std::error_code> read_error;
  running_server it{
      {.deadlines = {.handle = 100ms}}, [&](connection& peer) -> task<> {
        if (const auto data = co_await peer.read(); data.text() == "timer") {
          asio::steady_timer timer{dwell::executor(peer), 10min};
          auto [error] = co_await timer.async_wait(use_task);
          timer_error.set_value(error);
        } else {
          tcp::acceptor acceptor{dwell::executor(peer), {asio::ip::address_v4::loopback(), 0}};
          tcp::socket left{dwell::executor(peer)};
          tcp::socket right{dwell::executor(peer)};
          left.connect(acceptor.local_endpoint());
          acceptor.accept(right);
          std::array<char, 64> block{};
          auto [error, count] = co_await asio::async_read(right, asio::buffer(block), use_task);
          EXPECT_EQ(count, 0U);
          read_error.set_value(error);
        }
        EXPECT_EQ(peer.reason(), close_reason::handle_timeout);
      }};
  raw_client first = it.connect();
  first.send("timer");
  raw_client second = it.connect();
  second.send("socket");
  EXPECT_EQ(timer_error.get_future().get(), asio::error::operation_aborted);
  EXPECT_EQ(read_error.get_future().get(), asio::error::operation_aborted);
  EXPECT_TRUE(forgets_everything(it));
}

TEST(use_task, operations_that_begin_after_the_end_are_left_alone) {
  std::promise<std::error_code> error;
  running_server it{{}, [&](connection& peer) -> task<> {
                      while (co_await peer.read()) {
                      }
                      peer.close();
                      co_await sleep_for(10min);  // the end cuts this short
                      asio::steady_timer timer{dwell::executor(peer), 20ms};
                      auto [after] = co_await timer.async_wait(use_task);
                      error.set_value(after);
                    }};
  { raw_client peer = it.connect(); }
  EXPECT_FALSE(error.get_future().get());
  EXPECT_TRUE(forgets_everything(it));
}

// Completes inside its own initiation, as far as Asio lets it.
template <class Token>
auto async_nothing(asio::io_context::executor_type on, Token&& token) {
  return asio::async_compose<Token, void(std::error_code, int)>(
      [](auto& self) { self.complete({}, 42); }, token, on);
}

TEST(use_task, bears_operations_that_complete_at_once) {
  running_server it{{}, [](connection& peer) -> task<> {
                      co_await peer.read();
                      int total = 0;
                      for (int i = 0; i < 1'000; ++i) {
                        auto [error, value] =
                            co_await async_nothing(dwell::executor(peer), use_task);
                        total += error ? 0 : value;
                      }
                      co_await peer.write(std::to_string(total));
                    }};
  raw_client peer = it.connect();
  peer.send("?");
  EXPECT_EQ(peer.receive_to_end().data, "42000");
}

TEST(use_task, is_destroyed_with_its_server) {
  running_server it{{}, [](connection& peer) -> task<> {
                      co_await peer.read();
                      asio::steady_timer timer{dwell::executor(peer), 10min};
                      // Cancelled by the abort that comes first, and then careless.
                      while (true) {
                        timer.expires_after(10min);
                        [[maybe_unused]] auto [error] = co_await timer.async_wait(use_task);
                      }
                    }};
  raw_client peer = it.connect();
  peer.send("?");
  EXPECT_TRUE(eventually([&] { return it->counts().received == 1; }));
}

// The io_context is the user's: it goes on when the server is gone, with what the reactor still had
// of it.
TEST(use_task, is_destroyed_with_an_embedded_server_while_the_io_context_goes_on) {
  asio::io_context host;
  tcp::acceptor acceptor{host, {asio::ip::address_v4::loopback(), 0}};
  tcp::socket quiet{host};
  tcp::socket other{host};
  other.connect(acceptor.local_endpoint());
  acceptor.accept(quiet);
  auto embedded = std::make_unique<server>(host, quietly());
  const endpoint where = embedded->serve(on_loopback(), [&](connection& peer) -> task<> {
    const auto data = co_await peer.read();
    std::array<char, 64> block{};
    // The socket outlives the frame, the buffer does not.
    if (data.text() == "some") {
      co_await quiet.async_read_some(asio::buffer(block), use_task);
    } else {
      co_await asio::async_read(quiet, asio::buffer(block), use_task);
    }
    ADD_FAILURE() << "nothing was sent";
  });
  raw_client some{where};
  some.send("some");
  raw_client all{where};
  all.send("all");
  while (embedded->counts().received < 7) host.run_one_for(1s);
  embedded.reset();
  other.send(asio::buffer("late", 4));
  host.restart();
  host.run_for(100ms);
  EXPECT_EQ(quiet.available(), 4U);
}

}  // namespace
}  // namespace dwell
