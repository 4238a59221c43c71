// kernel/lib/crc32c.c: RFC 3720 B.4 vectors, and both ways against a bit-by-bit one and each other.
#include <stdlib.h>
#include <string.h>

#include "test/check.h"
#include "kernel/lib/crc32c.c"

static bool has_crc32;

static u32 bit_by_bit(u32 crc, const u8 *at, size_t bytes) {
    crc = ~crc;
    for (; bytes; bytes--) {
        crc ^= *at++;
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
    }
    return ~crc;
}

static bool both_give(u32 want, u32 before, const void *data, size_t bytes) {
    return crc32c(before, data, bytes, false) == want &&
           (!has_crc32 || crc32c(before, data, bytes, true) == want);
}

static void test_vectors(void) {
    u8 data[32];
    CHECK(both_give(0, 0, "", 0));
    CHECK(both_give(0xe3069283, 0, "123456789", 9));
    memset(data, 0, 32);
    CHECK(both_give(0x8a9136aa, 0, data, 32));
    memset(data, 0xff, 32);
    CHECK(both_give(0x62a8ab43, 0, data, 32));
    for (u8 i = 0; i < 32; i++) data[i] = i;
    CHECK(both_give(0x46dd794e, 0, data, 32));
    for (u8 i = 0; i < 32; i++) data[i] = (u8)(31 - i);
    CHECK(both_give(0x113fdb5c, 0, data, 32));
    static const u8 read_command[48] = {
        0x01,        0xc0,        [16] = 0x14, [22] = 0x04,
        [27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02}; // the iSCSI Read(10) PDU of the RFC
    CHECK(both_give(0xd9963a56, 0, read_command, 48));
}

// Exactly as long as the data, so that the sanitizer sees a read behind it; split at every place
// too.
static void test_random(void) {
    srand(1);
    for (int round = 0; round < 3000; round++) {
        size_t shift = (size_t)rand() % 8, bytes = (size_t)rand() % 300,
               split = bytes ? (size_t)rand() % bytes : 0;
        u8 *block = malloc(shift + bytes), *data = block + shift;
        for (size_t i = 0; i < bytes; i++) data[i] = (u8)rand();
        u32 before = (u32)rand(), want = bit_by_bit(before, data, bytes);
        CHECK(both_give(want, before, data, bytes));
        CHECK(both_give(want, crc32c(before, data, split, has_crc32), data + split, bytes - split));
        free(block);
    }
}

int main(void) {
    has_crc32 = __builtin_cpu_supports("sse4.2");
    test_vectors();
    test_random();
    return check_done("crc32c");
}
