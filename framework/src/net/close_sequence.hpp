#pragma once

namespace dwell::inline v0 {

/// The system calls that decide what a close does on the wire. Their order is the lifecycle's
/// business.

/// TCP_CORK: while on, a partial segment waits, up to 200 ms, for more bytes or for our FIN; off
/// sends it (tcp(7)).
void set_cork(int descriptor, bool on) noexcept;

/// TCP_LINGER2 = -1: after close(), the orphan is reset as soon as its FIN is acknowledged, instead
/// of waiting in FIN_WAIT2 and then TIME_WAIT. Returns whether the kernel took it.
bool set_no_time_wait(int descriptor) noexcept;

/// TCP_LINGER2 as net.ipv4.tcp_fin_timeout says: takes the above back.
void allow_time_wait(int descriptor) noexcept;

/// Whether this kernel takes TCP_LINGER2 = -1 and says so when asked; tried once on a socket of its
/// own.
bool no_time_wait_works() noexcept;

/// SO_LINGER with a timeout of 0, then close(): RST, and what was not acknowledged is lost
/// (socket(7)).
void close_with_reset(int descriptor) noexcept;

}  // namespace dwell::inline v0
