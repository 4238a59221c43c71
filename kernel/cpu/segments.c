// The program's segment registers: DS, ES, FS and GS, and the bases of FS and GS. Ring 3 changes
// them without telling the kernel, by loading a selector, or a base where the CPU has FSGSBASE. So
// only the CPU knows what the current context has; it is read when the context leaves. Between two
// contexts all four selectors are null, so that nearly every switch has only the bases to load.
//
// While the kernel runs, the program's GS base is in KERNEL_GS_BASE. It can be any canonical
// address, also the kernel's own: traps.asm compares bases, and finds the same struct cpu whichever
// of the two equal ones it takes.
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/x86.h"

static bool has_fsgsbase; // the boot CPU's; no machine mixes CPUs with and without

void segments_init(void) { has_fsgsbase = read_cr4() & CR4_FSGSBASE; }
bool segments_fsgsbase(void) { return has_fsgsbase; }

static u64 fs_base_read(void) {
    u64 base;
    if (!has_fsgsbase) return rdmsr(MSR_FS_BASE);
    __asm__ volatile("rdfsbase %0" : "=r"(base));
    return base;
}

static void fs_base_write(u64 base) {
    if (has_fsgsbase)
        __asm__ volatile("wrfsbase %0" ::"r"(base));
    else
        wrmsr(MSR_FS_BASE, base);
}

static struct selectors selectors_read(void) {
    struct selectors now;
    __asm__ volatile("mov %%ds, %0\n\tmov %%es, %1\n\tmov %%fs, %2\n\tmov %%gs, %3"
                     : "=m"(now.ds), "=m"(now.es), "=m"(now.fs), "=m"(now.gs));
    return now;
}

static bool selector_is_null(struct selectors selectors) {
    return !(selectors.ds | selectors.es | selectors.fs | selectors.gs);
}

// Loads selectors. None of them faults: the program had them, and all CPUs have the same GDT. A
// null selector leaves the base as it was on AMD's CPUs before Zen 2, and clears it elsewhere.
// Loading GS changes the base of GS, too. So it happens between two SWAPGS, where that base is the
// program's; what interrupts the kernel there finds the kernel's base by itself.
static void selectors_load(struct selectors to) {
    __asm__ volatile(
        "mov %0, %%ds\n\tmov %1, %%es\n\tmov %2, %%fs\n\tswapgs\n\tmov %3, %%gs\n\tswapgs" ::"m"(
            to.ds),
        "m"(to.es), "m"(to.fs), "r"((u32)to.gs)
        : "memory");
}

void segments_read(struct segments *to) {
    to->selectors = selectors_read();
    to->fs_base = fs_base_read();
    to->gs_base = rdmsr(MSR_KERNEL_GS_BASE);
}

// struct cpu keeps what the CPU has until the next context comes.
void segments_leave(struct segments *save) {
    struct segments *here = &this_cpu()->segments;
    segments_read(here);
    if (save) *save = *here;
    if (selector_is_null(here->selectors)) return;
    selectors_load((struct selectors){0});
    segments_read(here);
}

void segments_enter(const struct segments *from) {
    struct segments *here = &this_cpu()->segments;
    if (!selector_is_null(from->selectors)) {
        selectors_load(from->selectors);
        segments_read(here);
    }
    if (here->fs_base != from->fs_base) fs_base_write(from->fs_base);
    if (here->gs_base != from->gs_base) wrmsr(MSR_KERNEL_GS_BASE, from->gs_base);
}

u64 segments_base(bool fs) {
    if (fs) return fs_base_read();
    return rdmsr(MSR_KERNEL_GS_BASE);
}

// The selector becomes null, as on Linux.
void segments_set_base(bool fs, u64 base) {
    const u32 null = 0;
    if (fs) {
        __asm__ volatile("mov %0, %%fs" ::"r"(null));
        fs_base_write(base);
    } else {
        __asm__ volatile("swapgs\n\tmov %0, %%gs\n\tswapgs" ::"r"(null) : "memory");
        wrmsr(MSR_KERNEL_GS_BASE, base);
    }
}
