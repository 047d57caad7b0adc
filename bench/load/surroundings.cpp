#include "surroundings.hpp"

namespace load {

struct surroundings::ends {};
surroundings::surroundings(const plan&) {}
surroundings::~surroundings() = default;
void surroundings::sample(second&) {}
void surroundings::complete(run_result&) {}
void judge(run_result&) {}

}  // namespace load
