#include "testing/peer_host.hpp"

#include <stdexcept>

namespace dwell::testing {

void peer::send(bytes data) { host_->send(index_, data); }
void peer::shutdown_send() { host_->shutdown_send(index_); }
void peer::close() { host_->close(index_); }
void peer::reset() { host_->reset(index_); }
void peer::vanish() { host_->vanish(index_); }
void peer::stop_reading() { host_->read(index_, false); }
void peer::start_reading() { host_->read(index_, true); }
void peer::stay_at_end() { host_->stay_at_end(index_); }
void peer::close_after(std::size_t count) { host_->close_after(index_, count); }
std::string_view peer::received() const { return host_->received(index_); }
std::string peer::take_received() { return host_->take_received(index_); }
bool peer::got_end() const { return host_->got_end(index_); }
bool peer::got_reset() const { return host_->got_reset(index_); }
bool peer::is_open() const { return host_->is_open(index_); }
std::optional<duration> peer::closed_after() const { return host_->closed_after(index_); }
dwell::time_wait peer::time_wait() const { return host_->time_wait(index_); }

const close_record& peer::record() const {
  if (const close_record* const found = host_->record(index_)) return *found;
  throw std::logic_error{"peer::record(): the server has not closed this connection"};
}

}  // namespace dwell::testing
