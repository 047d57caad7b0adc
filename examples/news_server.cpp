// Server-sent events: whatever is posted to /news reaches all who listen to /events.

#include <dwell/http.hpp>

#include "common/flags.hpp"
#include "common/serve.hpp"

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace std::chrono_literals;
namespace http = dwell::http;

constexpr std::size_t longest_news = 1024;
/// A listener that has this much left to receive does not keep up, and misses news.
constexpr std::size_t most_queued = std::size_t{256} * 1024;

/// Who listens, on all loops. A stream is looked at on its own loop only.
class listeners {
 public:
  void add(dwell::connection_id id, std::weak_ptr<http::exchange> stream) {
    const std::lock_guard lock{mutex_};
    std::erase_if(all_, [](const listener& each) { return each.stream.expired(); });
    all_.push_back({id, std::move(stream)});
  }

  std::size_t tell(dwell::server& server, const std::string& event) {
    const std::lock_guard lock{mutex_};
    std::size_t told = 0;
    for (const listener& each : all_) {
      const bool posted = server.post(each.id, [to = each.stream, event](dwell::connection& peer) {
        const auto open = to.lock();
        if (open && peer.queued() < most_queued) open->send(event);
      });
      if (posted && !each.stream.expired()) ++told;
    }
    return told;
  }

 private:
  struct listener {
    dwell::connection_id id;
    std::weak_ptr<http::exchange> stream;
  };
  std::mutex mutex_;
  std::vector<listener> all_;
};

// snippet: heartbeat
/// A comment, which clients skip, for as long as the stream is there.
void beat(dwell::connection& peer, dwell::duration every, std::weak_ptr<http::exchange> stream) {
  peer.after(every, [every, stream](dwell::connection& same) {
    const auto open = stream.lock();
    if (open && open->send(":\n\n")) beat(same, every, stream);
  });
}

dwell::task<> events(http::exchange& exchange, listeners& all, dwell::duration heartbeat) {
  exchange.begin({.content_type = "text/event-stream", .headers = {{"Cache-Control", "no-store"}}});
  // Ends with this coroutine, which is what the weak ones ask.
  const std::shared_ptr<http::exchange> stream{std::make_shared<char>(), &exchange};
  exchange.send("retry: 1000\n\n");
  all.add(exchange.peer().id(), stream);
  beat(exchange.peer(), heartbeat, stream);
  while (exchange.peer().is_open()) co_await dwell::sleep_for(24h);  // until the listener leaves
}
// end snippet

/// The lines of a text as one event.
std::string as_event(std::string_view text) {
  std::string made = "data: ";
  for (const char c : text) {
    if (c == '\n') {
      made += "\ndata: ";
    } else if (c != '\r') {
      made += c;
    }
  }
  return made += "\n\n";
}

http::response publish(const http::request& request, listeners& all) {
  if (request.body().empty() || request.body().size() > longest_news) {
    return {.status = http::status::bad_request, .body = "use 1 to 1024 bytes\n"};
  }
  const std::size_t told = all.tell(request.peer().server(), as_event(request.body()));
  return {.status = http::status::accepted, .body = std::to_string(told) + " listen\n"};
}

constexpr std::string_view page = R"(<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>News</title>
<style>
  :root { color-scheme: light dark }
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem }
  form { display: flex; gap: .5rem }
  input { flex: 1; min-width: 0 }
  input, button { font: inherit; padding: .4rem .6rem }
  li { overflow-wrap: anywhere }
</style>
<h1>News</h1>
<form><input name="text" aria-label="News" maxlength="300" required autofocus><button>Publish</button></form>
<p id="state" role="status">connecting</p>
<ul id="list"></ul>
<script>
  const state = document.getElementById('state'), list = document.getElementById('list');
  const source = new EventSource('/events');
  source.onopen = () => { state.textContent = 'listening'; };
  source.onerror = () => { state.textContent = 'connecting'; };
  source.onmessage = event => {
    const item = document.createElement('li');
    item.textContent = event.data;
    list.prepend(item);
    while (list.children.length > 200) list.lastChild.remove();
  };
  document.forms[0].onsubmit = event => {
    event.preventDefault();
    const text = event.target.text;
    fetch('/news', { method: 'POST', body: text.value });
    text.value = '';
  };
</script>
)";

}  // namespace

int main(int argc, char** argv) {
  flags chosen;
  chosen.service.listen.port = 8080;
  command_line line{"news_server", "What is posted to /news reaches all who listen to /events.",
                    "  news_server --listen 127.0.0.1:8080 --threads 2\n"
                    "  curl -N http://127.0.0.1:8080/events\n"
                    "  curl -d 'It rains.' http://127.0.0.1:8080/news\n",
                    chosen};
  dwell::duration heartbeat = 15s;
  line.add_deadline("--heartbeat", heartbeat,
                    "Time between two signs of life to a listener, below --handle; who is gone is "
                    "noticed with the next");
  return line.run(argc, argv, [&] {
    listeners all;
    http::router routes;
    routes
        .get("/",
             [](const http::request&) {
               return http::response{.content_type = "text/html; charset=utf-8",
                                     .static_body = page};
             })
        .get("/events", [&](http::exchange& exchange) { return events(exchange, all, heartbeat); })
        .post("/news", [&all](const http::request& request) { return publish(request, all); });
    return serve(chosen, http::serve(std::move(routes)));
  });
}
