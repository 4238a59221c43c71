// Plans what becomes of each byte of memory. The order matters: first what is no good for anybody,
// then what is in use, then a place for the kernel next to that, so that it cuts no other large
// page, then the stack. Every plain number here that is an address is a physical one.
#include "kernel/memory/plan.h"

#include "kernel/lib/string.h"

// RAM of less than 64 MiB, of which firmware keeps some: no 2 MiB for a stack
#define SMALL_MACHINE (60ull << 20)

// Takes [start, end) out of the ranges, and keeps a record of what was usable.
static void plan_take(struct plan *plan, struct ranges *from, u64 start, u64 end, const char *why) {
    if (start >= end) return;
    for (size_t i = 0; plan->reserved && from != &plan->back && i < from->count; i++) {
        u64 first = MAX(ROUND_DOWN(start, PAGE_SIZE), from->list[i].start);
        u64 last = MIN(ROUND_UP(end, PAGE_SIZE), from->list[i].end);
        if (first < last)
            plan->reserved[plan->reserved_count++] = (struct reservation){first, last, why};
    }
    from->count = ranges_subtract(from->list, from->count, start, end);
}

static void plan_take_part(struct plan *plan, struct boot_part part, const char *why) {
    plan_take(plan, &plan->left, part.start, part.start + part.length, why);
}

// What nobody can use:
// - what lies beyond the addresses of the CPU or of linear memory (the window is longer);
// - what lies beyond the limit (mem=);
// - what is not write-back by cached (NULL: all is): it is too slow, and a large page over two
//   memory types is undefined.
static void plan_take_useless(const struct machine *machine, struct plan *plan, struct ranges *from,
                              const struct ranges *cached) {
    u64 limit = LINEAR_END - LINEAR;
    if (machine->address_bits < 46) limit = 1ull << machine->address_bits;
    u64 at = 0;
    plan_take(plan, from, limit, E820_TOP, "beyond the addresses of the CPU or of vmos");
    u64 before = ranges_bytes(from->list, from->count);
    if (machine->limit) plan_take(plan, from, machine->limit, E820_TOP, "beyond mem=");
    plan->beyond_limit = before - ranges_bytes(from->list, from->count);
    before -= plan->beyond_limit;
    // What lies between them, and behind the last.
    for (size_t i = 0; cached && i <= cached->count; i++) {
        u64 end = E820_TOP;
        if (i < cached->count) end = cached->list[i].start;
        plan_take(plan, from, at, end, "not write-back by the MTRRs");
        if (i < cached->count) at = cached->list[i].end;
    }
    plan->not_write_back = before - ranges_bytes(from->list, from->count);
}

// Adds what of [start, end) is usable to what comes back, which stays sorted.
static void plan_bring_back(struct plan *plan, u64 start, u64 end) {
    for (size_t i = 0; i < plan->usable.count; i++) {
        struct range part = {MAX(start, plan->usable.list[i].start),
                             MIN(end, plan->usable.list[i].end)};
        if (part.start >= part.end) continue;
        size_t j = plan->back.count++;
        for (; j > 0 && plan->back.list[j - 1].start > part.start; j--)
            plan->back.list[j] = plan->back.list[j - 1];
        plan->back.list[j] = part;
    }
}

// The three sweeps over the map: usable memory, write-back memory, memory that ACPI lends.
static void plan_find_memory(const struct machine *machine, struct plan *plan, u64 *edges,
                             void *work) {
    const struct e820_entry *map = machine->map;
    struct e820_entry *types = work;
    struct ranges cached_ranges = {(struct range *)(types + MTRR_ENTRIES), 0};
    const struct ranges *cached = NULL;
    size_t known = 0;
    if (machine->mtrr) known = mtrr_write_back(machine->mtrr, types);
    bool acpi = false;
    for (u32 i = 0; i < machine->entries; i++) {
        if (map[i].type == E820_RECLAIMABLE) acpi = true;
        if (map[i].type == E820_USABLE && e820_wraps(&map[i])) plan->ignored++;
    }
    plan->usable.count = e820_ranges(map, machine->entries, E820_USABLE, edges, plan->usable.list);
    if (acpi)
        plan->back.count =
            e820_ranges(map, machine->entries, E820_RECLAIMABLE, edges, plan->back.list);
    if (known) {
        cached_ranges.count = e820_ranges(types, known, E820_USABLE, edges, cached_ranges.list);
        cached = &cached_ranges;
    }

    plan_take(plan, &plan->back, 0, HIGH_MEMORY, NULL);
    plan_take_useless(machine, plan, &plan->back, cached);
    plan_take(plan, &plan->usable, machine->ebda, LEGACY_HOLE, "EBDA");
    plan_take(plan, &plan->usable, LEGACY_HOLE, HIGH_MEMORY, "video memory and ROMs");
    plan_take_useless(machine, plan, &plan->usable, cached);
}

// [kernel image | table of extents | copy of the BIOS map | text of the screen]
static bool plan_place_kernel(const struct machine *machine, struct plan *plan) {
    struct ranges *left = &plan->left;
    u64 image = machine->kernel_low.length;
    u64 behind = machine->payload.start + machine->payload.length;
    // Two cuts are to come.
    plan->extents_room = EXTENTS_PER_RANGE * (left->count + 2) + plan->back.count + 3;
    u64 copy = machine->entries * sizeof(struct e820_entry);
    u64 tables = plan->extents_room * sizeof(struct extent) + copy + machine->screen;
    plan->kernel_bytes = image + ROUND_UP(tables, PAGE_SIZE);
    plan->extents_room += (plan->kernel_bytes - image - tables) / sizeof(struct extent);
    u64 kernel = ranges_place(left->list, left->count, plan->kernel_bytes, behind);
    if (!kernel || kernel + plan->kernel_bytes > IDENTITY_END)
        kernel = ranges_place(left->list, left->count, plan->kernel_bytes, HIGH_MEMORY);
    if (!kernel || kernel + plan->kernel_bytes > IDENTITY_END) return false;
    plan->kernel = (paddr){kernel};
    plan->extents = paddr_add(plan->kernel, image);
    plan->map_copy = paddr_add(plan->extents, plan->extents_room * sizeof(struct extent));
    plan->screen = paddr_add(plan->map_copy, copy);
    plan_take(plan, left, kernel, kernel + plan->kernel_bytes, "kernel");
    return true;
}

// Makes a plan for a machine. scratch has PLAN_SCRATCH(entries) bytes; the plan's lists lie in it.
// The caller sets plan->reserved: NULL, or room for PLAN_RESERVATIONS(entries). False: there is no
// place for the kernel, of kernel_bytes; 0: what the loader placed reaches beyond the limit.
bool plan_make(const struct machine *machine, struct plan *plan, void *scratch) {
    struct boot_part low = machine->kernel_low;
    struct boot_part image = machine->payload;
    struct range *lists = scratch;
    size_t room = PLAN_RANGES(machine->entries);
    *plan = (struct plan){.reserved = plan->reserved};
    plan->usable.list = lists;
    plan->back.list = lists + room;
    plan->left.list = lists + 2 * room; // the edges lie there before
    plan_find_memory(machine, plan, (u64 *)plan->left.list, lists + 3 * room);

    plan->left.count = plan->usable.count;
    memcpy(plan->left.list, plan->usable.list, plan->usable.count * sizeof(struct range));
    plan_take(plan, &plan->left, 0, PAGE_SIZE, "page 0");
    if (!low.length) {
        plan->back.count = 0;
        return true;
    }
    if (machine->limit && machine->limit < ROUND_UP(image.start + image.length, PAGE_SIZE))
        return false;
    plan_take_part(plan, machine->low.ap_start, "start of other CPUs");
    plan_take_part(plan, machine->low.ap_root, "start of other CPUs");
    plan_take_part(plan, machine->low.firmware, "written by BIOSes");
    plan_take_part(plan, machine->low.loader, "boot pages");
    plan_take_part(plan, low, "kernel while booting");
    plan_take_part(plan, image, "image");
    plan_bring_back(plan, machine->low.loader.start,
                    machine->low.loader.start + machine->low.loader.length);
    plan_bring_back(plan, low.start, low.start + low.length);
    plan_bring_back(plan, image.start, ROUND_UP(image.start + image.length, PAGE_SIZE));
    if (!plan_place_kernel(machine, plan)) return false;
    if (ranges_bytes(plan->usable.list, plan->usable.count) >= SMALL_MACHINE)
        plan->stack.at = ranges_place_stack(plan->left.list, plan->left.count, machine->has_1g);
    if (plan->stack.at)
        plan_take(plan, &plan->left, plan->stack.at, plan->stack.at + PAGE_2M, "first stack");
    return true;
}
