// dwell-load: puts load on a server over long and short connections, and says what that costs.

#include "plan.hpp"
#include "result.hpp"

int main() { return 2; }
