// One walker for all page tables. Whoever changes tables of the lower half does so alone, but CPUs
// walk them meanwhile; of the upper half each part has its owner: the window (window.c), a slot its
// CPU, the rest the boot CPU. Level 3 is the PML4, level 0 the page table whose entries map 4 KiB.
#include "kernel/memory/tables.h"

#include "kernel/cpu/cpus.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/memory/pages.h"
#include "kernel/memory/window.h"

#define ENTRIES 512

u64 tables_allow = ~0ull;
u64 tables_made;

u64 *tables_at(paddr table, u64 address, int level) {
    return (u64 *)window(table) + (address >> LEVEL_SHIFT(level)) % ENTRIES;
}

// Rights are decided at the leaf alone, so tables carry all of them; only those of the lower half
// may carry PTE_U (SDM 3A 4.6: U must be set at every level).
u64 *tables_entry_with(paddr root, u64 address, int level, paddr (*new_table)(void)) {
    paddr table = root;
    for (int at = 3; at > level; at--) {
        u64 *entry = tables_at(table, address, at);
        if (*entry & PTE_PS) panic("page tables: a large page is in the way at 0x%lx", address);
        if (!(*entry & PTE_P)) {
            paddr made = new_table();
            if (!made.at) return NULL;
            __atomic_fetch_add(&tables_made, 1, __ATOMIC_RELAXED);
            *entry = made.at | PTE_P | PTE_W;
            if (address < 1ull << 47) *entry |= PTE_U;
        }
        table = pte_target(*entry);
    }
    return tables_at(table, address, level);
}

u64 *tables_entry(paddr root, u64 address, int level) {
    return tables_entry_with(root, address, level, page_alloc_cleared);
}

u64 *tables_leaf(paddr root, u64 address, u64 *bytes) {
    paddr table = root;
    for (int level = 3; level >= 0; level--) {
        u64 *entry = tables_at(table, address, level);
        *bytes = LEVEL_BYTES(level);
        if (!*entry) return NULL;
        if (level == 0 || *entry & PTE_PS) return entry;
        table = pte_target(*entry);
    }
    return NULL;
}

const void *tables_peek(u64 address) {
    u64 bytes, *entry = tables_leaf(tables_root_here(), address, &bytes);
    if (!entry || !(*entry & PTE_P) || address != (u64)((s64)(address << 16) >> 16)) return NULL;
    return window((paddr){(*entry & PTE_ADDRESS & -bytes) | (address & (bytes - 1))});
}

bool tables_map(paddr root, u64 address, paddr physical, u64 bytes, u64 bits, u64 max_page) {
    bits = (bits | PTE_P) & tables_allow;
    while (bytes > 0) {
        int level = 2;
        while (level > 0 && max_page < LEVEL_BYTES(level)) level--;
        while (level > 0 &&
               ((address | physical.at) % LEVEL_BYTES(level) != 0 || bytes < LEVEL_BYTES(level)))
            level--;
        u64 *entry = tables_entry(root, address, level);
        if (!entry) return false;
        // Fill this table as far as pages of this size go: one walk for up to 512 entries, and few
        // instructions each, since without 1 GiB pages every 2 MiB of memory come by here twice.
        u64 page = LEVEL_BYTES(level);
        u64 next = physical.at | bits;
        if (level) next |= PTE_PS;
        u64 count = ENTRIES - (address >> LEVEL_SHIFT(level)) % ENTRIES;
        count = MIN(count, bytes / page);
        address += count * page;
        physical.at += count * page;
        bytes -= count * page;
        for (; count >= 4; count -= 4, entry += 4, next += 4 * page) {
            entry[0] = next;
            entry[1] = next + page;
            entry[2] = next + 2 * page;
            entry[3] = next + 3 * page;
        }
        for (; count; count--, next += page) *entry++ = next;
    }
    return true;
}

void tables_each(paddr root, u64 start, u64 end,
                 void (*each)(void *context, u64 *entry, u64 address, u64 bytes), void *context) {
    for (u64 address = start, bytes; address < end; address = ROUND_DOWN(address, bytes) + bytes) {
        u64 *entry = tables_leaf(root, address, &bytes);
        if (entry) each(context, entry, address, bytes);
    }
}

u64 tables_reach(paddr root, u64 start, u64 end, u64 cost, u64 most) {
    for (u64 address = start, bytes, sum = 0; address < end;
         address = ROUND_DOWN(address, bytes) + bytes) {
        if (sum >= most) return address;
        if (tables_leaf(root, address, &bytes))
            sum += cost;
        else
            sum += cost / 2;
    }
    return end;
}

// Hides or frees, of what is below one table, whose first address is at: see tables.h.
// give: NULL to hide.
static unsigned tables_take_out(paddr table, int level, u64 at, const u64 range[2],
                                const u64 limits[2], void (*give)(u64)) {
    bool hide = !give;
    u64 bytes = LEVEL_BYTES(level);
    u64 first = 0;
    if (range[0] > at) first = (range[0] - at) / bytes;
    unsigned hidden = 0;
    for (u64 i = first; i < ENTRIES && at + i * bytes < range[1]; i++) {
        u64 *entry = (u64 *)window(table) + i;
        u64 from = at + i * bytes;
        u64 whole[] = {from, from + bytes};
        if (!*entry || (hide && !(*entry & PTE_P))) continue;
        bool is_table = level > 0 && !(*entry & PTE_PS);
        bool goes = is_table && from >= limits[0] && whole[1] <= limits[1];
        bool goes_down = level > 1;
        if (hide) goes_down = !goes;
        const u64 *inside = range;
        if (goes) inside = whole;
        if (is_table && goes_down)
            hidden |= tables_take_out(pte_target(*entry), level - 1, from, inside, limits, give);
        if (hide && is_table == goes) {
            *entry &= ~PTE_P;
            if (goes)
                hidden |= TABLES_HID_TABLES;
            else
                hidden |= TABLES_HID_PAGES;
        } else if (goes) {
            give(*entry);
            *entry = 0;
        }
    }
    return hidden;
}

unsigned tables_hide(paddr root, u64 start, u64 end, u64 low, u64 high) {
    ASSERT(end <= high && high <= 1ull << 47);
    return tables_take_out(root, 3, 0, (u64[]){start, end}, (u64[]){low, high}, NULL);
}

void tables_free(paddr root, u64 start, u64 end, u64 low, u64 high, void (*give)(u64 entry)) {
    tables_take_out(root, 3, 0, (u64[]){start, end}, (u64[]){low, high}, give);
}

// ---- taking apart ----

#define DROP_COST    200 // a page or a table that goes
#define CLUSTER      8   // entries that are looked at together, since most are empty
#define CLUSTER_COST 12

static inline bool tables_are_empty(const u64 *entry) {
    return !(entry[0] | entry[1] | entry[2] | entry[3] | entry[4] | entry[5] | entry[6] | entry[7]);
}

// Goes down where there is a table, and up at its end: each level has its table, and how far it is.
bool tables_take_apart(paddr root, s64 work, void (*drop)(u64 entry, u64 bytes),
                       void (*give)(u64 entry)) {
    u64 *at[] = {NULL, NULL, NULL, window(root)};
    u64 *ends[] = {NULL, NULL, NULL, at[3] + ENTRIES / 2};
    for (int level = 3; level < 4;) {
        u64 *entry = at[level];
        if (entry == ends[level]) {
            if (++level == 4) return true;
            give(*at[level]);
            *at[level]++ = 0;
        } else if ((u64)entry % (CLUSTER * sizeof *entry) == 0 && tables_are_empty(entry)) {
            work -= CLUSTER_COST;
            at[level] += CLUSTER;
        } else if (!*entry) {
            at[level]++;
        } else if (work < 0) {
            return false;
        } else if (level == 0 || *entry & PTE_PS) {
            work -= DROP_COST;
            drop(*entry, LEVEL_BYTES(level));
            *at[level]++ = 0;
        } else {
            at[--level] = window(pte_target(*entry));
            ends[level] = at[level] + ENTRIES;
        }
    }
    return true;
}

void tables_split(struct tlb *tlb, u64 *entry, u64 address, u64 bytes, u64 table) {
    u64 part = bytes / ENTRIES;
    u64 next = *entry;
    if (part == PAGE_SIZE) next &= ~PTE_PS;
    u64 *entries = window(pte_target(table));
    for (u64 i = 0; i < ENTRIES; i++) entries[i] = next + i * part;
    *entry &= ~PTE_P;
    tlb_flush(tlb, address, address + PAGE_SIZE, false);
    *entry = table | PTE_P | PTE_W | PTE_U;
}

void tables_join(struct tlb *tlb, u64 address, int level, void (*give)(u64 entry)) {
    u64 *above = tables_entry(tlb->root, address, level + 1);
    if (!above || !(*above & PTE_P) || *above & PTE_PS) return;
    u64 table = *above;
    u64 *entries = window(pte_target(table));
    u64 first = entries[0];
    u64 bytes = LEVEL_BYTES(level);
    if (!first || (first & PTE_ADDRESS) % LEVEL_BYTES(level + 1)) return;
    for (u64 i = ENTRIES - 1; i; i--)
        if (entries[i] != first + i * bytes) return;
    *above = 0;
    address = ROUND_DOWN(address, LEVEL_BYTES(level + 1));
    tlb_flush(tlb, address, address + LEVEL_BYTES(level + 1), true);
    *above = first | PTE_PS;
    give(table);
}
