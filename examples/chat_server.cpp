// A line from one member goes to all others, whatever loop they are on.

#include "common/flags.hpp"
#include "common/serve.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace {

using namespace std::chrono_literals;

constexpr std::size_t longest_line = 1024;
constexpr std::size_t longest_name = 32;
/// A member that has this much left to receive does not keep up, and misses lines. One that takes
/// nothing at all is ended by deadlines.write. Nobody waits for either.
constexpr std::size_t most_queued = std::size_t{256} * 1024;

struct member {
  std::string name;
  bool line_begun = false;
};

// snippet: room
/// To everybody else. Until that is done the member is not listened to, so nobody fills the room
/// faster than it empties; and since that is one post per member, the mailbox has room.
void tell_all(dwell::connection& from, std::string lines) {
  dwell::server& server = from.server();
  const dwell::connection_id sender = from.id();
  from.pause();
  server.each(
      [sender, lines = std::move(lines)](dwell::connection& to) {
        if (to.id() != sender && to.queued() + lines.size() <= most_queued) to.send(lines);
      },
      [sender, &server] { server.post(sender, [](dwell::connection& peer) { peer.resume(); }); });
}
// end snippet

void rename(dwell::connection& peer, member& self, std::string_view name) {
  if (name.empty() || name.size() > longest_name) {
    peer.send("* /name NAME takes 1 to 32 characters\n");
    return;
  }
  self.name = name;
  peer.send("* you are " + self.name + '\n');
}

/// Obeys a line; what is not a command is added to what the others are to hear.
void hear(dwell::connection& peer, member& self, std::string_view line, std::string& said) {
  constexpr std::string_view name_command = "/name ";
  if (line.starts_with(name_command)) {
    rename(peer, self, line.substr(name_command.size()));
  } else if (line == "/quit") {
    peer.close();
  } else {
    said.append(self.name).append(": ").append(line) += '\n';
  }
}

/// The first line of `data`, its end included; nothing when that has not come.
std::optional<std::string_view> first_line(dwell::bytes data) {
  const std::size_t end = data.text().find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  return data.text().substr(0, end + 1);
}

std::string_view without_end(std::string_view line) {
  line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// snippet: messages
/// Takes whole lines. A line is a message: deadlines.read bounds it from its first byte to its
/// last, and it is an exchange of its own.
std::size_t listen(dwell::connection& peer, member& self, dwell::bytes data) {
  std::string said;
  std::size_t taken = 0;
  while (const auto line = first_line(data.subview(taken))) {
    if (line->size() > longest_line) {
      peer.close(dwell::close_reason::protocol_error);
      break;
    }
    taken += line->size();
    peer.message_received();
    hear(peer, self, without_end(*line), said);
    if (!peer.exchange_finished()) break;
  }
  const bool rest = taken < data.size();
  if (rest && (taken > 0 || !self.line_begun)) peer.message_started();
  self.line_begun = rest;
  if (!said.empty()) tell_all(peer, std::move(said));
  return taken;
}
// end snippet

bool welcome(dwell::connection& peer, member& self) {
  peer.delimits_messages();
  self.name = "guest-" + to_string(peer.id());
  peer.send("* you are " + self.name + "; /name NAME changes that, /quit leaves\n");
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  flags chosen;
  command_line line{"chat_server", "Passes each line on to everybody else; try it with nc.",
                    "  chat_server --listen 127.0.0.1:7777 --threads 2\n"
                    "  chat_server --listen unix:/tmp/chat.sock --idle 5min\n",
                    chosen};
  chosen.service.name = "chat";
  chosen.service.limits.message = longest_line;
  chosen.service.deadlines.write = 5s;  // nobody waits for a member that does not read
  return line.run(argc, argv, [&] {
    return serve(chosen, dwell::callbacks<member>{.on_open = welcome, .on_data = listen});
  });
}
