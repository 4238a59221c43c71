// What a built call refuses although Linux would do it is said once in the log, as calls that are
// not built are: the call, the option and what is missing. The program chooses how many different
// ones there are, so their lines end.
#include <asm/errno.h>
#include "kernel/cpu/lock.h"
#include "kernel/kernel.h"
#include "kernel/thread/thread.h"

#define SAID_MAX 64 // refusals that are named

static struct said {
    const char *missing; // by its address: who refuses has one text
    u64 value;
} said[SAID_MAX];
static u32 said_count;
static struct lock lock = {.rank = LOCK_REFUSALS};

static const char *refusal_error_name(s64 error) {
    switch (error) {
    case -EPERM: return "EPERM";
    case -EFAULT: return "EFAULT";
    case -ENODEV: return "ENODEV";
    case -EINVAL: return "EINVAL";
    case -ENOTTY: return "ENOTTY";
    case -EROFS: return "EROFS";
    case -ENOSYS: return "ENOSYS";
    case -EOPNOTSUPP: return "EOPNOTSUPP";
    default: return "an error";
    }
}

// Whether it is a new one that is to be named; last: there is no room for another one.
static bool refusal_is_new(const char *missing, u64 value, bool *last) {
    bool known = false;
    lock_take(&lock);
    for (u32 i = 0; i < said_count && !known; i++)
        known = said[i].missing == missing && said[i].value == value;
    bool room = said_count < SAID_MAX;
    if (!known && room) said[said_count++] = (struct said){missing, value};
    *last = said_count == SAID_MAX;
    lock_give(&lock);
    return !known && room;
}

s64 refused(const char *call, const char *option, u64 value, const char *missing, s64 error) {
    bool last;
    if (!refusal_is_new(missing, value, &last)) return error;
    log("the program called %s with %s %#lx: %s, so it got %s", call, option, value, missing,
        refusal_error_name(error));
    if (last)
        log("the program was refused %u different things; further ones are not named", SAID_MAX);
    return error;
}
