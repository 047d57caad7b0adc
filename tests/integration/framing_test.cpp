#include <dwell/dwell.hpp>

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

namespace {

dwell::task<> repeat(dwell::connection& peer) {
  dwell::framed messages{peer, dwell::length_prefixed{}};
  while (auto request = co_await messages.read()) co_await messages.write(request);
}

TEST(framed, sends_length_and_message_in_one_segment) {
  dwell::server server;
  const dwell::endpoint where = server.serve({.listen = {.address = "127.0.0.1"}}, repeat);
  server.start();
  const int client = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{.sin_family = AF_INET,
                 .sin_port = htons(where.port),
                 .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
  ASSERT_EQ(::connect(client, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);

  const std::string message = std::string{"\0\0\3\xe8", 4} + std::string(1'000, 'x');
  ASSERT_EQ(::send(client, message.data(), message.size(), 0),
            static_cast<ssize_t>(message.size()));
  std::string answer(message.size(), '\0');
  ASSERT_EQ(::recv(client, answer.data(), answer.size(), MSG_WAITALL),
            static_cast<ssize_t>(answer.size()));
  EXPECT_EQ(answer, message);

  // TCP_NODELAY is on, so each send makes a segment of its own.
  tcp_info facts{};
  socklen_t size = sizeof facts;
  ASSERT_EQ(::getsockopt(client, IPPROTO_TCP, TCP_INFO, &facts, &size), 0);
  EXPECT_EQ(facts.tcpi_data_segs_in, 1U);
  ::close(client);
}

}  // namespace
