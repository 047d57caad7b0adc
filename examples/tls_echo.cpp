// Echo over TLS, with who the client is: tls_echo [CHAIN KEY].

#include <dwell/dwell.hpp>

#include <csignal>
#include <exception>
#include <iostream>
#include <utility>

// snippet: handler
dwell::task<> echo(dwell::connection& peer) {
  const dwell::tls_facts& agreed = *peer.tls();
  std::cout << agreed.version << ' ' << agreed.cipher << (agreed.resumed ? ", resumed" : "")
            << std::endl;
  while (auto data = co_await peer.read()) co_await peer.write(data);
  if (agreed.truncated) std::cout << "truncated: its end came without close_notify" << std::endl;
}
// end snippet

int main(int argc, char** argv) {
  try {
    dwell::tls_certificate shown =
        argc == 3 ? dwell::tls_certificate{argv[1], argv[2]} : dwell::self_signed();
    // snippet: serve
    dwell::server server;
    const dwell::endpoint where =
        server.serve({.listen = {.address = "127.0.0.1", .port = 7443},
                      .tls = dwell::tls_options{.certificate = std::move(shown)}},
                     echo);
    server.on_signal(SIGHUP, [&server] { server.reload_certificates(); });
    // end snippet
    std::cout << "listening on " << to_string(where) << std::endl;
    return server.run();
  } catch (const std::exception& failed) {
    std::cerr << "tls_echo: " << failed.what() << '\n';
    return 1;
  }
}
