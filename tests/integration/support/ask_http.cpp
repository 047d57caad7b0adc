#include "support/ask_http.hpp"

#include "support/raw_client.hpp"

#include <stdexcept>

namespace dwell {

http_reply parse_reply(std::string_view text) {
  const auto line = [&text] {
    const std::size_t end = text.find("\r\n");
    if (end == std::string_view::npos) throw std::runtime_error{"no reply, or one cut short"};
    const std::string_view first = text.substr(0, end);
    text.remove_prefix(end + 2);
    return first;
  };
  http_reply reply;
  reply.status = std::stoi(std::string{line().substr(9, 3)});
  for (auto field = line(); !field.empty(); field = line()) {
    const std::size_t colon = field.find(": ");
    reply.headers.emplace(field.substr(0, colon), field.substr(colon + 2));
  }
  reply.body = text;
  return reply;
}

http_reply ask(const endpoint& where, std::string_view what, std::string_view fields) {
  raw_client client{where};
  client.send(std::string{what} + " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n" +
              std::string{fields} + "\r\n");
  return parse_reply(client.receive_to_end().data);
}

}  // namespace dwell
