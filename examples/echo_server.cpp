// Sends back what it gets: over long connections as it comes, over short ones when it is whole.

#include "common/flags.hpp"
#include "common/serve.hpp"

#include <algorithm>
#include <string>

namespace {

enum class style { callbacks, coroutine };

/// At least `size` bytes at a time.
dwell::callbacks<> echo_callbacks(std::size_t size) {
  return {.on_data = [size](dwell::connection& peer, dwell::no_session&, dwell::bytes data) {
    if (data.size() < size) return std::size_t{0};  // all of it comes again, with more
    peer.send(data);
    return data.size();
  }};
}

dwell::task<> echo(dwell::connection& peer) {
  while (auto data = co_await peer.read()) co_await peer.write(data);
}

/// One exchange of `size` bytes or a little more.
class echo_once {
 public:
  explicit echo_once(std::size_t size) noexcept : size_{size} {}

  dwell::task<> operator()(dwell::connection& peer) const {
    std::string message;
    while (message.size() < size_) {
      const auto data = co_await peer.read();
      if (!data) co_return;
      message += data.text();
    }
    co_await peer.write(message);
  }

 private:
  std::size_t size_;
};

/// A message must fit into what a connection may keep of its input, and of its output.
void make_room(dwell::limits& limits, std::size_t size) {
  limits.message = std::max(limits.message, size);
  limits.output = std::max(limits.output, size + limits.message);
}

}  // namespace

int main(int argc, char** argv) {
  flags chosen;
  style handler = style::callbacks;
  std::size_t size = 1;
  command_line line{"echo_server", "Sends back what it gets.",
                    "  echo_server --listen 127.0.0.1:7777 --idle 10s\n"
                    "  echo_server --listen '[::1]:0' --threads 2 --handler coroutine\n"
                    "  echo_server --mode short --size 10kb --close abort-after-fin\n"
                    "  echo_server --listen unix:/tmp/echo.sock --log-level off\n",
                    chosen};
  line.add_choice("--handler", handler,
                  {{"callbacks", style::callbacks}, {"coroutine", style::coroutine}},
                  "What answers [callbacks]");
  const CLI::Option* const size_flag =
      line.app()
          .add_option("--size", size, "With --mode short: bytes of an exchange [what comes first]")
          ->transform(CLI::AsSizeValue(true).description(""))
          ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 30U).description(""))
          ->type_name("BYTES");

  return line.run(argc, argv, [&] {
    const bool brief = chosen.service.mode == dwell::connection_mode::short_lived;
    if (*size_flag && !brief) throw std::invalid_argument{"--size is for --mode short; add it"};
    make_room(chosen.service.limits, size);
    if (handler == style::callbacks) return serve(chosen, echo_callbacks(size));
    if (brief) return serve(chosen, echo_once{size});
    return serve(chosen, echo);
  });
}
