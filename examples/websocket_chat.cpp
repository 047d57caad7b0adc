// A chat for browsers: one page, and the WebSocket that it opens. What one member says goes to all,
// whatever loop they are on.

#include <dwell/http.hpp>

#include "common/flags.hpp"
#include "common/serve.hpp"
#include "websocket_chat_page.hpp"

#include <nlohmann/json.hpp>

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace {

namespace http = dwell::http;
using namespace std::chrono_literals;
using json = nlohmann::json;

constexpr std::size_t longest_name = 64;
constexpr std::size_t longest_message = 4096;
/// A member that has this much left to receive does not keep up, and misses what is said.
constexpr std::size_t most_queued = std::size_t{256} * 1024;
/// What has been said and waits to be passed on, of all members together.
constexpr std::size_t most_unsaid = std::size_t{1024} * 1024;

// snippet: room
/// Passes on what is said. One walk over the connections at a time, which takes along whatever was
/// said during the one before it: the busier the room, the more it says in one send.
class room {
 public:
  /// For `member`'s loop. A connection that is no member may be in the middle of something else.
  class membership {
   public:
    explicit membership(const http::websocket& member) : id_{member.peer().id()} {
      members_here().insert(id_);
    }
    membership(const membership&) = delete;
    membership& operator=(const membership&) = delete;
    ~membership() { members_here().erase(id_); }

   private:
    dwell::connection_id id_;
  };

  /// False: too much waits to be passed on, and nobody will hear this.
  bool say(dwell::server& server, const json& what) {
    const std::string frame = http::encode_websocket_text(what.dump());
    {
      const std::scoped_lock lock{mutex_};
      if (unsaid_.size() + frame.size() > most_unsaid) return false;
      unsaid_ += frame;
      if (std::exchange(telling_, true)) return true;
    }
    tell(server);
    return true;
  }

 private:
  /// Of the loop that calls.
  static std::unordered_set<dwell::connection_id>& members_here() {
    thread_local std::unordered_set<dwell::connection_id> here;
    return here;
  }

  /// Not under the lock: where a loop has ended, each() is done before it returns.
  void tell(dwell::server& server) {
    std::string frames;
    {
      const std::scoped_lock lock{mutex_};
      frames = std::exchange(unsaid_, {});
      telling_ = !frames.empty();
    }
    if (frames.empty()) return;
    server.each(
        [frames = std::move(frames)](dwell::connection& to) {
          if (!members_here().contains(to.id())) return;
          if (to.queued() + frames.size() <= most_queued) to.send(frames);
        },
        [this, &server] { tell(server); });
  }

  std::mutex mutex_;
  std::string unsaid_;  // whole frames
  bool telling_ = false;
};
// end snippet

/// The text under `key` in what a page has sent; nullopt: there is none.
std::optional<std::string> text_of(const json& sent, const char* key) {
  if (!sent.is_object() || !sent.contains(key) || !sent[key].is_string()) return std::nullopt;
  return sent[key].get<std::string>();
}

// snippet: chat
/// A page says {"name": …} when it comes, or changes its mind, and {"text": …} from then on.
dwell::task<> chat(http::websocket& socket, room& all, std::atomic<int>& members) {
  dwell::server& server = socket.peer().server();
  const room::membership here{socket};
  std::string name;
  while (auto message = co_await socket.read()) {
    const json sent = json::parse(message.text(), nullptr, false);
    if (auto chosen = text_of(sent, "name")) {
      if (chosen->empty() || chosen->size() > longest_name) {
        socket.close(http::websocket_close_code::policy_violation, "a name has 1 to 64 bytes");
      } else if (name.empty()) {
        name = *std::move(chosen);
        all.say(server, {{"joined", name}, {"members", ++members}});
      } else {
        all.say(server, {{"renamed", std::exchange(name, *chosen)}, {"to", *chosen}});
      }
    } else if (const auto text = text_of(sent, "text"); text && !name.empty()) {
      if (!all.say(server, {{"from", name}, {"text", *text}})) {
        socket.send_text(R"({"unheard":true})");
      }
    } else {
      socket.close(http::websocket_close_code::unsupported_data, "say {\"name\": …} first");
    }
  }
  if (!name.empty()) all.say(server, {{"left", name}, {"members", --members}});
}
// end snippet

http::response page(const http::request&) {
  return {.content_type = "text/html; charset=utf-8",
          .headers = {{"Content-Security-Policy",
                       "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
                       "connect-src 'self'; img-src data:"}},
          .static_body = chat_page};
}

}  // namespace

int main(int argc, char** argv) {
  flags chosen;
  chosen.service.name = "chat";
  chosen.service.listen.port = 8080;
  chosen.service.deadlines.write = 5s;  // nobody waits for a member that does not read
  http::websocket_options options{.message = longest_message, .ping_interval = 20s};
  command_line line{"websocket_chat", "A chat for browsers, over WebSocket.",
                    "  websocket_chat                      then open http://127.0.0.1:8080\n"
                    "  websocket_chat --listen 0.0.0.0:8443 --tls-self-signed --threads 2\n"
                    "  websocket_chat --ping off --idle 30s\n"
                    "\n"
                    "GET /      the page\n"
                    "GET /chat  its WebSocket, for pages of the same host\n",
                    chosen};
  line.add_deadline("--ping", options.ping_interval,
                    "Ping who has been silent for that long, and close who does not answer");
  line.app()
      .add_option("--origin", options.origins, "Pages of others that may connect; *: all")
      ->type_name("URL");
  return line.run(argc, argv, [&] {
    room all;
    std::atomic<int> members{0};
    http::router routes;
    routes.get("/", page).get(
        "/chat", http::websocket_handler(
                     [&](http::websocket& socket) { return chat(socket, all, members); }, options));
    return serve(chosen, http::serve(std::move(routes)));
  });
}
