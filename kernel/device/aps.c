// Which other CPUs are started, and what they need of memory: a slot each, and page tables to come
// from real mode by.
#include "kernel/cpu/apic.h"
#include "kernel/device/devices.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/memory/pages.h"
#include "kernel/memory/slots.h"
#include "kernel/memory/tables.h"
#include "kernel/memory/window.h"

static u32 ids[ACPI_CPUS];

// Whether a page is of usable memory: then the window shows it, and it is write-back.
static bool aps_have_page(struct boot_part part) {
    u64 bytes;
    if (!part.length) return false;
    return tables_leaf(tables_root(), WINDOW + part.start, &bytes) != NULL;
}

// Makes the first root of the other CPUs: it shows the kernel's half, and at its own address the
// page where they start. One page serves as the table of every level. In an address below 1 MiB
// each index but the last is 0, and entry 0 leads back to the page itself; the last index is not 0.
static void aps_make_root(const struct boot_low *low) {
    u64 *root = window((paddr){low->ap_root.start});
    memset(root, 0, PAGE_SIZE / 2);
    memcpy(root + 256, (u64 *)window(tables_root()) + 256, PAGE_SIZE / 2);
    root[0] = low->ap_root.start | PTE_P;
    root[low->ap_start.start / PAGE_SIZE] = low->ap_start.start | PTE_P;
}

// Makes slots for the other CPUs and wakes them; waits for none (cpus_watch() does). Says who is
// left off, and why.
void cpus_start(const struct acpi_info *acpi, const struct boot_low *low) {
    unsigned count = 0;
    unsigned beyond = 0;
    unsigned made = 0;
    u32 own = this_cpu()->apic_id;
    if (acpi->cpu_count < 2) return;
    if (apic_mode() == APIC_NONE) {
        log("cpus: %u are left off: there is no local APIC to start them by", acpi->cpu_count - 1);
        return;
    }
    for (u32 i = 0; i < acpi->cpu_count; i++) {
        u32 id = acpi->cpus[i];
        if (id == own) continue;
        if (apic_mode() == APIC_MEMORY && id > XAPIC_ID_MAX)
            beyond++;
        else if (count < CPUS_MAX - 1)
            ids[count++] = id;
    }
    if (beyond)
        log("cpus: %u with APIC ids above %u are left off: the CPU has no x2APIC", beyond,
            XAPIC_ID_MAX);
    if (options.cpus && count >= options.cpus) {
        log("cpus: %u are left off: the command line says cpus=%u", count - (options.cpus - 1),
            options.cpus);
        count = options.cpus - 1;
    }
    if (!count) return;
    for (unsigned i = 0; i < count; i++) apic_send_init(ids[i]); // making slots gives them time
    if (!aps_have_page(low->ap_start) || !aps_have_page(low->ap_root)) {
        log_error("cpus: %u are left off: the pages they start by, at %#lx and %#lx (0: none), are "
                  "not write-back memory",
                  count, low->ap_start.start, low->ap_root.start);
        return;
    }
    aps_make_root(low);
    while (made < count && slot_make(made + 1)) made++;
    if (made < count)
        log("cpus: %u are left off: slots for more than %u would take too much of %lu KiB of "
            "memory",
            count - made, made + 1, pages_total() * (PAGE_SIZE / 1024));
    struct cpus_way way = {
        .start = {low->ap_start.start}, .first_root = {low->ap_root.start}, .root = tables_root()};
    way.page = window(way.start);
    cpus_wake(ids, made, &way);
}
