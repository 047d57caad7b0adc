#include "failures.hpp"

#include <cerrno>

failure failure_of(int error) {
  switch (error) {
    case ECONNREFUSED:
    case ENOENT: return failure::refused;
    case ECONNRESET:
    case EPIPE: return failure::reset;
    case ETIMEDOUT: return failure::timed_out;
    case EADDRNOTAVAIL: return failure::ports_exhausted;
    case EMFILE:
    case ENFILE: return failure::no_descriptors;
    default: return failure::other;
  }
}
