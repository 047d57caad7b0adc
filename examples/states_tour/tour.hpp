#pragma once

#include "ends.hpp"
#include "networks.hpp"
#include "observers.hpp"
#include "scenes.hpp"
#include "wire.hpp"

#include <cstddef>
#include <optional>
#include <string>

/// Both ends after a step, as the kernel says.
struct station {
  dwell::endpoint client_endpoint;
  dwell::endpoint server_endpoint;
  std::size_t number = 1;      ///< within the scene; 1 is how it begins
  const step* done = nullptr;  ///< null: the beginning
  dwell::tcp_state client{};
  dwell::tcp_state server{};
  bool client_moved = true;
  bool server_moved = true;
  reading client_reading;
  reading server_reading;
};

/// Somebody who tells what happens.
class narrator {
 public:
  narrator() = default;
  narrator(const narrator&) = delete;
  narrator& operator=(const narrator&) = delete;
  virtual ~narrator() = default;
  virtual void begins(const scene& what, std::size_t number) = 0;
  virtual void reached(const scene& what, const station& where) = 0;
  virtual void ends(const scene& what) = 0;
};

/// Drives connections from state to state, and asks everybody about each.
class tour {
 public:
  /// `dwell_program` tells of the tracepoint. Throws not_here.
  explicit tour(const std::string& dwell_program);

  const networks& joined() const noexcept { return networks_; }
  dwell::endpoint server_endpoint() const;
  /// Why the tracepoint says nothing; empty when it does.
  const std::string& tracepoint_missing() const noexcept { return tracepoint_.missing(); }

  /// Plays so many steps of a scene. Throws std::runtime_error when the kernel does not go where
  /// RFC 9293 says.
  void play(const scene& what, std::size_t number, std::size_t steps, narrator& teller);

 private:
  struct ends_of_scene;

  static std::uint16_t choose_port(const network& where);
  void prepare(const scene& what, ends_of_scene& ends);
  void take(const step& one, ends_of_scene& ends);
  void tell_server(call what, const ends_of_scene& ends);
  void clean_up(ends_of_scene& ends);
  std::optional<dwell::tcp_socket> ask(side who, const ends_of_scene& ends);
  void settle(dwell::tcp_state client, dwell::tcp_state server, const ends_of_scene& ends);
  void read(station& where, const ends_of_scene& ends);

  networks networks_;
  std::uint16_t port_;
  tracepoint tracepoint_;
  wire wire_;
  sock_diag client_view_;
  sock_diag server_view_;
  dwell_server server_;
};
