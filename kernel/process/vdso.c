// What the kernel puts into the program's space for C libraries that find Linux's clocks in memory:
// the vDSO, and the page of system calls that was before it.
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/timepage.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/memory/tables.h"
#include "kernel/memory/window.h"
#include "kernel/process/clocks.h"
#include "kernel/process/program.h"
#include "kernel/memory/promises.h"

// Three entries, 1 KiB apart, of the kernel's half: gettimeofday, time and getcpu. Nothing is
// mapped there: a jump to one is done by the fault handler, as Linux does it (vsyscall=xonly).
#define VSYSCALL         0xffffffffff600000ull
#define VSYSCALL_ENTRY   1024
#define VSYSCALL_ENTRIES 3

extern const u8 vdso_image[], vdso_image_end[];

// A page that stays the kernel's: it is a file of one page, which is never freed with the area.
static bool vdso_put(struct space *space, struct object *file, u64 at, u32 rights, u32 flags) {
    struct area area = {.start = at, .end = at + PAGE_SIZE, .rights = rights, .flags = flags};
    area.object = file;
    return space_put_file(space, &area, PAGE_SIZE);
}

// The code's page is copied when the program makes it writable and writes. That of the time is the
// one that the kernel counts by: no program ever writes there, nor has a copy that stands still.
// False: no memory.
bool vdso_map(struct space *space) {
    static struct object code = {.areas = 1, .bytes = PAGE_SIZE};
    static struct object time = {.areas = 1, .bytes = PAGE_SIZE};
    _Static_assert(VDSO + PAGE_SIZE == USER_END, "it lies above the stack");
    if (!code.start.at) {
        paddr page = promises_page(OWNER_DATA, false);
        if (!page.at) return false;
        u64 bytes = (u64)vdso_image_end - (u64)vdso_image;
        memcpy(window(page), vdso_image, bytes);
        memset(window(paddr_add(page, bytes)), 0, PAGE_SIZE - bytes);
        code.start = page;
    }
    time.start = window_physical(tables_peek((u64)&time_page));
    return vdso_put(space, &time, VDSO_TIME, AREA_READ, AREA_SEALED) &&
           vdso_put(space, &code, VDSO, AREA_READ | AREA_EXEC, 0);
}

// The call of an entry. The third argument of getcpu is ignored.
static s64 vsyscall_call(struct thread *thread, u64 entry) {
    const struct registers *regs = &thread->context.regs;
    switch (entry) {
    case 0: return clock_tell_time_of_day(user(regs->rdi), user(regs->rsi));
    case 1: return clock_tell_seconds(user(regs->rdi));
    default: return thread_tell_cpu(thread, user(regs->rdi), user(regs->rsi));
    }
}

bool vsyscall_emulate(struct thread *thread, const struct fault *fault) {
    struct registers *regs = &thread->context.regs;
    u64 entry = (regs->rip - VSYSCALL) / VSYSCALL_ENTRY, caller;
    if (fault->vector != VECTOR_PF || fault->address != regs->rip)
        return false; // it reads or writes there
    if (entry >= VSYSCALL_ENTRIES || regs->rip % VSYSCALL_ENTRY) return false;
    if (!copy_from_user(&caller, user(regs->rsp), sizeof caller)) return false;
    s64 result = vsyscall_call(thread, entry);
    if (result == -EFAULT) return false; // the page itself would have faulted
    regs->rax = (u64)result;
    regs->rip = caller;
    regs->rsp += sizeof caller;
    return true;
}
