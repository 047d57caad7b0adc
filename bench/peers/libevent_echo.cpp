// Echo with libevent's bufferevents, as its documentation writes it.

#include "options.hpp"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

namespace {

struct session {
  const echo_options& options;
  std::uint64_t echoed = 0;
};

void finish(bufferevent* connection, session* self) {
  bufferevent_free(connection);
  delete self;
}

void on_read(bufferevent* connection, void* argument) {
  auto* const self = static_cast<session*>(argument);
  self->echoed += evbuffer_get_length(bufferevent_get_input(connection));
  evbuffer_add_buffer(bufferevent_get_output(connection), bufferevent_get_input(connection));
}

// All of the output has left.
void on_written(bufferevent* connection, void* argument) {
  auto* const self = static_cast<session*>(argument);
  if (self->options.closes && self->echoed >= self->options.size) finish(connection, self);
}

void on_event(bufferevent* connection, short, void* argument) {
  finish(connection, static_cast<session*>(argument));
}

void on_accept(evconnlistener* listener, evutil_socket_t socket, sockaddr*, int, void* argument) {
  bufferevent* const connection =
      bufferevent_socket_new(evconnlistener_get_base(listener), socket, BEV_OPT_CLOSE_ON_FREE);
  bufferevent_setcb(connection, on_read, on_written, on_event,
                    new session{*static_cast<const echo_options*>(argument)});
  bufferevent_enable(connection, EV_READ | EV_WRITE);
}

void on_signal(evutil_socket_t, short, void* base) {
  event_base_loopbreak(static_cast<event_base*>(base));
}

}  // namespace

int main(int argc, char** argv) {
  echo_options options = read_echo_options(argc, argv, "Echo with libevent's bufferevents.");
  event_base* const base = event_base_new();
  evconnlistener* const listener = evconnlistener_new(
      base, on_accept, &options, LEV_OPT_CLOSE_ON_FREE, 0, listen_on(options.listen));
  if (listener == nullptr) die("evconnlistener_new");
  std::array<event*, 2> signals{};
  for (std::size_t i = 0; i < signals.size(); ++i) {
    signals[i] = evsignal_new(base, i == 0 ? SIGINT : SIGTERM, on_signal, base);
    event_add(signals[i], nullptr);
  }
  event_base_dispatch(base);
  for (event* each : signals) event_free(each);
  evconnlistener_free(listener);
  event_base_free(base);
}
