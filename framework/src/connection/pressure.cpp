#include "connection/address_limits.hpp"
#include "connection/loop.hpp"

#include <algorithm>
#include <new>

namespace dwell::inline v0 {
namespace {

constexpr std::uint32_t candidates = 64;
constexpr std::uint32_t draws = 256;
constexpr std::uint32_t slots_per_turn = 1'000;
constexpr std::uint32_t evictions_per_turn = 16;
constexpr std::uint32_t refusals_at_once = 64;
constexpr duration shortest_idle{1'000};

/// xorshift64*: which slots are sampled need not be unpredictable, only spread.
std::uint64_t next_random(std::uint64_t& state) noexcept {
  state ^= state >> 12U;
  state ^= state << 25U;
  state ^= state >> 27U;
  return state * 0x2545F4914F6CDD1DU;
}

}  // namespace

// ── making room ──

/// Of 64 that are drawn one by one: neighbours came together, and are about as old. Among many that
/// do not count more are drawn, but not without end; few are all looked at.
slot* loop::longest_idle() noexcept {
  slot* oldest = nullptr;
  std::uint32_t seen = 0;
  const auto consider = [&](std::uint32_t, slot& c) {
    if (!is_idle(c) || c.outbound || active_ == &c) return;
    ++seen;
    if (oldest == nullptr || before(c.last_activity, oldest->last_activity)) oldest = &c;
  };
  const std::uint32_t slots = slots_.capacity();
  if (slots <= draws) {
    slots_.visit(0, slots, consider);
    return oldest;
  }
  for (std::uint32_t drawn = 0; drawn < draws && seen < candidates; ++drawn) {
    const auto index = static_cast<std::uint32_t>(next_random(random_) % slots);
    if (slot* const c = slots_.find(index)) consider(index, *c);
  }
  return oldest;
}

bool loop::make_room() {
  for (std::uint32_t tries = 0; tries < candidates; ++tries) {
    slot* const c = longest_idle();
    if (c == nullptr) return false;
    reap(*c, close_reason::overload);
    if (!c->is_released()) continue;  // it was not idle after all
    c->counters().evicted.add();
    owner_->evicted();
    if (freed_head_ == c->io.slot) return true;  // or else its handler still uses the slot
  }
  return false;
}

/// Closes up to `most` idle connections that have been so for long. False: there was none.
bool loop::evict(std::uint32_t most) {
  for (std::uint32_t done = 0; done < most; ++done) {
    slot* const c = longest_idle();
    if (c == nullptr) return false;
    reap(*c, close_reason::overload);
    if (!c->is_released() && !c->decided) continue;  // it was not idle after all
    c->counters().evicted.add();
  }
  return true;
}

// ── refusing ──

/// Without a word: a reset.
void loop::turn_away(const accepted& fresh) {
  services_[fresh.service]->counters.refused.add();  // before the client can know
  leave_address(*services_[fresh.service]->of, fresh.peer);
  stream unwanted{.descriptor = fresh.descriptor};
  io_->release(unwanted, dwell::release::reset);
}

/// Tells the client that there is no room, as its protocol says it, if it says it in the clear. So
/// many at once; what is beyond is reset.
void loop::refuse(const accepted& fresh) {
  owner_->refused();
  hosted_service& hosted = *services_[fresh.service];
  const bytes answer = hosted.of->what->refusal();
  if (answer.empty() || hosted.of->filters != nullptr || hosted.of->proxies ||
      pressure_.refusing == refusals_at_once) {
    return turn_away(fresh);
  }
  owner_->admit_over_limit();
  slot* const c = take_in(fresh);
  if (c == nullptr) return;
  hosted.counters.refused.add();
  c->refused = true;
  ++pressure_.refusing;
  try {
    queue_output(*c, answer);
  } catch (const std::bad_alloc&) {  // then it hears nothing
  }
  decide(*c, close_reason::overload, close_method::graceful);
  c->linger = true;  // its request is on its way, and must not reset the answer
  advance(*c);
  if (c->is_released() || io_->enroll(c->io)) return;
  step(*c, lifecycle_event::abort);
}

// ── the ladder ──

void loop::pressure_changed() {
  pressure_.accepting = owner_->accepting();
  // In a pause: when that is over.
  if (!accept_pause_.lasts()) accept(pressure_.accepting != gate::closed);
  pressure_.shrinks_idle = owner_->shrinks_idle();
  if (pressure_.shrinks_idle) pressure_.rearm_from = 0;
  pressure_.evicts = owner_->evicts();
  if (pressure_.shrinks_idle || pressure_.evicts) io_->wake();
}

/// A slice of what pressure has left to do.
void loop::relieve() {
  if (pressure_.rearm_from != slab<slot>::end) {
    pressure_.rearm_from =
        slots_.visit(pressure_.rearm_from, slots_per_turn, [this](std::uint32_t index, slot& c) {
          if (!is_idle(c)) return;
          if (const auto when = due(c)) reaper_.expect(index, *when);
        });
  }
  if (pressure_.evicts) pressure_.evicts = owner_->evicts() && evict(evictions_per_turn);
  if (pressure_.rearm_from != slab<slot>::end || pressure_.evicts) io_->wake();
}

/// When an idle connection has to go while there is pressure.
tick loop::shrunk_idle_end(const slot& c) const noexcept {
  const duration idle = c.limits().idle;
  const duration less = std::max(shortest_idle, idle * pressure_.idle_share / 100);
  const auto jitter = static_cast<std::int64_t>((c.generation() * 0x9E3779B97F4A7C15U) >> 54U);
  return c.clock.since() + std::min(idle, less - less / 10 * jitter / 1'024);
}

/// Ends an idle connection, or says when it is its turn.
std::optional<tick> loop::reap_in_turn(slot& c, close_reason reason) {
  if (!c.has_reap_turn) {
    if (const std::uint64_t wait = pressure_.pace.wait(io_->now()); wait != 0) {
      c.has_reap_turn = true;
      counters_.reaped_later.add();
      return io_->now_tick() + duration{static_cast<std::int64_t>(wait)};
    }
  }
  c.has_reap_turn = false;
  const auto own_deadline = c.clock.due(c.limits());
  const bool is_early = !own_deadline || before(io_->now_tick(), *own_deadline);
  if (reason == close_reason::idle_timeout && is_early) c.counters().shrunk.add();
  reap(c, reason);
  return std::nullopt;
}

}  // namespace dwell::inline v0
