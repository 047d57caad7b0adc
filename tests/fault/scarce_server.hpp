#pragma once

#include <dwell/server/server.hpp>

#include "engine/simulated/network.hpp"
#include "engine/simulated/peer.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace dwell::testing {

/// A client on the simulated network.
class plain_peer {
 public:
  plain_peer(network& net, std::uint16_t port) : net_{&net}, index_{net.connect(port).index} {}
  simulated_peer* operator->() {
    now_ = simulated_peer{*net_, (*net_)[index_]};
    return &now_;
  }
  std::string_view received() { return (*this)->received(); }
  /// The server has not released its end, and it was not refused.
  bool is_open() const { return (*net_)[index_][side::server].held; }
  bool is_over() const { return !(*net_)[index_][side::client].held; }

 private:
  network* net_;
  std::uint32_t index_;
  simulated_peer now_{*net_, (*net_)[index_]};
};

/// A server on the simulated engine whose own allocations are told from those of the network and
/// the clients (see scarce_memory). Counts how each connection ended.
class scarce_server {
 public:
  explicit scarce_server(server_options process = {});
  ~scarce_server();
  scarce_server(const scarce_server&) = delete;
  scarce_server& operator=(const scarce_server&) = delete;

  /// The port it is served at.
  std::uint16_t serve(service_options options, handler what);
  plain_peer connect(std::uint16_t port) { return {net_, port}; }
  void advance(duration time);
  /// For connections that the server makes itself.
  const std::function<void(const connection&, const close_record&)>* counts_close() const {
    return &count_close_;
  }
  server& facade() { return *server_; }
  network& net() { return net_; }

  /// Empty when every connection that was opened has ended once, and nothing is left of them.
  std::string what_is_left();

 private:
  class told_to_server;
  class counting_engine;
  network net_{1};
  std::map<connection_id, int> closes_;
  std::function<void(const connection&, const close_record&)> count_close_;
  counting_engine* io_ = nullptr;
  std::unique_ptr<told_to_server> events_;
  std::unique_ptr<server> server_;
};

}  // namespace dwell::testing
