#pragma once

#include "counted.hpp"

// CPU time in nanoseconds between two looks of each loop for what is ready: that of a turn, or of
// two when more came meanwhile. Counted in this program by standing in for epoll_wait(2), so that
// no other program pays for it.
sum_of_counted turn_cpu();
