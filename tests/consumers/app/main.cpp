#include <dwell/version.hpp>

#include <asio.hpp>

#include <iostream>

int main() {
  asio::io_context context;
  context.run();
  std::cout << dwell::version() << '\n';
}
