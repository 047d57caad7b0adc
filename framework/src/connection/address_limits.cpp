#include "connection/address_limits.hpp"

#include "connection/service.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <random>
#include <span>

namespace dwell::inline v0 {
namespace {

/// So that whole numbers do: a token takes 1,000 units of time, and a millisecond has as many units
/// as tokens come in a second.
constexpr std::uint64_t units_per_token = 1'000;

/// The finalizer of MurmurHash3: each bit of the result depends on each of the input.
std::uint64_t mix(std::uint64_t bits) noexcept {
  bits ^= bits >> 33U;
  bits *= 0xFF51'AFD7'ED55'8CCDU;
  bits ^= bits >> 33U;
  bits *= 0xC4CE'B9FE'1A85'EC53U;
  return bits ^ bits >> 33U;
}

}  // namespace

std::size_t address_limits::hash::operator()(const ip_address& of) const noexcept {
  std::array<std::uint64_t, 2> halves{};
  static_assert(sizeof halves == sizeof of.bytes);
  std::memcpy(halves.data(), of.bytes.data(), sizeof halves);
  return mix(mix(halves[1] ^ seed) ^ halves[0] ^ mix(seed + 1));
}

address_limits::address_limits(const per_address_limits& limits, std::uint64_t seed)
    : limits_{limits}, hash_{seed} {
  static_assert(sizeof(rate) == 24);
  for (std::size_t i = 0; i < parts; ++i) {
    parts_.emplace_back(hash_);
    if (limits_.accepts_per_second != unlimited) parts_.back().rates.resize(rates_per_part);
  }
}

/// Its own, or else the one of its places whose bucket is nearest to full.
address_limits::rate& address_limits::rate_of(part& of, std::size_t hashed,
                                              const ip_address& address) noexcept {
  const std::size_t set = hashed / parts % (rates_per_part / ways);
  const std::span<rate> places = std::span{of.rates}.subspan(set * ways, ways);
  const auto own = std::ranges::find(places, address, &rate::address);
  if (own != places.end()) return *own;
  rate& taken = *std::ranges::min_element(places, {}, &rate::full_at);
  taken = {.address = address};
  return taken;
}

bool address_limits::admit(const socket_address& client, std::uint64_t now) noexcept {
  const auto whole = ip_address::of(client);
  if (!whole) return true;
  const ip_address address = whole->prefix(limits_.ipv4_prefix, limits_.ipv6_prefix);
  const std::size_t hashed = hash_(address);
  part& in = part_of(hashed);
  const std::lock_guard lock{in.mutex};

  std::uint64_t time = 0;
  std::uint64_t* full_at = nullptr;
  if (const std::uint64_t most = limits_.accepts_per_second; most != unlimited) {
    time = now * most;
    full_at = &rate_of(in, hashed, address).full_at;
    if (*full_at > time + (most - 1) * units_per_token) return false;
  }
  if (limits_.connections != unlimited) {
    try {
      std::uint64_t& open = in.open[address];
      if (open >= limits_.connections) return false;
      ++open;
    } catch (const std::bad_alloc&) {
      return false;
    }
  }
  if (full_at != nullptr) *full_at = std::max(*full_at, time) + units_per_token;
  return true;
}

void address_limits::leave(const socket_address& client) noexcept {
  const auto whole = ip_address::of(client);
  if (!whole || !counts(client)) return;
  const ip_address address = whole->prefix(limits_.ipv4_prefix, limits_.ipv6_prefix);
  part& in = part_of(hash_(address));
  const std::lock_guard lock{in.mutex};
  const auto found = in.open.find(address);
  if (found != in.open.end() && --found->second == 0) in.open.erase(found);
}

std::size_t address_limits::size() const {
  std::size_t all = 0;
  for (const part& each : parts_) {
    const std::lock_guard lock{each.mutex};
    all += each.open.size();
  }
  return all;
}

std::unique_ptr<address_limits> make_address_limits(const per_address_limits& limits) {
  if (limits.connections == unlimited && limits.accepts_per_second == unlimited) return nullptr;
  std::random_device random;
  const std::uint64_t seed = std::uint64_t{random()} << 32U | random();
  return std::make_unique<address_limits>(limits, seed);
}

void leave_address(const service& of, const socket_address& client) noexcept {
  // Behind a proxy nobody is counted before its header is read.
  if (of.addresses != nullptr && !of.proxies) of.addresses->leave(client);
}

}  // namespace dwell::inline v0
