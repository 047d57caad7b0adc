#pragma once

#include "result.hpp"

namespace load {

/// What there is to say about the machine and both ends of a run: the calling thread's network is
/// the client's. The server's is asked where `of.server` is known and ours to see. `link` and
/// `server` are told by the way there; own_server knows better.
environment describe(const plan& of);

}  // namespace load
