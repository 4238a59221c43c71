// Finds a call by its number. table.h has all of them.
#include "kernel/call/call.h"

#include <asm/unistd_64.h>
#include "kernel/kernel.h"
#include "kernel/lib/string.h"

#define NUMBERS 512 // none is higher

s64 call_returns_0(struct thread *thread, const u64 *arg) { return 0; }

// The numbers of calls have large gaps, so each has the place of its function among the others.
enum {
    PLACE_NONE,
#define CALL(name, function, state, note) PLACE_##name,
#include "kernel/call/table.h"
#undef CALL
    PLACES
};

static const u8 places[NUMBERS] = {
#define CALL(name, function, state, note) [__NR_##name] = PLACE_##name,
#include "kernel/call/table.h"
#undef CALL
};
_Static_assert(PLACES <= 256, "a place is a byte");

static s64 (*const calls[])(struct thread *, const u64 *) = {
    [PLACE_NONE] = NULL,
#define CALL(name, function, state, note) [PLACE_##name] = function,
#include "kernel/call/table.h"
#undef CALL
};

// All x86-64 names in the order of their numbers, each with its NUL, empty where a number has no
// call: build.sh makes them of <asm/unistd_64.h>.
static const char names[] =
#include "out/names.inc"
    ;

static __attribute__((noinline)) s64 calls_unknown(u32 number) {
    static bool named[NUMBERS + 1]; // the last one for all that are no number of a call
    bool *is_named = &named[MIN(number, NUMBERS)];
    if (__atomic_exchange_n(is_named, true, __ATOMIC_RELAXED)) return -ENOSYS;
    const char *name = names;
    for (u32 i = 0; i < number && name < names + sizeof names - 1; i++) name += strlen(name) + 1;
    if (!*name) name = "?";
    log("the program called %s (system call %u), which is not built: it got ENOSYS", name, number);
    return -ENOSYS;
}

// The number is EAX, as on Linux: what stands in the upper half of RAX does not matter.
s64 calls_dispatch(struct thread *thread, u32 number, const u64 *arg) {
    if (number >= NUMBERS) return calls_unknown(number);
    u8 place = places[number];
    if (place == PLACE_NONE) return calls_unknown(number);
    return calls[place](thread, arg);
}
