// membarrier(2): a barrier on all CPUs that run the process, so that its threads need none. It is
// an interrupt on each of them, and the return from that.
#include <linux/membarrier.h>
#include "kernel/call/call.h"

#define REGISTERS                                                                                  \
    (MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED |                                                   \
     MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE)
#define BARRIERS (MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE)

// membarrier(command, flags, CPU). A kind is registered with the bit behind its own.
s64 call_membarrier(struct thread *thread, const u64 *arg) {
    u32 *registered = &thread->process->kept.barriers;
    u32 command = (u32)arg[0];
    if ((u32)arg[1]) return -EINVAL;
    switch (command) {
    case MEMBARRIER_CMD_QUERY: return REGISTERS | BARRIERS;
    case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
    case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
        __atomic_fetch_or(registered, command, __ATOMIC_SEQ_CST);
        return 0;
    case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
    case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
        if (!(__atomic_load_n(registered, __ATOMIC_SEQ_CST) & command << 1)) return -EPERM;
        space_barrier(thread->process->space);
        return 0;
    }
    return refused("membarrier", "command", command, "only the process's own are built", -EINVAL);
}
