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

/// True when there is more to come.
bool read_some(raw_client& client, exchange& what, std::size_t at_most = 65'536) {
  try {
    const std::string data = client.receive_some(at_most);
    take(data, what);
    if (data.empty()) what.of.seen.end = 0;
    return !data.empty();
  } catch (const std::system_error& failed) {
    what.of.seen.end = failed.code().value();
    return false;
  }
}

void read_to_end(raw_client& client, exchange& what) {
  while (read_some(client, what)) {
  }
}

/// To the end; only to the last byte, where the server asks for that.
void read_answer(raw_client& client, exchange& what) {
  while (!(what.announced && what.of.seen.bytes == what.reply.size()) && read_some(client, what)) {
  }
}

void closes_at_once(raw_client& client, exchange& what) {
  client.send(request);
  read_answer(client, what);
  client.close();
}

void holds_half_open(raw_client& client, exchange& what) {
  client.send(request);
  read_to_end(client, what);
}

void only_asks(raw_client& client, exchange&) { client.send(request); }

void reads_slowly(raw_client& client, exchange& what) {
  client.send(request);
  do {
    raw_client::dawdle(5ms);
  } while (!(what.announced && what.of.seen.bytes == what.reply.size()) &&
           read_some(client, what, 16 * 1024));
  client.close();
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
  client.close();
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
    client.shutdown_send();
  } catch (const std::system_error&) {  // reset before
  }
  ++what.all.shut;
  read_to_end(client, what);
  client.close();
}

}  // namespace

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
       .on_signal = true},
      {.name = "FINs cross",
       .expected = {any, any, any, any, any, nowhere},
       .act = closes_at_the_same_moment,
       .on_signal = true,
       .link = link::holds_fins},
  }};
  return peers;
}

}  // namespace dwell
