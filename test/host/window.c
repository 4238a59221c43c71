// kernel/memory/window.c over page tables that are a list: what may be mapped as what.
#include <stdarg.h>
#include <string.h>

#include "test/check.h"
#define log kernel_log // the C library has one of its own
#include "kernel/memory/e820.c"
#include "kernel/memory/window.c"

struct leaf {
    u64 address, bytes, entry;
};
static struct leaf leaves[100];
static size_t count, room;
static char said[200];

void log(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vsnprintf(said, sizeof said, fmt, args);
    va_end(args);
}

paddr tables_root(void) { return (paddr){0}; }
void lock_take(struct lock *taken) {
    CHECK(!taken->taken);
    taken->taken = true;
}

u64 *tables_leaf(paddr root, u64 address, u64 *bytes) {
    (void)root;
    for (size_t i = 0; i < count; i++) {
        *bytes = leaves[i].bytes;
        if (address - leaves[i].address < leaves[i].bytes) return &leaves[i].entry;
    }
    *bytes = PAGE_SIZE;
    return NULL;
}

bool tables_map(paddr root, u64 address, paddr physical, u64 bytes, u64 bits, u64 max_page) {
    u64 old;
    CHECK(bytes <= max_page && bytes == PAGE_SIZE && address == WINDOW + physical.at &&
          !tables_leaf(root, address, &old));
    CHECK(bits & PTE_NX && (bits & PTE_W || !(bits & TYPE_BITS)));
    if (count == room) return false;
    leaves[count++] = (struct leaf){address, bytes, physical.at | bits | PTE_P};
    return true;
}

static bool maps(u64 physical, u64 bytes, enum window_kind kind) {
    size_t before = count;
    void *got = window_map((paddr){physical}, bytes, kind);
    CHECK(!got || got == (void *)(window_base + physical));
    if (!got) CHECK(count == before || strstr(said, "page tables"));
    return got;
}

int main(void) {
    static const struct e820_entry map[] = {
        {0, 0x9fc00, 1}, {0x100000, 0x3ee0000, 1}, {0x3fe0000, 0x8000, 3}, {0x3fe8000, 0x18000, 4}};
    window_set_map(map, 4);
    CHECK(maps(0xb8000, 0x8000, WINDOW_DEVICE)); // the low kernel: nothing to do below 4 GiB
    CHECK(!maps(0x100000000, 1, WINDOW_DEVICE) && count == 0);

    window_base = WINDOW;
    room = 50;
    leaves[count++] = (struct leaf){WINDOW, 0x9f000, PTE_P | PTE_W | PTE_NX};
    leaves[count++] = (struct leaf){WINDOW + 0x100000, 0x3ee0000, PTE_P | PTE_W | PTE_NX};
    CHECK(maps(0xb8000, 0x8000, WINDOW_DEVICE) && count == 10);
    CHECK(maps(0xb8abc, 1, WINDOW_DEVICE) && count == 10); // again: nothing new
    CHECK(!maps(0xb8000, 1, WINDOW_WRITE_COMBINING) && strstr(said, "another memory type"));
    CHECK(!maps(0xb8000, 1, WINDOW_TABLES));
    CHECK(maps(0xfd000000, 0x2001, WINDOW_WRITE_COMBINING) && count == 13);
    CHECK(!maps(0xfcfff000, 0x1001, WINDOW_DEVICE)); // its last byte is write-combining
    CHECK(!maps(0xfd000000, 1, WINDOW_TABLES) && !maps(0xfd000000, 1, WINDOW_DEVICE));
    // Usable memory: as it is, for tables that lie in it; never as a device.
    CHECK(maps(0x200010, 100, WINDOW_TABLES) && count == 13);
    CHECK(!maps(0x200000, 1, WINDOW_DEVICE) && !maps(0x3fdffff, 2, WINDOW_WRITE_COMBINING));
    // ACPI's ranges, and what the BIOS keeps below 1 MiB: tables. A hole: nothing that the CPU
    // would read ahead in.
    CHECK(maps(0x3fe7fff, 2, WINDOW_TABLES) && count == 15 &&
          !(leaves[14].entry & (PTE_W | TYPE_BITS)));
    CHECK(maps(0xf5a40, 20, WINDOW_TABLES) && maps(0x9fc40, 0x300, WINDOW_TABLES) && count == 17);
    CHECK(!maps(0x4000000, 1, WINDOW_TABLES) && strstr(said, "nothing there"));
    CHECK(!maps(0x3fff000, 0x1001, WINDOW_TABLES) && maps(0x3fff000, 0x1000, WINDOW_TABLES));
    CHECK(!maps(0, 0, WINDOW_DEVICE) && !maps(UINT64_MAX, 2, WINDOW_DEVICE) &&
          !maps(1ull << 46, 1, WINDOW_DEVICE));
    CHECK(maps((1ull << 46) - 1, 1, WINDOW_DEVICE));
    room = count + 1;
    CHECK(!maps(0xfe000000, 0x2000, WINDOW_DEVICE) && strstr(said, "page tables"));
    return check_done("window");
}
