// The frame that a handler of a signal gets on the program's stack, and by which rt_sigreturn goes
// back to what was interrupted. It is Linux's struct rt_sigframe, with the vector state above it.
#pragma once

#include <linux/signal.h>
#include <asm/sigcontext.h>
#include <asm/ucontext.h>
#include "kernel/thread/signals.h"

struct signal_frame {
    u64 return_to; // the restorer, which calls rt_sigreturn
    struct ucontext context;
    struct signal_info info;
    u8 rest[SIGINFO_BYTES - sizeof(struct signal_info)];
};
_Static_assert(sizeof(struct signal_frame) == 440, "as Linux's");
_Static_assert(offsetof(struct signal_frame, info) == 312, "as Linux's");

// Whether a stack pointer lies on the thread's alternate stack.
bool frame_on_stack(const struct signal_stack *stack, u64 sp);
// What sigaltstack() tells of it at that stack pointer.
struct signal_stack frame_stack_told(const struct signal_stack *stack, u64 sp);
// Makes the frame, and has the current thread run the handler. False: there is no place for it, and
// nothing has changed that the program could see.
bool frame_make(struct thread *thread, const struct signal_info *info,
                const struct signal_action *action);
// Goes back by the frame at the thread's stack pointer. False: nothing that Linux would go back to.
bool frame_return(struct thread *thread);
