#include <dwell/server/server.hpp>
#include <dwell/systemd/systemd.hpp>

#include <systemd/sd-daemon.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace dwell::inline v0 {

std::vector<passed_socket> passed_sockets() {
  char** names = nullptr;
  const int count = ::sd_listen_fds_with_names(0, &names);
  if (count < 0) {
    throw std::system_error{-count, std::generic_category(), "the sockets of LISTEN_FDS"};
  }
  std::vector<passed_socket> all;
  for (int i = 0; i < count; ++i) {
    const std::string name = names != nullptr && names[i] != nullptr ? names[i] : "unknown";
    all.push_back({name, {"fd:" + std::to_string(SD_LISTEN_FDS_START + i), 0}});
    if (names != nullptr) std::free(names[i]);
  }
  std::free(names);
  return all;
}

endpoint passed_socket_named(const std::string& name) {
  std::string others;
  for (passed_socket& each : passed_sockets()) {
    if (each.name == name) return std::move(each.where);
    others.append(others.empty() ? "" : ", ").append(each.name);
  }
  std::string complaint = "no socket has the name \"";
  complaint.append(name).append("\" (FileDescriptorName= of a .socket unit); ");
  if (others.empty()) {
    complaint.append("none was passed: start it by a .socket unit or systemd-socket-activate");
  } else {
    complaint.append("passed were: ").append(others);
  }
  throw std::invalid_argument{complaint};
}

/// Asks the server now and then: what it tells is for any thread, and nobody waits for a second.
class supervised::reporter {
 public:
  reporter(server& which, std::chrono::microseconds watchdog)
      : server_{&which}, watchdog_{watchdog}, thread_{[this] { run(); }} {}
  ~reporter() {
    {
      const std::lock_guard lock{mutex_};
      ended_ = true;
    }
    wake_.notify_one();
    thread_.join();
    report();
  }
  reporter(const reporter&) = delete;
  reporter& operator=(const reporter&) = delete;

 private:
  void run() {
    using namespace std::chrono_literals;
    std::unique_lock lock{mutex_};
    while (!ended_) {
      report();
      const auto calm =
          watchdog_ == 0us ? 1s : std::min<std::chrono::microseconds>(1s, watchdog_ / 4);
      wake_.wait_for(lock, told_ == server_stage::made ? 10ms : calm);
    }
  }

  void report() {
    const server_stage now = server_->stage();
    if (now != server_stage::made && told_ == server_stage::made) ::sd_notify(0, "READY=1");
    if (now > server_stage::running && told_ <= server_stage::running) {
      ::sd_notify(0, "STOPPING=1");
    }
    told_ = now;
    if (now == server_stage::made) return;
    const server_counts counts = server_->counts();
    const auto live = static_cast<unsigned long long>(counts.live);
    if (now == server_stage::running) {
      ::sd_notifyf(0, "STATUS=%llu connections", live);
    } else {
      const std::string step{to_string(server_->draining().step)};
      ::sd_notifyf(0, "STATUS=draining: %s, %llu connections", step.c_str(), live);
    }
    if (watchdog_.count() != 0 && counts.longest_turn_now < watchdog_ / 2) {
      ::sd_notify(0, "WATCHDOG=1");
    }
  }

  server* server_;
  std::chrono::microseconds watchdog_;
  server_stage told_ = server_stage::made;
  bool ended_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::thread thread_;
};

supervised::supervised(server& which) {
  if (std::getenv("NOTIFY_SOCKET") == nullptr) return;
  std::uint64_t watchdog = 0;
  if (::sd_watchdog_enabled(0, &watchdog) <= 0) watchdog = 0;
  reporter_ = std::make_unique<reporter>(which, std::chrono::microseconds{watchdog});
}

supervised::~supervised() = default;

}  // namespace dwell::inline v0
