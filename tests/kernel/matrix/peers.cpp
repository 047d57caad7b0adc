// The peers, as functions of blocking calls.

#include "matrix/cells.hpp"
#include "support/raw_client.hpp"

#include <algorithm>
#include <system_error>

namespace dwell {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view request = "get?";

void take(std::string_view data, exchange& what) {
  seen_by_peer& seen = what.of.seen;
  const std::string_view expected =
      what.reply.substr(std::min(seen.bytes, what.reply.size()), data.size());
  seen.as_sent = seen.as_sent && data == expected;
  seen.bytes += data.size();
}

/// True when there is more to come. Over TLS it ends with close_notify, whatever comes of the FIN.
bool read_some(raw_client& client, exchange& what, std::size_t at_most = 65'536) {
  try {
    const std::string data = client.receive_some(at_most);
    take(data, what);
    if (!data.empty()) return true;
    what.of.seen.close_notify = client.tls() != nullptr && client.tls()->got_close_notify();
    if (!what.of.seen.close_notify && !what.of.seen.end) what.of.seen.end = 0;
    return false;
  } catch (const std::system_error& failed) {
    what.of.seen.end = failed.code().value();
    return false;
  }
}

void await_fin(raw_client& client, exchange& what) {
  if (!what.of.seen.end) what.of.seen.end = client.receive_to_end().error;
}

void read_to_end(raw_client& client, exchange& what) {
  while (read_some(client, what)) {
  }
  await_fin(client, what);
}

/// Where the server asks for that, the last byte is the end.
bool has_all(const raw_client& client, const exchange& what) {
  return what.announced && client.tls() == nullptr && what.of.seen.bytes == what.reply.size();
}

void read_answer(raw_client& client, exchange& what, std::size_t at_most = 65'536) {
  while (!has_all(client, what) && read_some(client, what, at_most)) {
    if (at_most < 65'536) raw_client::dawdle(5ms);
  }
  if (!what.announced) await_fin(client, what);
}

void leave(raw_client& client) {
  client.say_goodbye();
  client.close();
}

void closes_at_once(raw_client& client, exchange& what) {
  client.send(request);
  read_answer(client, what);
  leave(client);
}

void holds_half_open(raw_client& client, exchange& what) {
  client.send(request);
  read_to_end(client, what);
}

void only_asks(raw_client& client, exchange&) { client.send(request); }

void reads_slowly(raw_client& client, exchange& what) {
  client.send(request);
  raw_client::dawdle(5ms);
  read_answer(client, what, 16 * 1024);
  leave(client);
}

void still_uploads(raw_client& client, exchange& what) {
  const std::string part(4'096, 'u');
  client.send(request);
  try {
    for (int i = 0; i < 50; ++i) {
      client.send(part);
      raw_client::dawdle(1ms);
    }
    read_answer(client, what);
  } catch (const std::system_error& failed) {
    read_to_end(client, what);  // what came before
    what.of.seen.end = failed.code().value();
  }
  leave(client);
}

void sends_more(raw_client& client, exchange& what) {
  client.send(request);
  read_to_end(client, what);
  client.try_send("more!");
  client.close();
}

void closes_at_the_same_moment(raw_client& client, exchange& what) {
  client.send(request);
  what.all.may_answer.wait(false);
  raw_client::dawdle(what.of.client_port % 16 * 1ms);  // about as long as the server takes for all
  try {
    if (const int error = client.say_goodbye(); error != 0) what.of.seen.end = error;
    client.shutdown_send();
  } catch (const std::system_error&) {  // reset before
  }
  ++what.all.shut;
  read_to_end(client, what);
  client.close();
}

}  // namespace

const peer_behaviour& leaves_tickets_unread() {
  static constexpr std::array<placement, close_form_count> nowhere{
      placement::nowhere, placement::nowhere, placement::nowhere,
      placement::nowhere, placement::nowhere, placement::nowhere};
  static constexpr peer_behaviour peer{.name = "leaves its tickets unread",
                                       .expected = nowhere,
                                       .act =
                                           [](raw_client& client, exchange& what) {
                                             client.send(request);
                                             what.all.may_answer.wait(false);
                                             while (what.all.answered != what.all.asked)
                                               raw_client::dawdle(1ms);
                                             raw_client::dawdle(20ms);
                                             client.close();
                                           },
                                       .on_signal = true,
                                       .reads = false};
  return peer;
}

const std::array<peer_behaviour, peer_behaviour_count>& peer_behaviours() {
  using enum placement;
  // In the order of close_forms(): graceful direct and lingering, peer_first, abort_after_fin
  // direct and lingering, abort.
  static constexpr std::array<peer_behaviour, peer_behaviour_count> peers{{
      {.name = "closes at once",
       .expected = {here, here, there, nowhere, here, nowhere},
       .act = closes_at_once},
      {.name = "holds half-open",
       .expected = {lost, nowhere, nowhere, nowhere, nowhere, nowhere},
       .act = holds_half_open,
       .close = 1'500ms,
       .holds = true},
      {.name = "vanishes",
       .expected = {lost, nowhere, nowhere, nowhere, nowhere, nowhere},
       .act = only_asks,
       .close = 300ms,
       .user_timeout = 1'000ms,
       .on_signal = true,
       .link = link::drops,
       .reads = false},
      {.name = "reads slowly, 1 MB in flight",
       .expected = {here, here, there, nowhere, here, nowhere},
       .act = reads_slowly,
       .reply = 1'000'000,
       .receive_buffer = 64 * 1024},
      {.name = "never reads",
       .expected = {lost, nowhere, nowhere, nowhere, nowhere, nowhere},
       .act = only_asks,
       .reply = 12'000,
       .receive_buffer = 2'304,
       .close = 300ms,
       .user_timeout = 1'000ms,
       .reads = false},
      {.name = "still uploading",
       .expected = {late, here, there, either, here, nowhere},
       .act = still_uploads,
       .talks_over = true},
      {.name = "sends more after our FIN",
       .expected = {lost, here, nowhere, nowhere, here, nowhere},
       .act = sends_more,
       .close = 2'000ms},
      {.name = "closes at the same moment",
       .expected = {any, any, any, any, any, nowhere},
       .act = closes_at_the_same_moment,
       .on_signal = true,
       .leaves_meanwhile = true},
      {.name = "FINs cross",
       .expected = {any, any, any, any, any, nowhere},
       .act = closes_at_the_same_moment,
       .on_signal = true,
       .link = link::holds_fins,
       .leaves_meanwhile = true},
  }};
  return peers;
}

}  // namespace dwell
