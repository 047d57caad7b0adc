#include "net/tcp_facts.hpp"

// <netinet/tcp.h> is older: its tcp_info ends before tcpi_snd_wnd. The two do not go together.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace dwell {

std::optional<tcp_facts> read_tcp_facts(int descriptor) noexcept {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return {};
  return tcp_facts{.state = info.tcpi_state,
                   .rtt = std::chrono::microseconds{info.tcpi_rtt},
                   .send_window = info.tcpi_snd_wnd};
}

}  // namespace dwell
