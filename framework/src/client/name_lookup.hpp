#pragma once

#include "connection/loop.hpp"
#include "net/socket_address.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace dwell::inline v0 {

/// One name looked up by Asio's resolver on the loop's io_context: getaddrinfo(3) on a thread of
/// its own. When this goes first, what comes is for nobody; getaddrinfo itself cannot be stopped,
/// and whoever destroys the io_context waits for it.
class name_lookup {
 public:
  /// Calls `done` in a turn of the loop, once; without addresses when there are none.
  name_lookup(loop& on, const std::string& host, std::uint16_t port,
              std::function<void(std::vector<raw_address>)> done);
  name_lookup(const name_lookup&) = delete;
  name_lookup& operator=(const name_lookup&) = delete;
  ~name_lookup();

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace dwell::inline v0
