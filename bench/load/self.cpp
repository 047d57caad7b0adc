#include "self.hpp"

#include "common/network.hpp"
#include "cpu_list.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <optional>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace load {
namespace {

using namespace std::chrono_literals;

constexpr const char* server_address = "10.77.0.1";

struct two_networks {
  network server{};
  network client{};  // the calling thread is in it
};

two_networks join(const std::map<std::string, std::string>& client_sysctls) {
  if (std::system("command -v ip >/dev/null") != 0) {
    throw not_here{"needs ip(8): install the package iproute2"};
  }
  become_root();
  two_networks made;
  configure_network("link set lo up\nlink add veth0 type veth peer name veth0 netns " +
                    made.server.path() +
                    "\naddress add 10.77.0.2/24 dev veth0\nlink set veth0 up\n");
  made.server.enter();
  configure_network("link set lo up\naddress add " + std::string{server_address} +
                    "/24 dev veth0\nlink set veth0 up\n");
  made.client.enter();
  for (const auto& [name, value] : client_sysctls) {
    std::string path = "/proc/sys/" + name;
    for (char& letter : path) letter = letter == '.' ? '/' : letter;
    if (!(std::ofstream{path} << value << std::flush)) throw not_here{"cannot set " + name};
  }
  return made;
}

/// Whether the calling thread is in that network.
bool is_here(int network) {
  struct stat that {};
  struct stat ours {};
  return ::fstat(network, &that) == 0 && ::stat("/proc/thread-self/ns/net", &ours) == 0 &&
         that.st_ino == ours.st_ino && that.st_dev == ours.st_dev;
}

/// nullopt, and the thread is in the network it was in: not possible here.
std::optional<two_networks> try_join(const std::map<std::string, std::string>& client_sysctls,
                                     std::string& why_not) {
  const int before = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  std::optional<two_networks> made;
  try {
    made.emplace(join(client_sysctls));
  } catch (const not_here& missing) {
    why_not = missing.what();
  }
  const bool back = made || is_here(before) || ::setns(before, CLONE_NEWNET) == 0;
  ::close(before);
  if (!back) {
    throw std::runtime_error{why_not + "; and there is no way back from the network made for it"};
  }
  return made;
}

/// Halves, or the same for both if there is only one. Asked once: later we are on our own half.
struct halves {
  processors server;
  processors client;
};

const halves& divide() {
  static const halves divided = [] {
    const processors all = usable_processors();
    if (all.size() < 2) return halves{all, all};
    const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
    return halves{{all.begin(), middle}, {middle, all.end()}};
  }();
  return divided;
}

const char* server_close(ending which) {
  switch (which) {
    case ending::server_abort_after_fin: return "abort-after-fin";
    case ending::server_abort: return "abort";
    default: return "graceful";
  }
}

std::vector<std::string> command_line(const plan& of, const own_server_options& options,
                                      const std::string& address) {
  const bool server_closes = of.ending != ending::client && of.ending != ending::client_abort;
  const auto time = [](nanoseconds value) { return std::to_string(value.count()) + "ns"; };
  std::vector<std::string> words{
      "dwell-load", "serve", "--protocol", of.protocol == protocol::echo ? "echo" : "http",
      "--listen", address + ":0", "--size", std::to_string(of.size), "--close",
      server_close(of.ending), "--requests-per-connection",
      std::to_string(server_closes ? of.requests_per_connection : 0),
      // A connection that the plan leaves alone for long is not to be reaped under it.
      "--idle", time(of.warmup + of.duration + 60s), "--cpus", to_string(divide().server),
      "--stall", time(options.stall), "--stall-every", time(options.stall_every)};
  if (of.tls != security::none) words.emplace_back("--tls");
  return words;
}

}  // namespace

/// The process, and the end of the pipe that is its standard output.
class own_server::child {
 public:
  child(std::vector<std::string> arguments, const std::optional<two_networks>& networks) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
      throw std::system_error{errno, std::generic_category(), "pipe"};
    }
    std::vector<char*> argv;
    for (std::string& one : arguments) argv.push_back(one.data());
    argv.push_back(nullptr);
    const pid_t parent = ::getpid();
    process_ = ::fork();
    if (process_ == 0) become(argv.data(), networks ? &networks->server : nullptr, ends[1], parent);
    ::close(ends[1]);
    output_ = ends[0];
    if (process_ < 0) throw std::system_error{errno, std::generic_category(), "fork"};
  }
  child(const child&) = delete;
  child& operator=(const child&) = delete;

  ~child() {
    ::close(output_);
    ::kill(process_, SIGTERM);
    for (int i = 0; i < 300; ++i) {  // its drain takes a second at most
      if (::waitpid(process_, nullptr, WNOHANG) != 0) return;
      std::this_thread::sleep_for(10ms);
    }
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }

  pid_t process() const noexcept { return process_; }

  /// Waits for the line that says where it listens.
  std::uint16_t port() const {
    std::string line;
    pollfd ready{.fd = output_, .events = POLLIN, .revents = 0};
    while (!line.ends_with('\n')) {
      char letter = 0;
      const int polled = ::poll(&ready, 1, 10'000);
      if (polled < 0 && errno == EINTR) continue;
      if (polled <= 0 || ::read(output_, &letter, 1) != 1) {
        throw std::runtime_error{"the own server has not started"};
      }
      line += letter;
    }
    return nlohmann::json::parse(line).at("port").get<std::uint16_t>();
  }

 private:
  /// In the new process: nothing but system calls.
  [[noreturn]] static void become(char** argv, const network* where, int output, pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    ::setpgid(0, 0);  // Ctrl-C is for us to handle
    if (::getppid() != parent) ::_exit(1);
    if (where != nullptr) where->enter();
    ::dup2(output, STDOUT_FILENO);
    ::execv("/proc/self/exe", argv);
    ::_exit(1);
  }

  pid_t process_ = -1;
  int output_ = -1;
};

own_server::own_server(plan& of, const own_server_options& options) : protocol_{of.protocol} {
  divide();
  std::string why_not;
  const std::optional<two_networks> networks = try_join(options.client_sysctls, why_not);
  const std::string address = networks ? server_address : "127.0.0.1";
  link_ = networks ? "veth between two fresh network namespaces" : "loopback: " + why_not;
  if (!networks) {
    doubts_.push_back(
        "the run is over loopback, since it " + why_not +
        "; there net.ipv4.tcp_tw_reuse = 2 lets ports be used again early, and the sender does the "
        "receiver's work: TIME_WAIT and CPU figures are not those of a network");
  }
  child_ = std::make_unique<child>(command_line(of, options, address), networks);
  run_on(divide().client);
  of.host = address;
  of.port = child_->port();
  of.server = child_->process();
}

own_server::~own_server() = default;

std::string own_server::name() const {
  return protocol_ == protocol::echo ? "own echo server" : "own HTTP server";
}

}  // namespace load
