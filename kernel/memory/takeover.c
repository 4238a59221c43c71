// The high kernel takes over the memory that the low kernel laid out, and what booting needed comes
// back. Boot pages that come back are in the window, as all usable memory; what ACPI lent is new
// there. All is appended before the first page is given away, since the list of what comes back
// lies in boot pages itself.
#include "kernel/memory/build.h"

#include "kernel/kernel.h"
#include "kernel/memory/slots.h"
#include "kernel/memory/tables.h"
#include "kernel/memory/window.h"

static u64 usable, stack, lent; // bytes; lent: by ACPI, in linear memory now
static struct linear_map map;

static void takeover_log_layout(void) {
    static const char *const names[] = {"1G", "2M", "4K"};
    u64 pages[3] = {0};
    for (size_t i = 0, size = 0; i < map.count; i++) {
        const struct extent *run = &map.extents[i];
        while (i >= map.first[size + 1]) size++;
        pages[size] += run->bytes / run->page;
        log("memory: 0x%lx 0x%lx %lu %s", run->linear, run->physical.at, run->bytes / run->page,
            names[size]);
    }
    log("memory: %lu KiB usable, %lu KiB of it linear: %lu pages of 1 GiB, %lu of 2 MiB, "
        "%lu of 4 KiB",
        usable / 1024, pages_total() * (PAGE_SIZE / 1024), pages[0], pages[1], pages[2]);
}

// The first and the last page of a run must be in the page tables as the extents have it.
static void takeover_check_run(const struct extent *run) {
    for (int last = 0; last < 2; last++) {
        u64 bytes;
        u64 offset = 0;
        if (last) offset = run->bytes - run->page;
        const u64 *entry = tables_leaf(tables_root(), run->linear + offset, &bytes);
        if (!entry || bytes != run->page ||
            (*entry & PTE_ADDRESS & -bytes) != run->physical.at + offset)
            panic("linear memory: 0x%lx is not mapped to its page of %u KiB at 0x%lx",
                  run->linear + offset, run->page / 1024, run->physical.at + offset);
    }
}

// Takes over what the low kernel built; says in the log how memory is laid out, and checks that
// against the page tables.
void memory_take_over(const struct handover *handover) {
    struct pages pages = handover->pages;
    pages.map.extents = window((paddr){(u64)pages.map.extents});
    map = pages.map;
    const struct plan *plan = &handover->plan;
    pages_init(&pages, ranges_bytes(window((paddr){(u64)plan->back.list}), plan->back.count));
    slot_refill(THIS_SLOT());
    traps_set_stack_growth(slot_grow);
    window_set_map(window((paddr){handover->boot.e820}), handover->boot.e820_count);
    usable = ranges_bytes(window((paddr){(u64)plan->usable.list}), plan->usable.count);
    if (plan->stack.at) stack = PAGE_2M;
    takeover_log_layout();
    for (size_t i = 0; i < map.count; i++) takeover_check_run(&map.extents[i]);
    u64 gib = ROUND_UP(usable, 1ull << 30) >> 30;
    u64 tables = handover->tables * PAGE_SIZE;
    log("memory: %lu KiB of page tables, %lu bytes per GiB of memory", tables / 1024, tables / gib);
    if (plan->not_write_back)
        log("memory: ignored %lu KiB that are not write-back by the MTRRs",
            plan->not_write_back / 1024);
    if (plan->ignored)
        log("memory: ignored %u entries of the firmware's map that wrap", plan->ignored);
}

// False when there is no room for another extent.
static bool takeover_append(u64 start, u64 end) {
    u64 linear = map.end;
    if (!linear_append(&map, start, end)) return false;
    if (!tables_map(tables_root(), linear, (paddr){start}, end - start, PTE_W | PTE_NX | PTE_G,
                    PAGE_SIZE))
        unfit("no memory is left for page tables");
    return true;
}

// A range of usable memory is in the window as a whole. What ACPI lent is there only where somebody
// mapped it.
static void takeover_append_back(const struct range *range) {
    u64 bytes, before = map.end, at = range->start;
    const u64 *entry = tables_leaf(tables_root(), WINDOW + at, &bytes);
    bool lends = !entry || (*entry & (PTE_W | PTE_PCD | PTE_PWT)) != PTE_W;
    bool fits = lends || takeover_append(at, range->end);
    for (; lends && at < range->end; at += PAGE_SIZE) {
        if (tables_leaf(tables_root(), WINDOW + at, &bytes)) continue; // a firmware table
        if (!tables_map(tables_root(), WINDOW + at, (paddr){at}, PAGE_SIZE, PTE_W | PTE_NX | PTE_G,
                        PAGE_SIZE))
            unfit("no memory is left for page tables");
        fits = takeover_append(at, at + PAGE_SIZE);
        if (!fits) break;
    }
    if (!fits)
        log("memory: 0x%lx-0x%lx is not given back: it is too scattered", at, range->end - 1);
    if (lends) lent += map.end - before;
}

// The pages of [start, end) of the image, rounded inward, are nobody's any more.
void memory_give(paddr start, paddr end) {
    start.at = ROUND_UP(start.at, PAGE_SIZE);
    if (physical_to_linear(&map, start).at == UINT64_MAX) return; // there was no room to append it
    end.at = ROUND_DOWN(end.at, PAGE_SIZE);
    if (start.at < end.at) pages_give(start, end.at - start.at);
}

// Appends to linear memory what booting does not need any more, but for firmware tables that were
// mapped, and gives it to the page allocator, but for the image, whose pages are still somebody's.
// The handover is gone afterwards.
void memory_end_boot(const struct handover *handover) {
    const struct range *back = window((paddr){(u64)handover->plan.back.list});
    struct boot_part image = handover->boot.payload;
    for (size_t i = 0; i < handover->plan.back.count; i++) takeover_append_back(&back[i]);
    pages_grow(&map);
    for (size_t i = map.first[3]; i < map.count; i++) {
        paddr start = map.extents[i].physical;
        paddr end = paddr_add(start, map.extents[i].bytes);
        memory_give(start, (paddr){MIN(end.at, image.start)});
        memory_give((paddr){MAX(start.at, image.start + image.length)}, end);
    }
}

// Says in the log how much is usable in the end.
void memory_report(void) {
    u64 linear = pages_total() * PAGE_SIZE - lent + stack;
    u64 share = linear / 1024 * 10000 / (usable / 1024);
    log("memory: in the end %lu KiB are linear or the first stack, %lu.%02lu %% of what is usable, "
        "and %lu KiB that ACPI lent; %lu KiB are free",
        linear / 1024, share / 100, share % 100, lent / 1024, pages_free() * (PAGE_SIZE / 1024));
}
