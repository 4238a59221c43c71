// Executes the plan of memory in the low kernel: identity-mapped, one CPU, nothing freed. The
// tables are made with pages from the top of linear memory, the 4 KiB tail first, as far as they
// lie below 4 GiB.
#include "kernel/memory/build.h"

#include "kernel/cpu/x86.h"
#include "kernel/kernel.h"
#include "kernel/lib/elf.h"
#include "kernel/lib/string.h"
#include "kernel/memory/slots.h"
#include "kernel/memory/tables.h"
#include "kernel/memory/window.h"

#define SMALL_STACK           0x4000 // the boot CPU's stack where memory is short
#define CPUID_80000001_EDX_NX (1u << 20)
_Static_assert(HANDOVER_BYTES(E820_MAX) <= BOUNCE_END - BOUNCE,
               "a map that start.asm takes can be planned");

static struct elf kernel_elf;
static bool has_1g;

// What this CPU offers to page tables. Physical addresses beyond what it implements are reserved
// bits in an entry.
static void build_find_features(struct handover *handover, struct machine *machine) {
    struct cpuid extended = cpuid(0x80000001, 0);
    struct cpuid basic = cpuid(1, 0);
    has_1g = extended.edx & CPUID_80000001_EDX_PDPE1GB;
    machine->has_1g = has_1g;
    if (!(basic.edx & CPUID_1_EDX_PGE)) tables_allow &= ~PTE_G;
    if (extended.edx & CPUID_80000001_EDX_NX)
        wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
    else
        tables_allow &= ~PTE_NX;
    handover->tables_allow = tables_allow;
    machine->address_bits = 36;
    if (cpuid(0x80000000, 0).eax >= 0x80000008)
        machine->address_bits = cpuid(0x80000008, 0).eax & 0xff;
}

static void build_plan(struct handover *handover) {
    struct boot_info *boot = &handover->boot;
    struct plan *plan = &handover->plan;
    struct machine machine = {(const struct e820_entry *)boot->e820, boot->e820_count,
                              .limit = options.memory};
    struct mtrr mtrr;
    machine.ebda = boot->ebda;
    machine.kernel_low = boot->kernel_low;
    machine.payload = boot->payload;
    machine.low = boot->low;
    machine.screen = screen_bytes(&boot->framebuffer);
    build_find_features(handover, &machine);
    mtrr_read(&mtrr, machine.address_bits);
    machine.mtrr = &mtrr;
    bool fits = plan_make(&machine, plan, (void *)(boot->low.handover.start + PAGE_SIZE));
    if (machine.limit)
        log("memory: mem= leaves out %lu KiB, all from 0x%lx on", plan->beyond_limit / 1024,
            machine.limit);
    if (!fits && !plan->kernel_bytes)
        unfit(
            "mem= leaves out memory from 0x%lx on, but the image lies at 0x%lx-0x%lx: give it more",
            machine.limit, machine.kernel_low.start,
            machine.payload.start + machine.payload.length - 1);
    if (!fits) unfit("no %lu KiB of memory in one piece for the kernel", plan->kernel_bytes / 1024);
    memcpy(window(plan->map_copy), machine.map, machine.entries * sizeof(struct e820_entry));
    boot->e820 = plan->map_copy.at;
    boot->screen = (struct boot_part){plan->screen.at, machine.screen};
}

static void build_map(paddr root, u64 address, paddr physical, u64 bytes, u64 bits, u64 max_page) {
    if (!tables_map(root, address, physical, bytes, bits | PTE_G, max_page))
        unfit("the part below 4 GiB of %lu KiB of usable memory is too little for the page tables",
              pages_total() * (PAGE_SIZE / 1024));
}

static void build_map_new_pages(paddr root, u64 address, u64 bytes, paddr (*alloc)(void)) {
    for (u64 at = address; at < address + bytes; at += PAGE_SIZE) {
        paddr page = alloc();
        if (!page.at) unfit("no memory for the first stack");
        build_map(root, at, page, PAGE_SIZE, PTE_W | PTE_NX, PAGE_SIZE);
    }
}

// Rights by segment; no two share a page. Returns the length of the read-only part, which comes
// first (kernel.ld).
static u64 build_map_kernel(paddr root, paddr physical) {
    u64 read_only = 0;
    u64 end = 0;
    for (const elf_segment *segment = NULL; (segment = elf_next(&kernel_elf, segment, PT_LOAD));) {
        bool writable = segment->p_flags & PF_W;
        bool executable = segment->p_flags & PF_X;
        u64 start = ROUND_DOWN(segment->p_vaddr, PAGE_SIZE);
        ASSERT(start >= end && !(writable && executable));
        end = ROUND_UP(segment->p_vaddr + segment->p_memsz, PAGE_SIZE);
        if (!writable) read_only = end;
        u64 rights = PTE_NX;
        if (executable) rights = 0;
        if (writable) rights |= PTE_W;
        build_map(root, KERNEL_BASE + start, paddr_add(physical, start), end - start, rights,
                  PAGE_SIZE);
    }
    return read_only;
}

static void build_map_in_window(paddr root, u64 physical, u64 bytes, u64 bits, u64 max_page) {
    build_map(root, WINDOW + physical, (paddr){physical}, bytes, bits, max_page);
}

// All usable memory, in the largest pages; the kernel's read-only frames are read-only here, too.
static void build_map_window(paddr root, const struct ranges *usable, u64 read_only, u64 length) {
    for (size_t i = 0; i < usable->count; i++) {
        u64 start = usable->list[i].start;
        u64 end = usable->list[i].end;
        u64 max_page = PAGE_2M;
        if (has_1g) max_page = PAGE_1G;
        if (start <= read_only && read_only + length <= end) {
            build_map_in_window(root, start, read_only - start, PTE_W | PTE_NX, max_page);
            build_map_in_window(root, read_only, length, PTE_NX, max_page);
            start = read_only + length;
        }
        build_map_in_window(root, start, end - start, PTE_W | PTE_NX, max_page);
    }
}

// Slot 0: the CPU's own data at the bottom, its stack at the top. Stacks are written before they
// are read. The small one is cleared all the same: it can lie where SeaBIOS ran its own start,
// below the end of memory, and QEMU under TCG takes a slow path for each store to a page while it
// keeps a translation of code there, which is until the code's own bytes are written. Without this,
// a program's calls take 20 times as long with QEMU 7.2 and 50 times with 11.1.
static void build_map_slot(paddr root, paddr stack) {
    u64 interrupt_stacks = SLOTS + offsetof(struct cpu, ist);
    u64 behind = SLOTS + sizeof(struct cpu);
    build_map_new_pages(root, SLOTS, interrupt_stacks - SLOTS, page_alloc_cleared);
    build_map_new_pages(root, interrupt_stacks, behind - interrupt_stacks, page_alloc);
    build_map_new_pages(root, behind, SLOTS + SLOT_DATA - behind, page_alloc_cleared);
    if (stack.at)
        build_map(root, SLOTS + SLOT_SIZE - PAGE_2M, stack, PAGE_2M, PTE_W | PTE_NX, PAGE_2M);
    else
        build_map_new_pages(root, SLOTS + SLOT_SIZE - SMALL_STACK, SMALL_STACK, page_alloc_cleared);
}

// In the window, for the high kernel, which writes before it can make page tables. The loader saw
// that no RAM is there.
static void build_map_framebuffer(paddr root, const struct boot_framebuffer *framebuffer) {
    u64 start = ROUND_DOWN(framebuffer->address, PAGE_SIZE);
    u64 end = framebuffer->address + (u64)framebuffer->pitch * framebuffer->height;
    if (start)
        build_map_in_window(root, start, ROUND_UP(end, PAGE_SIZE) - start, PTE_W | PTE_NX | PTE_PWT,
                            PAGE_2M);
}

// Plans and builds for handover->boot, and loads the high kernel. Ends the
// machine when it is unfit.
void address_space_build(struct handover *handover) {
    const struct boot_info *boot = &handover->boot;
    enum elf_error error =
        elf_open_kernel(&kernel_elf, window((paddr){boot->kernel.start}), boot->kernel.length);
    if (error) unfit("the kernel %s", elf_error_text(error));
    const struct plan *plan = &handover->plan;
    build_plan(handover);
    handover->pages.map =
        (struct linear_map){.extents = window(plan->extents), .room = plan->extents_room};
    linear_lay_out(&handover->pages.map, plan->left.list, plan->left.count, has_1g);
    handover->pages.top = handover->pages.map.end;
    pages_begin(&handover->pages);

    paddr root = page_alloc_cleared();
    if (!root.at)
        unfit("%lu KiB of usable memory are too little",
              ranges_bytes(plan->usable.list, plan->usable.count) / 1024);
    u64 read_only = build_map_kernel(root, plan->kernel);
    build_map_window(root, &plan->usable, plan->kernel.at, read_only);
    const struct extent *end = handover->pages.map.extents + handover->pages.map.count;
    for (const struct extent *run = handover->pages.map.extents; run < end; run++)
        build_map(root, run->linear, run->physical, run->bytes, PTE_W | PTE_NX, run->page);
    build_map_slot(root, plan->stack);
    build_map_framebuffer(root, &boot->framebuffer);
    // The kernel moves by being loaded again: this image has used its variables, a fresh one starts
    // with its own.
    elf_load(&kernel_elf, window(plan->kernel));
    error = elf_relocate(&kernel_elf, window(plan->kernel), KERNEL_BASE);
    if (error) unfit("the kernel %s", elf_error_text(error));

    handover->tables = tables_made + 1;
    handover->root = root;
    // The way over: the loader's tables see the upper half too, until the high kernel loads the new
    // root.
    memcpy((u64 *)window(tables_root()) + 256, (u64 *)window(root) + 256, 256 * sizeof(u64));
}
