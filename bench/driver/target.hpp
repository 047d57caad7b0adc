#pragma once
#include <string>
#include <sys/socket.h>
#include <vector>

// Where to connect.
struct target {
  sockaddr_storage address{};
  socklen_t length = 0;
};

// `ADDR:PORT`, `[ADDR]:PORT`, `HOST:PORT` or `unix:PATH`. Throws std::invalid_argument, which says
// what is wrong with `text`.
target parse_target(const std::string& text);

// A new non-blocking socket that has begun to connect. Below zero: the negated errno.
// `ack_with_data`: the handshake's last ACK waits for the first bytes sent, so that an accepted
// connection has its request (tcp(7), TCP_QUICKACK off).
int start_connecting(const target& to, bool ack_with_data);

// A new connected, blocking socket: a full accept queue makes this slow instead of failing it.
// Below zero: the negated errno.
int connect_now(const target& to);
