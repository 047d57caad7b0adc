#include "client/attempt.hpp"

#include "connection/validate_options.hpp"
#include "tls/client_contexts.hpp"

#include <algorithm>
#include <cerrno>

namespace dwell::inline v0 {
namespace {

constexpr std::uint64_t least_for_one_address = 2'000;  // ms; Go's net.Dialer has the same
constexpr std::uint32_t most_sources = 16;              // tried for one address

connect_failure failure_of(int error, bool at_source) noexcept {
  switch (error) {
    case ECONNREFUSED: return connect_failure::refused;
    case ETIMEDOUT: return connect_failure::timed_out;
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
    case ENETUNREACH: return connect_failure::unreachable;
    case EADDRNOTAVAIL:
      return at_source ? connect_failure::no_such_source : connect_failure::out_of_ports;
    case EMFILE:
    case ENFILE: return connect_failure::out_of_descriptors;
    default: return connect_failure::other;
  }
}

}  // namespace

attempt::attempt(loop& on, const route& way, hosted_service& hosted) noexcept
    : on_{&on}, way_{&way}, hosted_{&hosted} {}

attempt::~attempt() {
  if (handshaking_ != nullptr) on_->give_up_handshake(*handshaking_);
  disarm();
  drop();
  if (listed_) on_->delist(*this);
  if (admitted_) on_->owner().readmit();
}

bool attempt::begin() {
  listed_ = on_->enlist(*this);
  if (!listed_) {
    error_.what = connect_failure::ended;
    return false;
  }
  admitted_ = on_->owner().admit();
  if (!admitted_) {
    error_.what = connect_failure::over_limit;
    return false;
  }
  if (way_->connect != off) {
    due_ = on_->io().now() + static_cast<std::uint64_t>(way_->connect.count());
  }
  return way_->addresses.empty() ? look_up() : try_next();
}

bool attempt::look_up() {
  lookup_ = std::make_unique<name_lookup>(*on_, way_->host, way_->port,
                                          [this](std::vector<raw_address> found) {
                                            disarm();
                                            found_ = std::move(found);
                                            if (found_.empty())
                                              error_.what = connect_failure::name_not_found;
                                            if (!try_next()) failed();
                                          });
  arm();
  return true;
}

std::span<const raw_address> attempt::addresses() const noexcept {
  return way_->addresses.empty() ? std::span<const raw_address>{found_} : way_->addresses;
}

/// False: none is left, or another one would not help.
bool attempt::try_next() {
  while (next_ < addresses().size()) {
    if (dial(addresses()[next_++])) {
      arm();
      return true;
    }
    if (error_.what == connect_failure::out_of_descriptors) break;
  }
  return false;
}

/// A source without a free port is not the end while there are others.
bool attempt::dial(const raw_address& to) {
  const source_pool& pool = way_->source;
  const service_options& options = hosted_->of->options;
  const bool bound = pool.size() != 0 && to.family() != AF_UNIX;
  if (bound && pool.family() != to.family()) {
    fail(EAFNOSUPPORT);
    return false;
  }
  for (std::uint32_t i = 0; i < (bound ? std::min(pool.size(), most_sources) : 1); ++i) {
    const raw_address source = bound ? pool.at(hosted_->next_source++) : raw_address{};
    const outgoing_socket made = on_->io().connect(io, to,
                                                   {.socket = &options.socket,
                                                    .user_timeout = user_timeout_of(options),
                                                    .syn_retries = way_->syn_retries,
                                                    .source = bound ? &source : nullptr});
    if (made.descriptor < 0) {
      fail(made.error, made.at_source);
      if (made.error != EADDRNOTAVAIL) return false;
      continue;
    }
    on_->renew(*this);
    if (on_->io().enroll(io)) return true;
    fail(ENOMEM);
    drop();
    return false;
  }
  return false;
}

void attempt::fail(int error, bool at_source) noexcept {
  error_ = {.what = failure_of(error, at_source), .code = error};
}

void attempt::give_up(connect_failure why) noexcept {
  error_ = {.what = why};
  if (slot* const made = std::exchange(handshaking_, nullptr)) on_->give_up_handshake(*made);
  lookup_.reset();
  disarm();
  drop();
}

/// The socket, if any. A reset, so that one connected to itself leaves no TIME_WAIT.
void attempt::drop() noexcept {
  if (io.descriptor < 0) return;
  on_->io().release(io, release::reset);
  io.registered = 0;
  io.enrolled = false;
}

slot* attempt::take(const std::function<void(void*)>& start) {
  if (slot* const made = std::exchange(secured_, nullptr)) {
    on_->open_secured(*made, start);
    return made;
  }
  const raw_address& peer = addresses()[next_ - 1];
  slot* const made = on_->take_connected(*this, *hosted_, peer, start);
  if (made == nullptr) {
    fail(ENOMEM);
    drop();
    return nullptr;
  }
  admitted_ = false;  // the connection's now
  return made;
}

// ── what happens to it ──

void attempt::on_ready(bool in_error) {
  disarm();
  const int error = on_->io().connect_result(io, addresses()[next_ - 1], in_error);
  if (error == 0) return way_->tls == nullptr ? arrived() : shake_hands();
  fail(error);
  drop();
  if (!try_next()) failed();
}

/// deadlines.handshake bounds it. Another address would not help who is not trusted at this one.
void attempt::shake_hands() {
  try {
    handshaking_ = on_->take_unsecured(*this, *hosted_, addresses()[next_ - 1],
                                       way_->tls->make(way_->host, way_->port));
  } catch (const std::bad_alloc&) {
  }
  if (handshaking_ == nullptr) {
    fail(ENOMEM);
    drop();
    return failed();
  }
  admitted_ = false;  // the connection's now
  on_->start_handshake(*handshaking_);
}

void attempt::on_secured() {
  secured_ = std::exchange(handshaking_, nullptr);
  arrived();
}

void attempt::on_not_secured(close_reason why, std::string_view failure, bool distrusted) {
  handshaking_ = nullptr;
  error_ = {.what = distrusted ? connect_failure::not_trusted : connect_failure::handshake_failed};
  error_.detail = !failure.empty()                         ? failure
                  : why == close_reason::handshake_timeout ? "not done within deadlines.handshake"
                                                           : to_string(why);
  failed();
}

void attempt::on_loop_end() {
  give_up(connect_failure::ended);
  failed();
}

void attempt::arm() {
  if (way_->connect == off) return;
  const std::uint64_t now = on_->io().now();
  const std::uint64_t left = due_ - std::min(due_, now);
  const std::size_t to_try = addresses().size() - next_ + 1;  // this one among them
  std::uint64_t wait = left;
  if (lookup_ == nullptr || !found_.empty()) {
    wait = std::min(left, std::max(left / to_try, least_for_one_address));
  }
  timer_ = on_->timers().start(duration{static_cast<std::int64_t>(wait)}, *this);
}

void attempt::disarm() noexcept {
  if (timer_) on_->timers().cancel(*std::exchange(timer_, std::nullopt));
}

void attempt::fail_later() { timer_ = on_->timers().start(duration{0}, *this); }

void attempt::fire() {
  timer_.reset();
  const bool connecting = io.descriptor >= 0;
  if (connecting || lookup_ != nullptr) {
    const bool over = on_->io().now() >= due_;
    give_up(connect_failure::timed_out);
    error_.code = ETIMEDOUT;
    if (!over && connecting && try_next()) return;
  }
  failed();
}

}  // namespace dwell::inline v0
