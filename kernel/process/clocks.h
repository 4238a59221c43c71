// The clocks that the program can ask for and sleep by.
#pragma once

#include "kernel/thread/thread.h"

// A struct timespec of the program in ns, NEVER when that is beyond all; 0, -EFAULT or -EINVAL.
s64 time_get(uaddr from, u64 *ns);
s64 time_put(uaddr to, u64 ns);
// What a clock shows, by its number. False: there is no such clock, or no such thread any more.
bool clock_now(const struct thread *thread, int id, u64 *ns);
bool clock_exists(const struct thread *thread, int id);
// gettimeofday(2) and time(2), for who calls the vsyscall page, too. Addresses of the program.
s64 clock_tell_time_of_day(uaddr time, uaddr zone);
s64 clock_tell_seconds(uaddr to);
enum clock_kind { CLOCK_NONE, CLOCK_WALL, CLOCK_BOOT, CLOCK_PROCESS, CLOCK_ONE_THREAD };
struct clock_id {
    enum clock_kind kind;
    u32 tid; // CLOCK_ONE_THREAD: of which thread; it may have ended
};
struct clock_id clock_by_id(const struct thread *thread, int id);
// The clock that a call sleeps by, in every execution: 0, -EINVAL or -EOPNOTSUPP.
s64 clock_of_sleep(const struct thread *thread, int id, struct clock_id *clock);
// The first execution: for so many ns, or until then. 0 or -EINVAL.
s64 clock_sleep_begin(struct thread *thread, struct clock_id clock, u64 ns, bool absolute);
s64 clock_sleep(struct thread *thread, struct clock_id clock); // 0: it is over; else CALL_WAITS
// Of one that does not end at a given time: how many ns are left.
u64 clock_sleep_left(const struct thread *thread, struct clock_id clock);
