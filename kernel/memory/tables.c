// One walker for all page tables. Level 3 is the PML4, level 0 the page table whose entries map 4 KiB.
#include "kernel/memory/tables.h"

#include "kernel/kernel.h"
#include "kernel/memory/pages.h"
#include "kernel/memory/window.h"

#define ENTRIES            512
#define LEVEL_SHIFT(level) (12 + 9 * (level))
#define LEVEL_BYTES(level) (1ull << LEVEL_SHIFT(level))

u64 tables_allow = ~0ull;
static u64 tables_made;

static u64 *entry_in(u64 table, u64 address, int level) {
    return (u64 *)window(table & PTE_ADDRESS) + (address >> LEVEL_SHIFT(level)) % ENTRIES;
}

// The table below an entry, made when it is missing and create is set. Rights are decided at the leaf alone, so tables
// carry all of them; only those of the lower half may carry PTE_U (SDM 3A 4.6: U must be set at every level).
static u64 table_below(u64 *entry, u64 address, bool create) {
    if (*entry & PTE_PS) panic("page tables: a large page is in the way at 0x%lx", address);
    if (!(*entry & PTE_P)) {
        u64 table = create ? page_alloc_cleared() : 0;
        if (!table) return 0;
        tables_made++;
        *entry = table | PTE_P | PTE_W | (address < 1ull << 47 ? PTE_U : 0);
    }
    return *entry & PTE_ADDRESS;
}

// The entry for address at the given level.
static u64 *walk(u64 root, u64 address, int level, bool create) {
    u64 table = root;
    for (int at = 3; at > level; at--) {
        table = table_below(entry_in(table, address, at), address, create);
        if (!table) return NULL;
    }
    return entry_in(table, address, level);
}

u64 *tables_leaf(u64 root, u64 address, u64 *bytes) {
    u64 table = root;
    for (int level = 3; level >= 0; level--) {
        u64 *entry = entry_in(table, address, level);
        *bytes = LEVEL_BYTES(level);
        if (!(*entry & PTE_P)) return NULL;
        if (level == 0 || *entry & PTE_PS) return entry;
        table = *entry;
    }
    return NULL;
}

u64 *tables_entry(u64 root, u64 address, bool create) { return walk(root, address, 0, create); }

bool tables_map(u64 root, u64 address, u64 physical, u64 bytes, u64 bits, u64 max_page) {
    bits = (bits | PTE_P) & tables_allow;
    while (bytes > 0) {
        int level = max_page >= LEVEL_BYTES(2) ? 2 : max_page >= LEVEL_BYTES(1) ? 1 : 0;
        while (level > 0 && ((address | physical) % LEVEL_BYTES(level) != 0 || bytes < LEVEL_BYTES(level))) level--;
        u64 *entry = walk(root, address, level, true);
        if (!entry) return false;
        // Fill this table as far as pages of this size go: one walk for up to 512 entries, and few instructions each,
        // since without 1 GiB pages every 2 MiB of memory come by here twice.
        u64 page = LEVEL_BYTES(level), next = physical | bits | (level ? PTE_PS : 0);
        u64 count = ENTRIES - (address >> LEVEL_SHIFT(level)) % ENTRIES;
        if (count > bytes / page) count = bytes / page;
        address += count * page;
        physical += count * page;
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

void tables_each(u64 root, u64 start, u64 end, void (*each)(u64 *entry, u64 address)) {
    for (u64 address = start; address < end;) {
        u64 table = root;
        int level = 3;
        for (; level > 0; level--) {
            u64 *entry = entry_in(table, address, level);
            if (!(*entry & PTE_P)) break;
            table = table_below(entry, address, false);
        }
        if (level == 0) {
            u64 *entry = entry_in(table, address, 0);
            if (*entry) each(entry, address);
        }
        u64 next = ROUND_DOWN(address, LEVEL_BYTES(level)) + LEVEL_BYTES(level);
        if (next < address) return;
        address = next;
    }
}

// Frees the tables below the table that cover nothing outside [start, end); at: first address the table covers.
static void free_below(u64 table, int level, u64 at, u64 start, u64 end) {
    for (u64 i = 0; i < ENTRIES; i++) {
        u64 *entry = (u64 *)window(table) + i, from = at + i * LEVEL_BYTES(level), to = from + LEVEL_BYTES(level);
        if (to <= start || from >= end || !(*entry & PTE_P)) continue;
        u64 below = *entry & PTE_ADDRESS;
        if (level > 1) free_below(below, level - 1, from, start, end);
        if (from < start || to > end) continue;
        *entry = 0;
        page_free(below);
        tables_made--;
    }
}

void tables_free(u64 root, u64 start, u64 end) {
    ASSERT(end <= 1ull << 47);
    free_below(root, 3, 0, start, end);
}

u64 tables_count(void) { return tables_made; }

void tlb_flush_page(u64 address) { __asm__ volatile("invlpg (%0)" ::"r"(address) : "memory"); }

void tlb_flush_all(void) { __asm__ volatile("mov %%cr3, %%rax; mov %%rax, %%cr3" ::: "rax", "memory"); }

u64 tables_root(void) {
    u64 cr3;
    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    return cr3 & PTE_ADDRESS;
}
