// mmap(2), munmap, mprotect and brk: their arguments become what kernel/space/mappings.h has.
#include <linux/mman.h>
#include "kernel/call/call.h"
#include "kernel/memory/tables.h"
#include "kernel/space/mappings.h"

#define LOW_END (1ull << 31) // of what MAP_32BIT is placed in

// The level of the pages that MAP_HUGETLB asks for, -1 for none that there is. Without it 0.
static int mmap_huge_level(struct space *space, u64 flags) {
    u64 shift = flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;
    if (!(flags & MAP_HUGETLB)) return 0;
    if (!shift || shift == LEVEL_SHIFT(LEVEL_2M)) return LEVEL_2M;
    if (shift == LEVEL_SHIFT(LEVEL_1G) && space->largest == LEVEL_1G) return LEVEL_1G;
    return -1;
}

static u32 mmap_flags(u64 flags) {
    u32 wanted = 0;
    if (flags & (MAP_NORESERVE | MAP_STACK))
        wanted |= AREA_NORESERVE; // of a stack only what is touched counts
    if (flags & MAP_STACK) wanted |= AREA_STACK;
    if (flags & MAP_GROWSDOWN) wanted |= AREA_GROWS;
    if (flags & MAP_LOCKED) wanted |= AREA_LOCKED;
    if ((flags & MAP_TYPE) == MAP_SHARED) wanted |= AREA_SHARED;
    return wanted;
}

// Of an open file. 0, or -EBADF; another error waits until there is a place.
static s64 mmap_decode_file(struct files *files, const u64 *arg, struct mapping *wanted) {
    bool shared = (arg[3] & MAP_TYPE) == MAP_SHARED;
    s64 flags = file_map(files, arg[4], arg[5], wanted->bytes, wanted->like.rights, shared,
                         &wanted->device);
    if (flags == -EBADF) return -EBADF;
    if (flags < 0) wanted->error = flags;
    if (flags >= 0 && wanted->device.at)
        wanted->like.flags = AREA_NORESERVE | AREA_DEVICE | AREA_SHARED | (u32)flags;
    return 0;
}

static s64 mmap_decode(struct process *process, const u64 *arg, struct mapping *wanted) {
    u64 flags = (u32)arg[3];
    u64 type = flags & MAP_TYPE;
    bool anonymous = flags & MAP_ANONYMOUS;
    *wanted = (struct mapping){
        .at = arg[0], .bytes = arg[1], .level = mmap_huge_level(process->space, flags)};
    wanted->limit = USER_END;
    if (flags & MAP_32BIT) wanted->limit = LOW_END;
    wanted->is_fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
    wanted->replaces = wanted->is_fixed && !(flags & MAP_FIXED_NOREPLACE);
    wanted->populates = flags & (MAP_POPULATE | MAP_LOCKED);
    wanted->like.rights = arg[2] & 7;
    wanted->like.flags = mmap_flags(flags);
    if (arg[5] % PAGE_SIZE || wanted->level < 0) return -EINVAL;
    s64 error = 0;
    if (!anonymous) error = mmap_decode_file(process->files, arg, wanted);
    if (error) return error;
    if (!wanted->bytes || (wanted->level && !anonymous)) return -EINVAL;
    if (wanted->bytes > USER_END) return -ENOMEM;
    wanted->bytes = ROUND_UP(wanted->bytes, LEVEL_BYTES(wanted->level));
    bool is_type = type == MAP_PRIVATE || (type == MAP_SHARED && !(flags & MAP_GROWSDOWN));
    if (wanted->level && !is_type) return -EINVAL;
    if (!wanted->error && !is_type) wanted->error = -EINVAL;
    if (wanted->bytes > USER_END) return -ENOMEM;
    return 0;
}

// mmap(address, length, rights, flags, fd, offset): anonymous memory, or the framebuffer.
s64 call_mmap(struct thread *thread, const u64 *arg) {
    struct mapping wanted;
    if (thread->record.taken.end) return populate(thread);
    s64 error = mmap_decode(thread->process, arg, &wanted);
    if (error) return error;
    return mapping_make(thread, &wanted);
}

s64 call_munmap(struct thread *thread, const u64 *arg) {
    u64 at = arg[0];
    u64 bytes = arg[1];
    if (at % PAGE_SIZE || !bytes) return -EINVAL;
    if (at > USER_END || bytes > USER_END - at) return -EINVAL;
    u64 end = ROUND_UP(at + bytes, PAGE_SIZE);
    at = MAX(at, USER_START);
    if (at >= end) return 0;
    return mapping_remove(thread, at, end);
}

// mprotect(address, length, rights)
s64 call_mprotect(struct thread *thread, const u64 *arg) {
    const u64 grows = PROT_GROWSDOWN | PROT_GROWSUP;
    u64 at = arg[0];
    u64 end = at + ROUND_UP(arg[1], PAGE_SIZE);
    u64 rights = arg[2] & ~grows;
    if ((arg[2] & grows) == grows || at % PAGE_SIZE) return -EINVAL;
    if (!arg[1]) return 0;
    if (end <= at) return -ENOMEM;
    if (rights & ~(u64)(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM)) return -EINVAL;
    struct protection wanted = {.start = at, .end = end, .rights = rights & 7};
    wanted.grows_up = arg[2] & PROT_GROWSUP;
    wanted.grows_down = arg[2] & PROT_GROWSDOWN;
    return mapping_protect(thread, &wanted);
}

// The exact break, as asked for, or the old one on failure: never an error number.
s64 call_brk(struct thread *thread, const u64 *arg) {
    if (thread->record.taken.end) return populate(thread);
    return mapping_break(thread, arg[0]);
}
