// The other yardstick: an echo server by hand on io_uring, with what it offers for this: multishot
// accept and receive, buffers that the kernel picks from a ring, a close that follows its send.

#include "options.hpp"

#include <liburing.h>
#include <poll.h>
#include <utility>
#include <vector>

namespace {

constexpr unsigned entries = 4096;
constexpr unsigned buffer_count = 4096;  // a power of two
constexpr unsigned buffer_size = 2048;
constexpr int group = 0;

enum class work : std::uint8_t { accept, receive, send, shutdown, close, stop };

// What a completion says of its submission: what it was, which descriptor, which buffer.
struct tag {
  work what;
  std::uint16_t buffer;
  int fd;

  std::uint64_t packed() const {
    return std::uint64_t(static_cast<std::uint8_t>(what)) << 56U | std::uint64_t(buffer) << 32U |
           static_cast<std::uint32_t>(fd);
  }
  static tag from(std::uint64_t data) {
    return {static_cast<work>(data >> 56U), static_cast<std::uint16_t>(data >> 32U),
            static_cast<int>(static_cast<std::uint32_t>(data))};
  }
};

class echo_server {
 public:
  explicit echo_server(const echo_options& options)
      : options_(options), listener_(listen_on(options.listen)) {
    io_uring_params how{};
    how.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
    how.cq_entries = entries * 4;
    if (const int error = io_uring_queue_init_params(entries, &ring_, &how); error < 0) {
      errno = -error;
      die("io_uring (Linux 6.1 or newer, kernel.io_uring_disabled = 0)");
    }
    offer_buffers();
    submit(work::accept, listener_, [this](io_uring_sqe* s) {
      io_uring_prep_multishot_accept(s, listener_, nullptr, nullptr, 0);
    });
    submit(work::stop, signals_,
           [this](io_uring_sqe* s) { io_uring_prep_poll_add(s, signals_, POLLIN); });
  }

  void run() {
    while (running_) {
      const int error = io_uring_submit_and_wait(&ring_, 1);
      if (error < 0 && error != -EINTR) {
        errno = -error;
        die("io_uring_submit_and_wait");
      }
      ++enters_;
      unsigned head = 0;
      unsigned seen = 0;
      io_uring_cqe* completion = nullptr;
      io_uring_for_each_cqe(&ring_, head, completion) {
        ++seen;
        complete(*completion);
      }
      io_uring_cq_advance(&ring_, seen);
    }
    const auto requests = static_cast<double>(requests_ ? requests_ : 1);
    std::printf(R"({"requests": %lu, "io_uring_enter": %.3f})"
                "\n",
                requests_, static_cast<double>(enters_) / requests);
  }

 private:
  struct connection {
    std::uint64_t echoed = 0;
    bool closing = false;
  };

  char* buffer(std::uint16_t index) { return &memory_[std::size_t{index} * buffer_size]; }

  connection& at(int fd) {
    const auto index = static_cast<std::size_t>(fd);
    if (index >= connections_.size()) connections_.resize(index + 1024);
    return connections_[index];
  }

  void offer_buffers() {
    io_uring_buf_reg ring{};
    void* memory = nullptr;
    if (posix_memalign(&memory, 4096, buffer_count * sizeof(io_uring_buf)) != 0) die("memory");
    buffers_ = static_cast<io_uring_buf_ring*>(memory);
    ring.ring_addr = reinterpret_cast<std::uint64_t>(buffers_);
    ring.ring_entries = buffer_count;
    ring.bgid = group;
    if (const int error = io_uring_register_buf_ring(&ring_, &ring, 0); error < 0) {
      errno = -error;
      die("io_uring_register_buf_ring (Linux 5.19 or newer)");
    }
    io_uring_buf_ring_init(buffers_);
    for (unsigned i = 0; i < buffer_count; ++i) offer(static_cast<std::uint16_t>(i));
  }

  void offer(std::uint16_t index) {
    io_uring_buf_ring_add(buffers_, buffer(index), buffer_size, index,
                          io_uring_buf_ring_mask(buffer_count), 0);
    io_uring_buf_ring_advance(buffers_, 1);
  }

  template <typename Prepare>
  io_uring_sqe* submit(work what, int fd, Prepare prepare, std::uint16_t buffer = 0) {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    if (entry == nullptr) {
      io_uring_submit(&ring_);
      ++enters_;
      entry = io_uring_get_sqe(&ring_);
    }
    prepare(entry);
    io_uring_sqe_set_data64(entry, tag{what, buffer, fd}.packed());
    return entry;
  }

  void receive(int fd) {
    submit(work::receive, fd, [fd](io_uring_sqe* s) {
      io_uring_prep_recv_multishot(s, fd, nullptr, 0, 0);
      s->flags |= IOSQE_BUFFER_SELECT;
      s->buf_group = group;
    });
  }

  void close(int fd) {
    if (std::exchange(at(fd).closing, true)) return;
    submit(work::close, fd, [fd](io_uring_sqe* s) { io_uring_prep_close(s, fd); });
  }

  void complete(const io_uring_cqe& done) {
    const tag was = tag::from(io_uring_cqe_get_data64(&done));
    switch (was.what) {
      case work::accept:
        if (done.res >= 0) {
          at(done.res) = {};
          receive(done.res);
        }
        return;
      case work::receive: return received(was.fd, done);
      case work::send:
        offer(was.buffer);
        if (done.res < 0) close(was.fd);
        return;
      case work::shutdown:
      case work::close: return;
      case work::stop: running_ = false; return;
    }
  }

  void received(int fd, const io_uring_cqe& done) {
    if (done.res == -ENOBUFS) return receive(fd);
    if (done.res <= 0) return close(fd);
    const auto index = static_cast<std::uint16_t>(done.flags >> IORING_CQE_BUFFER_SHIFT);
    const auto size = static_cast<std::size_t>(done.res);
    ++requests_;
    connection& self = at(fd);
    self.echoed += size;
    const bool last = options_.closes && self.echoed >= options_.size;
    io_uring_sqe* const send = submit(
        work::send, fd,
        [&](io_uring_sqe* s) { io_uring_prep_send(s, fd, buffer(index), size, MSG_WAITALL); },
        index);
    if (last) {
      send->flags |= IOSQE_IO_LINK;
      // The multishot receive holds the socket: shutdown ends it, and sends our FIN at once.
      submit(work::shutdown, fd,
             [fd](io_uring_sqe* s) { io_uring_prep_shutdown(s, fd, SHUT_RDWR); });
    } else if ((done.flags & IORING_CQE_F_MORE) == 0U) {
      receive(fd);
    }
  }

  const echo_options& options_;
  int listener_;
  int signals_ = signal_descriptor();
  io_uring ring_{};
  io_uring_buf_ring* buffers_ = nullptr;
  std::vector<char> memory_ = std::vector<char>(std::size_t{buffer_count} * buffer_size);
  std::vector<connection> connections_;
  bool running_ = true;
  std::uint64_t requests_ = 0;
  std::uint64_t enters_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const echo_options options = read_echo_options(argc, argv, "Echo by hand on io_uring.");
  echo_server{options}.run();
}
