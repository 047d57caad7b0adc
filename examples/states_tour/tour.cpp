#include "tour.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <stdexcept>
#include <thread>

using dwell::tcp_state;

namespace {

/// Used up only where something is wrong.
constexpr std::chrono::seconds patience{20};

tcp_state state_of(const std::optional<dwell::tcp_socket>& socket) {
  return socket ? socket->state : tcp_state::closed;
}

/// Both FINs have been sent, or a reset: Dwell has no use for the descriptor any more.
bool is_released(tcp_state state) {
  return state == tcp_state::closing || state == tcp_state::time_wait || state == tcp_state::closed;
}

std::vector<transition> of_end(const std::vector<transition>& all, const observed_end& end) {
  std::vector<transition> own;
  std::ranges::copy_if(all, std::back_inserter(own), [&](const transition& one) {
    return one.local == end.local && (one.remote == end.remote || one.remote.port == 0);
  });
  return own;
}

}  // namespace

struct tour::ends_of_scene {
  /// `with_port` is the server's; the client's where there is no dwell::server to have it. So the
  /// trace sees both.
  ends_of_scene(const networks& joined, server_kind kind, const dwell::endpoint& with_port)
      : client{joined.client, networks::client_address,
               kind == server_kind::plain ? with_port.port : std::uint16_t{0}} {
    server_end.local = with_port;
    if (kind == server_kind::plain) {
      plain_server.emplace(joined.server, networks::server_address);
      server_end.local.port = plain_server->port();
      server_end.descriptor = plain_server->descriptor();
    }
    client_end = {.local = {.address = networks::client_address, .port = client.port()},
                  .remote = server_end.local,
                  .descriptor = client.descriptor()};
    server_end.remote = client_end.local;
  }

  plain_end client;
  std::optional<plain_end> plain_server;
  observed_end client_end;
  observed_end server_end;
};

tour::tour(const std::string& dwell_program)
    : networks_{make_networks()},
      port_{choose_port(networks_.wire)},
      tracepoint_{dwell_program, networks_, port_},
      wire_{networks_},
      client_view_{networks_.client, networks_.server},
      server_view_{networks_.server, networks_.server},
      server_{port_} {}

dwell::endpoint tour::server_endpoint() const {
  return {.address = networks::server_address, .port = port_};
}

/// Any: it tells this tour apart from others in the trace, which is of the whole machine.
std::uint16_t tour::choose_port(const network& where) {
  const plain_end any{where, "0.0.0.0"};
  return any.port();
}

std::optional<dwell::tcp_socket> tour::ask(side who, const ends_of_scene& ends) {
  if (who == side::client) return client_view_.ask(ends.client_end);
  auto found = server_view_.ask(ends.server_end);
  if (!found && !ends.plain_server) found = server_view_.ask_listener(ends.server_end);
  return found;
}

void tour::settle(tcp_state client, tcp_state server, const ends_of_scene& ends) {
  // Where a server has no connection any more, its listener is what is left.
  const auto reached = [&](tcp_state wanted, tcp_state seen) {
    return seen == wanted || (wanted == tcp_state::closed && seen == tcp_state::listen);
  };
  const auto end = std::chrono::steady_clock::now() + patience;
  while (true) {
    const tcp_state client_is = state_of(ask(side::client, ends));
    const tcp_state server_is = state_of(ask(side::server, ends));
    if (reached(client, client_is) && reached(server, server_is)) break;
    if (std::chrono::steady_clock::now() > end) {
      throw std::runtime_error{"by RFC 9293 the client is in " + std::string{to_string(client)} +
                               " and the server in " + std::string{to_string(server)} +
                               "; the kernel says " + std::string{to_string(client_is)} + " and " +
                               std::string{to_string(server_is)}};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  if (ends.plain_server) return;
  if (server == tcp_state::established) server_.await_open();
  if (is_released(server)) server_.await_closed();
}

void tour::read(station& where, const ends_of_scene& ends) {
  const auto happened = tracepoint_.news();
  const auto read_end = [&](side who, observed_end end, tcp_state state, bool plain) {
    reading one{.sock_diag = ask(who, ends), .tracepoint = of_end(happened, end)};
    const bool is_listener = one.sock_diag && one.sock_diag->state == tcp_state::listen;
    if (is_listener && state != tcp_state::listen) one.sock_diag.reset();
    if (!plain && one.sock_diag) end.descriptor = descriptor_of(one.sock_diag->inode);
    one.tcp_info = ask_tcp_info(end.descriptor);
    return one;
  };
  where.client_reading = read_end(side::client, ends.client_end, where.client, true);
  where.server_reading =
      read_end(side::server, ends.server_end, where.server, ends.plain_server.has_value());
}

void tour::tell_server(call what, const ends_of_scene& ends) {
  if (ends.plain_server) {
    ends.plain_server->connect(networks::client_address, ends.client.port());
    return;
  }
  server_.tell([what](dwell::connection& peer) {
    using enum dwell::close_method;
    switch (what) {
      case call::connect: break;
      case call::shutdown_send: peer.shutdown_send(); break;
      case call::close: peer.close(); break;
      case call::abort: peer.close(dwell::close_reason::finished, abort); break;
      case call::abort_after_fin: peer.close(dwell::close_reason::finished, abort_after_fin); break;
    }
  });
}

void tour::take(const step& one, ends_of_scene& ends) {
  if (!one.does) {
    wire_.deliver(other(one.who), one.flags);
  } else {
    if (one.who == side::server) {
      tell_server(*one.does, ends);
    } else if (*one.does == call::connect) {
      ends.client.connect(networks::server_address, ends.server_end.local.port);
    } else {
      ends.client.shutdown_send();
    }
    wire_.await(one.who, one.flags);
  }
  settle(one.client, one.server, ends);
}

void tour::prepare(const scene& what, ends_of_scene& ends) {
  wire_.carry(ends.client.port(), ends.server_end.local.port);
  if (what.begins_established) {
    for (const step& one : all_scenes().front().steps) take(one, ends);
    tracepoint_.news();
  } else {
    settle(what.client_begins(), what.server_begins(), ends);
  }
}

void tour::clean_up(ends_of_scene& ends) {
  if (!ends.plain_server) server_.forget();
  ends.client.reset();
  if (ends.plain_server) ends.plain_server->reset();
  tracepoint_.news();
}

void tour::play(const scene& what, std::size_t number, std::size_t steps, narrator& teller) {
  ends_of_scene ends{networks_, what.server, server_endpoint()};
  prepare(what, ends);
  teller.begins(what, number);
  station where{.client_endpoint = ends.client_end.local,
                .server_endpoint = ends.server_end.local,
                .client = what.client_begins(),
                .server = what.server_begins()};
  read(where, ends);
  teller.reached(what, where);
  for (std::size_t i = 0; i < steps; ++i) {
    const step& one = what.steps.at(i);
    take(one, ends);
    where = {.client_endpoint = where.client_endpoint,
             .server_endpoint = where.server_endpoint,
             .number = where.number + 1,
             .done = &one,
             .client = one.client,
             .server = one.server,
             .client_moved = one.client != where.client,
             .server_moved = one.server != where.server};
    read(where, ends);
    teller.reached(what, where);
  }
  teller.ends(what);
  clean_up(ends);
}
