#include "observers.hpp"

#include <nlohmann/json.hpp>

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr const char* everywhere = "0.0.0.0";

/// "1.2.3.4:80"; an end without a port is empty.
dwell::endpoint end_of(const nlohmann::json& line, const char* which) {
  const auto text = line.at(which).get<std::string>();
  return text.ends_with(":0") ? dwell::endpoint{} : dwell::parse_endpoint(text);
}

}  // namespace

tracepoint::tracepoint(const std::string& program, const networks& joined, std::uint16_t port)
    : empty_{joined.wire}, port_{port} {
  if (joined.made_by_root) {
    start(program, joined);
  } else {
    missing_ = "it needs root outside of containers";
  }
}

void tracepoint::start(const std::string& program, const networks& joined) {
  std::array<int, 2> output{};
  std::array<int, 2> errors{};
  if (::pipe2(output.data(), O_CLOEXEC) != 0 || ::pipe2(errors.data(), O_CLOEXEC) != 0) {
    throw std::system_error{errno, std::generic_category(), "pipe"};
  }
  const std::string where = ':' + std::to_string(port_);
  joined.wire.enter();
  child_ = ::fork();
  if (child_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    ::dup2(output[1], STDOUT_FILENO);
    ::dup2(errors[1], STDERR_FILENO);
    ::execlp(program.c_str(), program.c_str(), "trace", where.c_str(), "--json", nullptr);
    const std::string why = program + ": " + std::strerror(errno) + '\n';
    [[maybe_unused]] const auto said = ::write(STDERR_FILENO, why.data(), why.size());
    ::_exit(127);
  }
  joined.server.enter();
  ::close(output[1]);
  ::close(errors[1]);
  output_ = output[0];
  std::string first;
  read_line(errors[0], first);
  unread_.clear();
  ::close(errors[0]);
  if (!first.starts_with("tracing port")) missing_ = first.empty() ? "no answer" : first;
}

tracepoint::~tracepoint() {
  if (output_ >= 0) ::close(output_);
  if (child_ <= 0) return;
  ::kill(child_, SIGTERM);
  ::waitpid(child_, nullptr, 0);
}

bool tracepoint::read_line(int descriptor, std::string& line) {
  std::size_t end = 0;
  while ((end = unread_.find('\n')) == std::string::npos) {
    std::array<char, 4096> buffer{};
    const ssize_t size = ::read(descriptor, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    unread_.append(buffer.data(), static_cast<std::size_t>(size));
  }
  line = unread_.substr(0, end);
  unread_.erase(0, end + 1);
  return true;
}

/// A listener of that port, elsewhere: whatever happened before it has been told once it is told.
void tracepoint::make_mark() const {
  const int mark = empty_.make_socket(0);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port_);
  const bool made = ::bind(mark, reinterpret_cast<sockaddr*>(&where), sizeof where) == 0 &&
                    ::listen(mark, 1) == 0;
  const int error = errno;
  ::close(mark);
  if (!made) throw std::system_error{error, std::generic_category(), "a mark in the trace"};
}

std::vector<transition> tracepoint::news() {
  std::vector<transition> happened;
  if (!missing_.empty()) return happened;
  make_mark();
  std::string text;
  while (read_line(output_, text)) {
    const auto line = nlohmann::json::parse(text);
    transition one{.local = end_of(line, "local"),
                   .remote = end_of(line, "remote"),
                   .from = line.at("from").get<std::string>(),
                   .to = line.at("to").get<std::string>()};
    const bool mark = one.local == dwell::endpoint{.address = everywhere, .port = port_};
    if (!mark)
      happened.push_back(std::move(one));
    else if (one.to == "CLOSED")
      return happened;
  }
  throw std::runtime_error{"dwell trace has ended"};
}
