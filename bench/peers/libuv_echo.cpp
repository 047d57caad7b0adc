// Echo with libuv, as those write it who count: one buffer for all reads, and a write at once; what
// does not fit is copied into a request. (The guide's buffer for each read makes malloc give and
// take pages.)

#include "options.hpp"

#include <string>
#include <uv.h>

namespace {

struct session {
  uv_tcp_t socket{};
  const echo_options* options = nullptr;
  std::uint64_t echoed = 0;
};

/// What the socket had no room for.
struct write_request {
  uv_write_t request{};
  std::string rest;
};

void check(int result, const char* what) {
  if (result == 0) return;
  std::fprintf(stderr, "%s: %s\n", what, uv_strerror(result));
  std::exit(1);
}

void finish(uv_stream_t* stream) {
  auto* const handle = reinterpret_cast<uv_handle_t*>(stream);
  if (uv_is_closing(handle) != 0) return;
  uv_close(handle, [](uv_handle_t* closed) { delete static_cast<session*>(closed->data); });
}

void on_echoed(uv_stream_t* stream, std::size_t size) {
  auto* const self = static_cast<session*>(stream->data);
  self->echoed += size;
  if (self->options->closes && self->echoed >= self->options->size) finish(stream);
}

void on_written(uv_write_t* request, int status) {
  uv_stream_t* const stream = request->handle;
  auto* const written = static_cast<write_request*>(request->data);
  const std::size_t size = written->rest.size();
  delete written;
  status < 0 ? finish(stream) : on_echoed(stream, size);
}

void allocate(uv_handle_t*, std::size_t, uv_buf_t* buffer) {
  static std::array<char, 64 * 1024> shared;  // used up before the next read
  *buffer = uv_buf_init(shared.data(), shared.size());
}

void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
  if (size < 0) return finish(stream);
  if (size == 0) return;
  const uv_buf_t all = uv_buf_init(buffer->base, static_cast<unsigned>(size));
  const int tried = uv_try_write(stream, &all, 1);
  if (tried < 0 && tried != UV_EAGAIN) return finish(stream);
  const std::size_t written = tried < 0 ? 0 : static_cast<std::size_t>(tried);
  if (written == static_cast<std::size_t>(size)) return on_echoed(stream, written);
  auto* const more = new write_request;
  more->rest.assign(buffer->base + written, static_cast<std::size_t>(size) - written);
  more->request.data = more;
  const uv_buf_t rest = uv_buf_init(more->rest.data(), static_cast<unsigned>(more->rest.size()));
  if (written != 0) on_echoed(stream, written);
  uv_write(&more->request, stream, &rest, 1, on_written);
}

void on_connection(uv_stream_t* listener, int status) {
  if (status < 0) return;
  auto* const self = new session;
  uv_tcp_init(listener->loop, &self->socket);
  self->socket.data = self;
  self->options = static_cast<const echo_options*>(listener->data);
  auto* const stream = reinterpret_cast<uv_stream_t*>(&self->socket);
  if (uv_accept(listener, stream) == 0) {
    uv_read_start(stream, allocate, on_read);
  } else {
    finish(stream);
  }
}

}  // namespace

int main(int argc, char** argv) {
  echo_options options = read_echo_options(argc, argv, "Echo with libuv.");
  uv_loop_t* const loop = uv_default_loop();
  uv_tcp_t listener{};
  check(uv_tcp_init(loop, &listener), "uv_tcp_init");
  check(uv_tcp_open(&listener, listen_on(options.listen)), "uv_tcp_open");
  listener.data = &options;
  check(uv_listen(reinterpret_cast<uv_stream_t*>(&listener), SOMAXCONN, on_connection),
        "uv_listen");
  std::array<uv_signal_t, 2> signals{};
  for (std::size_t i = 0; i < signals.size(); ++i) {
    uv_signal_init(loop, &signals[i]);
    uv_signal_start(
        &signals[i], [](uv_signal_t* signal, int) { uv_stop(signal->loop); },
        i == 0 ? SIGINT : SIGTERM);
  }
  uv_run(loop, UV_RUN_DEFAULT);
}
