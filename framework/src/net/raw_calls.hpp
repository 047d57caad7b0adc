#pragma once

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace dwell::inline v0 {

// The calls of the data plane past the wrappers of glibc. Those are cancellation points: in a
// process with threads each costs two locked instructions more than the kernel asks for, and nobody
// cancels a loop. ThreadSanitizer looks into them, too, and takes a number for the same descriptor
// in every table.

inline int raw_close(int descriptor) noexcept {
  return static_cast<int>(::syscall(SYS_close, descriptor));
}
inline int raw_accept(int listener, sockaddr* from, socklen_t* size, int flags) noexcept {
  return static_cast<int>(::syscall(SYS_accept4, listener, from, size, flags));
}
inline int raw_socket(int family, int type) noexcept {
  return static_cast<int>(::syscall(SYS_socket, family, type, 0));
}
inline int raw_connect(int descriptor, const sockaddr* to, socklen_t size) noexcept {
  return static_cast<int>(::syscall(SYS_connect, descriptor, to, size));
}
inline int raw_shutdown(int descriptor, int how) noexcept {
  return static_cast<int>(::syscall(SYS_shutdown, descriptor, how));
}

}  // namespace dwell::inline v0
