// Plans memory and builds the final address space, in the low stage: identity-mapped, one CPU, nothing freed.
//
//   E820 -> usable ranges -> minus what is in use -> [kernel image | extents], first stack -> linear layout -> tables
//
// The tables are made with pages from the top of linear memory, the 4 KiB tail first.
#include "kernel/memory/build.h"

#include "kernel/cpu/cpu.h"
#include "kernel/cpu/x86.h"
#include "kernel/kernel.h"
#include "kernel/lib/elf.h"
#include "kernel/lib/string.h"
#include "kernel/memory/tables.h"
#include "kernel/memory/window.h"

#define PAGE_1G                    0x40000000ull
#define PAGE_2M                    0x200000ull
#define SMALL_STACK                0x4000               // the boot CPU's stack where memory is short,
#define SMALL_MACHINE              (64ull << 20)        // which is below this much
#define SCRATCH                    (BOUNCE + PAGE_SIZE) // ranges and edges while planning
#define REACH                      (BOUNCE_END - 8 * PAGE_SIZE)
#define CPUID_1_EDX_PGE            (1u << 13) // global pages
#define CPUID_80000001_EDX_NX      (1u << 20)
#define CPUID_80000001_EDX_PDPE1GB (1u << 26) // 1 GiB pages
#define RESERVATIONS               8          // each can cut one range in two

static struct elf kernel_elf;
static bool has_1g;
static u64 reach_next = REACH;

// What the BIOS map calls usable, for the window, and what is left of it, for linear memory; both in scratch memory.
static struct range *usable, *ranges;
static size_t usable_count, range_count;

// Page tables may come from above the 4 GiB that the loader mapped: extends its identity map, 2 MiB at a time. Such
// pages lie side by side at the end of memory, so eight tables are plenty on every machine known.
static void reach(u64 physical) {
    if (physical < IDENTITY_END) return;
    u64 *table = window(tables_root());
    for (int shift = 39; shift > 21; shift -= 9) {
        u64 *entry = &table[physical >> shift & 511];
        if (!(*entry & PTE_P)) {
            if (reach_next == BOUNCE_END) unfit("memory above 4 GiB is too scattered: no room to map 0x%lx", physical);
            memset(window(reach_next), 0, PAGE_SIZE);
            *entry = reach_next | PTE_P | PTE_W;
            reach_next += PAGE_SIZE;
        }
        table = window(*entry & PTE_ADDRESS);
    }
    table[physical >> 21 & 511] = ROUND_DOWN(physical, PAGE_2M) | PTE_P | PTE_W | PTE_PS;
}

// What this CPU offers to page tables. Physical addresses beyond what it implements are reserved bits in an entry.
static u64 find_features(struct handover *handover) {
    struct cpuid extended = cpuid(0x80000001, 0), basic = cpuid(1, 0);
    has_1g = extended.edx & CPUID_80000001_EDX_PDPE1GB;
    handover->tables_allow = ~0ull;
    if (!(basic.edx & CPUID_1_EDX_PGE)) handover->tables_allow &= ~PTE_G;
    if (extended.edx & CPUID_80000001_EDX_NX) wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
    else handover->tables_allow &= ~PTE_NX;
    tables_allow = handover->tables_allow;
    unsigned bits = cpuid(0x80000000, 0).eax >= 0x80000008 ? cpuid(0x80000008, 0).eax & 0xff : 36;
    u64 limit = bits < 46 ? 1ull << bits : WINDOW_END - WINDOW;
    return limit < LINEAR_END - LINEAR ? limit : LINEAR_END - LINEAR;
}

static void subtract(u64 start, u64 length) {
    if (length) range_count = ranges_subtract(ranges, range_count, start, start + length);
}

static void find_usable(struct handover *handover) {
    const struct boot_info *boot = &handover->boot;
    size_t entries = boot->e820_count;
    struct range_edge *edges = (void *)SCRATCH;
    usable = (void *)(edges + 2 * entries);
    ranges = usable + entries + RESERVATIONS;
    if ((u64)(ranges + entries + RESERVATIONS) > REACH)
        unfit("the firmware's memory map has %zu entries, more than vmos has room for", entries);
    usable_count = e820_usable((const struct e820_entry *)boot->e820, entries, find_features(handover), edges, usable);
    usable_count = ranges_subtract(usable, usable_count, boot->ebda, HIGH_MEMORY);
    handover->usable = ranges_bytes(usable, usable_count);
}

// Takes out of the usable ranges what is in use, the kernel's final place included, and what becomes the first stack.
// Returns the stack's 2 MiB, 0 on a small machine.
static u64 reserve(struct handover *handover) {
    const struct boot_info *boot = &handover->boot;
    range_count = usable_count;
    memcpy(ranges, usable, usable_count * sizeof(*ranges));
    subtract(0, BOOT_MEMORY_END);
    subtract(boot->kernel_low.start, boot->kernel_low.length);
    subtract(boot->payload.start, boot->payload.length);

    u64 extents = EXTENTS_PER_RANGE * (range_count + RESERVATIONS) * sizeof(struct extent);
    u64 length = boot->kernel_low.length + ROUND_UP(extents, PAGE_SIZE);
    u64 behind =
        boot->payload.start + boot->payload.length; // together with what is in use: it cuts no other large page
    u64 place = ranges_place(ranges, range_count, length, behind);
    if (!place) place = ranges_place(ranges, range_count, length, HIGH_MEMORY);
    if (!place || place + length > IDENTITY_END)
        unfit("no %lu KiB of memory in one piece for the kernel", length / 1024);
    subtract(place, length);
    handover->kernel_physical = place;
    handover->pages.map.extents = window(place + boot->kernel_low.length);

    u64 stack = handover->usable < SMALL_MACHINE ? 0 : ranges_place_stack(ranges, range_count, has_1g);
    subtract(stack, stack ? PAGE_2M : 0);
    return stack;
}

static void map(u64 root, u64 address, u64 physical, u64 bytes, u64 bits, u64 max_page) {
    if (!tables_map(root, address, physical, bytes, bits | PTE_G, max_page))
        unfit("%lu KiB of usable memory are too little for the page tables", pages_total() * (PAGE_SIZE / 1024));
}

static void map_new_pages(u64 root, u64 address, u64 bytes) {
    for (u64 at = address; at < address + bytes; at += PAGE_SIZE) {
        u64 page = page_alloc_cleared();
        if (!page) unfit("no memory for the first stack");
        map(root, at, page, PAGE_SIZE, PTE_W | PTE_NX, PAGE_SIZE);
    }
}

// Rights by segment. Returns the length of the read-only part, which comes first (kernel.ld).
static u64 map_kernel(u64 root, u64 physical) {
    u64 read_only = 0;
    for (unsigned i = 0; i < kernel_elf.header->e_phnum; i++) {
        const Elf64_Phdr *segment = &kernel_elf.segments[i];
        if (segment->p_type != PT_LOAD || segment->p_memsz == 0) continue;
        bool writable = segment->p_flags & PF_W, executable = segment->p_flags & PF_X;
        ASSERT(segment->p_vaddr % PAGE_SIZE == 0 && !(writable && executable));
        u64 length = ROUND_UP(segment->p_memsz, PAGE_SIZE);
        if (!writable) read_only = segment->p_vaddr + length;
        map(root, KERNEL_BASE + segment->p_vaddr, physical + segment->p_vaddr, length,
            (writable ? PTE_W : 0) | (executable ? 0 : PTE_NX), PAGE_SIZE);
    }
    return read_only;
}

// All usable memory, in the largest pages; the kernel's read-only frames are read-only here, too.
static void map_window(u64 root, u64 read_only, u64 length) {
    for (size_t i = 0; i < usable_count; i++) {
        u64 start = usable[i].start, end = usable[i].end, max_page = has_1g ? PAGE_1G : PAGE_2M;
        if (start <= read_only && read_only + length <= end) {
            map(root, WINDOW + start, start, read_only - start, PTE_W | PTE_NX, max_page);
            map(root, WINDOW + read_only, read_only, length, PTE_NX, max_page);
            start = read_only + length;
        }
        map(root, WINDOW + start, start, end - start, PTE_W | PTE_NX, max_page);
    }
}

static void map_linear(u64 root, const struct linear_map *linear) {
    for (size_t i = 0; i < linear->count; i++) {
        const struct extent *run = &linear->extents[i];
        map(root, run->linear, run->physical, run->bytes, PTE_W | PTE_NX, run->page);
    }
}

// Slot 0: the CPU's own data at the bottom, its stack at the top.
static void map_slot(u64 root, u64 stack) {
    map_new_pages(root, SLOTS, ROUND_UP(sizeof(struct cpu), PAGE_SIZE));
    if (stack) map(root, SLOTS + SLOT_SIZE - PAGE_2M, stack, PAGE_2M, PTE_W | PTE_NX, PAGE_2M);
    else map_new_pages(root, SLOTS + SLOT_SIZE - SMALL_STACK, SMALL_STACK);
}

// The kernel moves by being loaded again: this image has used its variables, a fresh one starts with its own.
static void load_kernel(u64 physical) {
    elf_load(&kernel_elf, window(physical));
    enum elf_error error = elf_relocate(&kernel_elf, window(physical), KERNEL_BASE);
    if (error) unfit("the kernel %s", elf_error_text(error));
}

void address_space_build(struct handover *handover, u64 entry) {
    const struct boot_info *boot = &handover->boot;
    enum elf_error error = elf_open(&kernel_elf, window(boot->kernel.start), boot->kernel.length, false);
    if (error) unfit("the kernel %s", elf_error_text(error));
    find_usable(handover);
    u64 stack = reserve(handover);
    linear_lay_out(&handover->pages.map, ranges, range_count, has_1g);
    handover->pages.top = handover->pages.map.end;
    pages_begin(&handover->pages, reach);

    u64 root = page_alloc_cleared();
    if (!root) unfit("%lu KiB of usable memory are too little", handover->usable / 1024);
    u64 read_only = map_kernel(root, handover->kernel_physical);
    map_window(root, handover->kernel_physical, read_only);
    map_linear(root, &handover->pages.map);
    map_slot(root, stack);
    load_kernel(handover->kernel_physical);

    handover->pages = *pages_state();
    handover->root = root;
    handover->entry = KERNEL_BASE + entry;
    handover->stack_top = SLOTS + SLOT_SIZE;
    // The way over: the loader's tables see the upper half too, until the high stage loads the new root.
    memcpy((u64 *)window(tables_root()) + 256, (u64 *)window(root) + 256, 256 * sizeof(u64));
}
