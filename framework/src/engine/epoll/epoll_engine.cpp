#include "engine/epoll/epoll_engine.hpp"

#include "engine/epoll/clock.hpp"
#include "net/raw_calls.hpp"

#include <asio/post.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <unistd.h>

namespace dwell::inline v0 {
namespace {

/// So many events at once, and more have probably come while they were worked on: one look at our
/// own set costs less than the two calls of another wake-up.
constexpr std::size_t busy = 2;
constexpr std::uint64_t stall = 100;        // ms
constexpr std::uint32_t haunted = 3;        // stale events of one generation
constexpr std::uint64_t ghost_watch = 100;  // within so many ms

}  // namespace

epoll_engine::epoll_engine(asio::io_context& host, block_pool& pool)
    : engine{pool}, host_{&host}, watched_{host}, timer_{host} {
  now_ = turn_began_ = read_clock();
  watched_.assign(poller_.descriptor());
}

epoll_engine::~epoll_engine() {
  *alive_ = false;
  close_listeners();
  if (watched_.is_open()) watched_.release();  // the poller closes it
}

void epoll_engine::start() {
  stopped_ = false;
  now_ = turn_began_ = read_clock();
  wait_for_events();
  wake();  // the first turn arms the timer
}

void epoll_engine::stop() {
  stopped_ = true;
  watched_.cancel();
  timer_.cancel();
  armed_for_ = 0;
}

// ── turns ──

void epoll_engine::wait_for_events() {
  auto ready = [this, alive = std::weak_ptr{alive_}](const std::error_code& error) {
    if (error || alive.expired() || stopped_) return;
    for (std::size_t seen = 0, last = busy; last >= busy && seen < poller::batch && !stopped_;) {
      begin_turn();
      last = poll();
      seen += last;
      if (is_haunted_) rebuild_set();  // only here, where nothing waits for the old one
      end_turn();
    }
    if (!stopped_) wait_for_events();
  };
  watched_.async_wait(asio::posix::stream_descriptor::wait_read,
                      with_memory{wait_memory_, std::move(ready)});
}

void epoll_engine::begin_turn() {
  now_ = read_clock();
  // A timer this late, or a turn this long, means that nothing could run meanwhile.
  const std::uint64_t late = armed_for_ != 0 && now_ > armed_for_ ? now_ - armed_for_ : 0;
  stalled_for_ = late > stall ? late : 0;
  if (stalled_for_ != 0) armed_for_ = now_;
  turn_began_ = now_;
  events().on_turn_begin();
}

void epoll_engine::end_turn() {
  now_ = read_clock();
  events().on_turn_end();
}

void epoll_engine::restamp() noexcept { now_ = read_clock(); }

void epoll_engine::arm(std::uint64_t due) {
  if (stopped_ || (armed_for_ != 0 && armed_for_ <= due)) return;
  armed_for_ = due;
  timer_.expires_at(asio::steady_timer::time_point{std::chrono::milliseconds{due}});
  auto expired = [this, alive = std::weak_ptr{alive_}](const std::error_code& error) {
    if (error || alive.expired() || stopped_) return;
    begin_turn();
    armed_for_ = 0;
    if (stalled_for_ != 0) poll();  // what came during the stall counts before any deadline
    events().on_time();
    end_turn();
  };
  timer_.async_wait(with_memory{timer_memory_, std::move(expired)});
}

void epoll_engine::wake() noexcept {
  if (woken_.exchange(true, std::memory_order_acq_rel)) return;
  auto awake = [this, alive = std::weak_ptr{alive_}] {
    if (alive.expired()) return;
    woken_.store(false, std::memory_order_release);
    begin_turn();
    events().on_wake();
    end_turn();
  };
  asio::post(*host_, with_memory{wake_memory_, std::move(awake)});
}

std::size_t epoll_engine::poll() {
  const std::span<const epoll_event> ready = poller_.poll();
  crowded_ = ready.size() == poller::batch;
  for (std::size_t i = 0; i < ready.size(); ++i) {
    // The system calls for one connection hide the cache misses of the next.
    if (i + 1 < ready.size()) events().prefetch(poller::slot_of(ready[i + 1]));
    dispatch(ready[i]);
  }
  return ready.size();
}

void epoll_engine::dispatch(const epoll_event& event) {
  const std::uint32_t generation = poller::generation_of(event);
  if (poller::slot_of(event) == poller::listener_slot) {
    if (generation < listeners_.size()) accept_from(listeners_[generation]);
    return;
  }
  stream* const what = events().find(poller::slot_of(event), generation);
  if (what == nullptr) return count_ghost(generation);
  if (what->connecting) {
    return events().on_connected(*what, (event.events & (EPOLLERR | EPOLLHUP)) != 0);
  }
  constexpr std::uint32_t input = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
  if ((event.events & input) != 0) {
    if (what->wants_input) {
      events().on_received(*what, receive(*what));
    } else if (poller_.mute(*what, event.events)) {
      events().on_hangup(*what);
    } else if ((event.events & EPOLLRDHUP) != 0) {
      events().on_peer_fin(*what);
    }
  }
  if ((event.events & EPOLLOUT) != 0 && what->descriptor >= 0 && what->wants_output) {
    events().on_writable(*what);
  }
}

/// A forked child that holds a closed socket keeps it in the set, where it cannot be removed: only
/// a new set helps. One socket is watched for at a time, because a batch may name a connection that
/// has just closed once, and only what comes again and again is a ghost.
void epoll_engine::count_ghost(std::uint32_t generation) {
  if (now_ - ghosts_since_ > ghost_watch) {
    ghost_ = generation;
    ghosts_since_ = now_;
    ghosts_ = 0;
  }
  if (generation == ghost_ && ++ghosts_ == haunted) is_haunted_ = true;
}

void epoll_engine::rebuild_set() {
  is_haunted_ = false;
  ghosts_since_ = 0;
  watched_.release();
  poller_.renew();
  watched_.assign(poller_.descriptor());
  events().for_each_stream([](engine& self, stream& what) {
    what.registered = 0;
    if (what.enrolled) static_cast<void>(self.watch(what));
  });
  set_accepting(accepting_);
}

// ── listeners ──

endpoint epoll_engine::listen(std::uint32_t service, const listener_options& options) {
  auto [descriptor, bound] = open_listener(options);
  const bool inherited = options.inherited >= 0;  // then the path is somebody else's to remove
  listeners_.push_back({descriptor, service,
                        bound.is_unix() && !inherited ? bound.address.substr(5) : std::string{},
                        inherited});
  return bound;
}

void epoll_engine::set_accepting(bool on) {
  accepting_ = on;
  watch_listeners();
}

void epoll_engine::watch_listeners() {
  const bool on = accepting_ && has_turn_;
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    poller_.watch_listener(listeners_[i].descriptor, static_cast<std::uint32_t>(i), on);
  }
}

void epoll_engine::share_listeners(const epoll_engine& another) {
  listeners_ = another.listeners_;
  for (listener& each : listeners_) each.unlink_path.clear();  // one of them does that
  has_turn_ = false;
}

std::vector<int> epoll_engine::listeners() const {
  std::vector<int> all;
  for (const listener& each : listeners_) all.push_back(each.descriptor);
  return all;
}

void epoll_engine::give_turn(bool mine) {
  has_turn_ = mine;
  watch_listeners();
}

void epoll_engine::accept_queued() {
  // As many as a queue can hold: clients that connect all the time do not keep this busy.
  const std::size_t batches = 65'536 / at_once_;
  for (const listener& each : listeners_) {
    if (each.inherited) continue;  // others listen on it, or will
    for (std::size_t i = 0; i < batches && accept_from(each); ++i) {
    }
  }
}

void epoll_engine::close_listeners() {
  accepting_ = false;
  for (const listener& each : listeners_) {
    raw_close(each.descriptor);
    if (!each.unlink_path.empty()) ::unlink(each.unlink_path.c_str());
  }
  listeners_.clear();
}

/// Two phases: accept a batch, then serve each. Serving one before accepting the next costs 15 %.
/// True when the queue may hold more.
bool epoll_engine::accept_from(const listener& from) {
  std::array<accepted, accept_batch> fresh;
  std::size_t count = 0;
  bool more = true;
  while (count < at_once_ && accepting_) {
    const admission terms = events().reserve(count == 0);
    if (terms == admission::later) break;
    sockaddr_storage address;
    socklen_t length = sizeof address;
    const int descriptor = raw_accept(from.descriptor, reinterpret_cast<sockaddr*>(&address),
                                      &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) {
      fresh[count++] = {descriptor, from.service, socket_address::from(address), terms};
      continue;
    }
    const int error = errno;
    events().unreserve(terms);
    // EAGAIN ends the batch; what concerns one connection only (accept(2)) waits for the next.
    more = error == ECONNABORTED;
    if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
      events().on_accept_failed(error);
    }
    break;
  }
  if (count != 0) restamp();  // their deadlines count from here, however long this turn has taken
  for (const accepted& each : std::span{fresh}.first(count)) events().on_accept(each);
  return more && count != 0;
}

std::chrono::sys_time<std::chrono::milliseconds> epoll_engine::read_date() const noexcept {
  return read_wall_clock();
}

}  // namespace dwell::inline v0
