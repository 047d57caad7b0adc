#pragma once

// llhttp as this library has built it: strict, and under names of its own, so that another llhttp
// in the same program can neither replace it nor be replaced by it. The renaming comes from CMake.
#include "http/llhttp_names.h"

#include <llhttp.h>

static_assert(LLHTTP_STRICT_MODE == 1,
              "dwell: llhttp must be strict: its default lets a bare CR end a header "
              "(CVE-2023-30589) and \\r\\n\\rX end the block (CVE-2025-23167)");
