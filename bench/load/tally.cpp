#include "tally.hpp"

namespace load {
namespace {

void add(latencies& to, const latencies& from) {
  to.request.add(from.request);
  to.naive.add(from.naive);
  to.connect.add(from.connect);
  to.first_byte.add(from.first_byte);
  to.sent_late.add(from.sent_late);
}

}  // namespace

void tally::count_error(std::string_view what) {
  const auto found = errors.find(what);
  if (found != errors.end()) {
    ++found->second;
  } else {
    errors.emplace(what, 1);
  }
}

void tally::clear() {
  latencies.request.clear();
  latencies.naive.clear();
  latencies.connect.clear();
  latencies.first_byte.clear();
  latencies.sent_late.clear();
  errors.clear();
  why_not_connected.clear();
  warmup = last = false;
  due = sent = answered = failed = unsent = late = abandoned = connected = open = 0;
}

void add(run_result& to, const tally& from) {
  add(to.latencies, from.latencies);
  to.due += from.due - from.abandoned;  // in one go: they may be of an earlier second
  to.sent += from.sent - from.abandoned;
  to.answered += from.answered;
  to.unsent += from.unsent;
  to.late += from.late;
  for (const auto& [what, count] : from.errors) to.errors[what] += count;
}

void add(tally& to, const tally& from) {
  add(to.latencies, from.latencies);
  to.due += from.due;
  to.sent += from.sent;
  to.answered += from.answered;
  to.failed += from.failed;
  to.unsent += from.unsent;
  to.late += from.late;
  to.abandoned += from.abandoned;
  to.connected += from.connected;
  to.open += from.open;
  if (!from.why_not_connected.empty()) to.why_not_connected = from.why_not_connected;
  for (const auto& [what, count] : from.errors) to.errors[what] += count;
}

}  // namespace load
