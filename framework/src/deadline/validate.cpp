#include "deadline/validate.hpp"

#include <stdexcept>
#include <string>

namespace dwell::inline v0 {
namespace {

void validate(const char* field, duration given) {
  if (given == off) return;
  const std::string name_and_value =
      std::string{"deadlines."} + field + ": " + std::to_string(given.count()) + " ms; ";
  if (given <= duration::zero()) {
    throw std::invalid_argument{name_and_value +
                                "use a positive duration, or dwell::off to switch it off"};
  }
  if (given > longest_deadline) {
    throw std::invalid_argument{name_and_value + "the longest is 24 days (" +
                                std::to_string(longest_deadline.count()) +
                                " ms); use that, or dwell::off to switch it off"};
  }
}

}  // namespace

void validate(const deadlines& given) {
  validate("handshake", given.handshake);
  validate("idle", given.idle);
  validate("read", given.read);
  validate("handle", given.handle);
  validate("write", given.write);
  validate("close", given.close);
  validate("lifetime", given.lifetime);
}

}  // namespace dwell::inline v0
