#pragma once

#include <cstdint>
#include <span>

namespace dwell::inline v0 {

/// Which descriptor table (unshare(2), CLONE_FILES) a thread uses: 0 is the process's, the others
/// are counted from 1. A number of a descriptor means something in its own table only.
using table_number = std::uint32_t;

table_number current_table() noexcept;
/// So many tables were made until now, the process's left out.
table_number tables_made() noexcept;
/// For threads that share the table of the one which started them.
void set_current_table(table_number which) noexcept;

/// Throws std::system_error, saying what is missing, where a thread may not have a table of its
/// own.
void require_own_tables();

/// Gives the calling thread a table of its own. What the process has open stays open in it under
/// its numbers: files, and what epoll, eventfd and timerfd have made, so that whoever is awake can
/// wake the others. `foreign` is closed. Stream sockets and pipes are closed as well, or their
/// peers would never see an end, but for `own` and the standard streams; their numbers stay taken,
/// by descriptors that nothing can be done with (EBADF): a number that somebody remembers from
/// elsewhere never means a connection of this table. Throws std::system_error.
void make_own_table(std::span<const int> own, std::span<const int> foreign);

}  // namespace dwell::inline v0
