#pragma once

#include "common/network.hpp"

/// A client's network and a server's. They are joined by nothing but what wire.hpp does with the
/// two devices that end in a third network.
struct networks {
  static constexpr const char* server_address = "10.77.0.1";
  static constexpr const char* client_address = "10.77.0.2";
  static constexpr const char* server_device = "to_server";  ///< in `wire`
  static constexpr const char* client_device = "to_client";

  bool made_by_root = false;  ///< otherwise in a user namespace
  network client{};
  network wire{};
  network server{};
};

/// Leaves the calling thread, the process's only one, in the server's network. Without root in a
/// user namespace. Throws not_here.
networks make_networks();
