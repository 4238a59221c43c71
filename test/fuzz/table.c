// Fuzz target for tools/table.c: the input is a partition table, an image's end and a medium's
// size. What passes must keep what a BIOS relies on, counted here in another way.
#include <stdlib.h>

#include "tools/table.c"

#define PROMISE(condition) ((condition) ? (void)0 : abort())

static u64 number(const u8 *at) {
    return at[0] | (u64)at[1] << 8 | (u64)at[2] << 16 | (u64)at[3] << 24;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size) {
    u8 sector[SECTOR_SIZE] = {0}, before[SECTOR_SIZE], input[74] = {0};
    int active = 0;
    memcpy(input, data, MIN(size, sizeof input));
    u64 end = number(input + 64) % 0x800000 + 2,
        sectors = number(input + 68) | (u64)input[73] << 32;
    memcpy(sector + PARTITIONS_AT, input, 64);
    if (input[72] & 1) table_put(sector, (u32)end); // or nothing would ever pass
    memcpy(before, sector, sizeof sector);
    const char *wrong = table_check(sector, end, sectors);
    PROMISE(!memcmp(before, sector, sizeof sector));
    if (wrong) {
        PROMISE(strlen(wrong) > 20 && strlen(wrong) < 299);
        return 0;
    }
    for (const u8 *entry = sector + 446; entry < sector + 510; entry += 16) {
        u64 first = number(entry + 8), last = first + number(entry + 12); // exclusive
        PROMISE(entry[0] == 0 || entry[0] == 0x80);
        active += entry[0] == 0x80;
        PROMISE(last <= sectors && (entry == sector + 446 || !first || first >= end));
    }
    PROMISE(active == 1 && sector[446] == 0x80 && number(sector + 454) == 1 &&
            number(sector + 458) == end - 1);
    PROMISE(number(sector + 446 + 16 + 8) == end && end < sectors);
    return 0;
}
