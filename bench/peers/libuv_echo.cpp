// Echo with libuv, as its guide writes it: a buffer per read, a request per write.

#include "options.hpp"

#include <uv.h>

namespace {

struct session {
  uv_tcp_t socket{};
  const echo_options* options = nullptr;
  std::uint64_t echoed = 0;
};

struct write_request {
  uv_write_t request{};
  uv_buf_t data{};
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

void on_written(uv_write_t* request, int status) {
  uv_stream_t* const stream = request->handle;
  auto* const self = static_cast<session*>(stream->data);
  auto* const written = reinterpret_cast<write_request*>(request);
  self->echoed += written->data.len;
  std::free(written->data.base);
  delete written;
  if (status < 0 || (self->options->closes && self->echoed >= self->options->size)) finish(stream);
}

void allocate(uv_handle_t*, std::size_t suggested, uv_buf_t* buffer) {
  *buffer =
      uv_buf_init(static_cast<char*>(std::malloc(suggested)), static_cast<unsigned>(suggested));
}

void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
  if (size <= 0) {
    std::free(buffer->base);
    if (size < 0) finish(stream);
    return;
  }
  auto* const out = new write_request;
  out->data = uv_buf_init(buffer->base, static_cast<unsigned>(size));
  uv_write(&out->request, stream, &out->data, 1, on_written);
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
