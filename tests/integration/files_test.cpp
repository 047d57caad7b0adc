// What only a real kernel does when a file is sent.
#include <dwell/dwell.hpp>

#include "support/close_log.hpp"
#include "support/raw_client.hpp"
#include "support/running_server.hpp"

#include <asio/io_context.hpp>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <thread>
#include <unistd.h>

namespace dwell {
namespace {

/// Does nothing to SIGPIPE, as most programs that embed a server.
class default_sigpipe {
 public:
  default_sigpipe() : before_{std::signal(SIGPIPE, SIG_DFL)} {}
  default_sigpipe(const default_sigpipe&) = delete;
  default_sigpipe& operator=(const default_sigpipe&) = delete;
  ~default_sigpipe() { std::signal(SIGPIPE, before_); }

 private:
  void (*before_)(int);
};

std::shared_ptr<const file> a_file_of(std::size_t size) {
  std::FILE* const made = std::tmpfile();
  EXPECT_EQ(::ftruncate(::fileno(made), static_cast<off_t>(size)), 0);
  auto opened = std::make_shared<const file>(::dup(::fileno(made)));
  std::fclose(made);
  return opened;
}

TEST(files, a_reset_while_one_is_sent_does_not_end_the_process_that_embeds_us) {
  constexpr std::size_t size = 50'000'000;
  const default_sigpipe scope;
  asio::io_context context{1};
  close_log records;
  const auto opened = a_file_of(size);
  const callbacks<> sends{.on_data = [&](connection& peer, no_session&, bytes data) {
    peer.send_file({.of = opened, .size = size});
    return data.size();
  }};
  server embedded{context, quietly()};
  const endpoint where =
      embedded.serve(records.listening({.listen = {.address = "127.0.0.1"}}), sends);
  std::thread runner{[&] { context.run(); }};
  for (int i = 0; i < 20; ++i) {
    raw_client client{where, {.receive_buffer = 4096}};
    client.send("x");
    client.receive(1000);
    client.shutdown_send();  // in CLOSE_WAIT a reset becomes EPIPE
    raw_client::dawdle(std::chrono::milliseconds{2});
    client.reset();
  }
  EXPECT_TRUE(records.wait_for(20));
  context.stop();
  runner.join();
  EXPECT_EQ(opened.use_count(), 1);
}

}  // namespace
}  // namespace dwell
