// CRC-32C two ways: the SSE4.2 instruction on general registers, and slice-by-8 for CPUs without it
// (8 tables of 256, 8 KiB, built at first use). Reflected: the polynomial 11EDC6F41h reads
// 82F63B78h, and bytes enter at the low end.
#include "kernel/lib/crc32c.h"

#define CRC32C_REFLECTED 0x82f63b78

// slices[n][b]: what byte b does to the CRC with n zero bytes behind it.
static u32 slices[8][256];

static void crc_build_slices(void) {
    for (int n = 0; n < 8; n++)
        for (u32 byte = 0; byte < 256; byte++) {
            u32 crc = byte;
            if (n > 0) crc = slices[n - 1][byte];
            for (int bit = 0; bit < 8; bit++) {
                bool carry = crc & 1;
                crc >>= 1;
                if (carry) crc ^= CRC32C_REFLECTED;
            }
            slices[n][byte] = crc;
        }
}

static u32 crc_by_table(u32 crc, const u8 *at, size_t bytes) {
    if (!slices[0][1]) crc_build_slices();
    for (; bytes >= 8; bytes -= 8, at += 8) {
        // The CRC so far meets the first four of the eight bytes.
        u64 word = *(const loose_u64 *)at ^ crc;
        crc = 0;
        for (int n = 7; n >= 0; n--, word >>= 8) crc ^= slices[n][word & 0xff];
    }
    for (; bytes; bytes--, at++) crc = crc >> 8 ^ slices[0][(crc ^ *at) & 0xff];
    return crc;
}

// crc32 r64, r/m64: Intel SDM volume 2, CRC32. It zeroes the upper half of its destination.
static u32 crc_by_instruction(u32 crc, const u8 *at, size_t bytes) {
    u64 wide = crc;
#pragma GCC unroll 8 // the whole image passes through here before anything else runs
    for (; bytes >= 8; bytes -= 8, at += 8)
        __asm__("crc32q %1, %0" : "+r"(wide) : "rm"(*(const loose_u64 *)at));
    for (; bytes; bytes--, at++) __asm__("crc32b %1, %0" : "+r"(wide) : "rm"(*at));
    return (u32)wide;
}

// The CRC of bytes appended to data whose CRC is crc (0 for none). has_crc32: the CPU has the
// SSE4.2 instruction. Without it the first caller writes the table: call it once before other CPUs
// start.
u32 crc32c(u32 crc, const void *data, size_t bytes, bool has_crc32) {
    if (has_crc32) return ~crc_by_instruction(~crc, data, bytes);
    return ~crc_by_table(~crc, data, bytes);
}
