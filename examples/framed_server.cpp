// Answers each message with itself in capitals: messages out of a stream of bytes, and back.

#include "common/flags.hpp"
#include "common/serve.hpp"

#include <algorithm>
#include <string>

namespace {

enum class framing { length, lines };

std::string in_capitals(dwell::bytes request) {
  std::string answer{request.text()};
  for (char& c : answer) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return answer;
}

dwell::task<> length_prefixed(dwell::connection& peer) {
  dwell::framed messages{peer, dwell::length_prefixed{}};
  while (auto request = co_await messages.read())   // idle until the first byte, then read
    co_await messages.write(in_capitals(request));  // handle, then write
}

dwell::task<> lines(dwell::connection& peer) {
  dwell::framed messages{peer, dwell::delimited{"\n"}};
  while (auto request = co_await messages.read()) co_await messages.write(in_capitals(request));
}

}  // namespace

int main(int argc, char** argv) {
  flags chosen;
  framing how = framing::length;
  command_line line{"framed_server", "Answers each message with itself in capitals.",
                    "  framed_server --listen 127.0.0.1:7777\n"
                    "  framed_server --framing lines --idle 10s    # then: nc 127.0.0.1 7777\n"
                    "  framed_server --mode short --max-message 1mb\n",
                    chosen};
  line.add_choice("--framing", how, {{"length", framing::length}, {"lines", framing::lines}},
                  "Four bytes of length before each message, or a line feed after it [length]");
  dwell::limits& limits = chosen.service.limits;
  line.app()
      .add_option("--max-message", limits.message, "Bytes of a message with its framing [64kb]")
      ->transform(CLI::AsSizeValue(true).description(""))
      ->check(CLI::Range(std::size_t{8}, std::size_t{1} << 30U).description(""))
      ->type_name("BYTES");

  return line.run(argc, argv, [&] {
    limits.output = std::max(limits.output, 2 * limits.message);  // one answer queued, one written
    return serve(chosen,
                 how == framing::length ? dwell::handler{length_prefixed} : dwell::handler{lines});
  });
}
