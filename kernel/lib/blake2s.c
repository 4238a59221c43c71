#include "kernel/lib/blake2s.h"

#include "kernel/lib/string.h"

#define BLOCK_BYTES 64
#define ROUNDS      10
#define PARAMETERS  0x01010020u // one leaf, no key, 32 bytes of hash (RFC 7693, 2.5)

static const u32 first[BLAKE2S_WORDS] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
// Which words of the block each round takes (RFC 7693, 2.7).
static const u8 schedule_of[ROUNDS][16] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                           {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
                                           {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
                                           {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
                                           {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
                                           {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
                                           {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
                                           {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
                                           {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
                                           {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};

static u32 blake2s_rotate(u32 word, int bits) { return word >> bits | word << (32 - bits); }

static inline __attribute__((always_inline)) void blake2s_mix(u32 *a, u32 *b, u32 *c, u32 *d, u32 x,
                                                              u32 y) {
    *a += *b + x;
    *d = blake2s_rotate(*d ^ *a, 16);
    *c += *d;
    *b = blake2s_rotate(*b ^ *c, 12);
    *a += *b + y;
    *d = blake2s_rotate(*d ^ *a, 8);
    *c += *d;
    *b = blake2s_rotate(*b ^ *c, 7);
}

// One block, with which so many bytes are hashed.
static void blake2s_block(u32 hash[BLAKE2S_WORDS], const u32 block[16], u64 hashed, bool is_last) {
    u32 v[16];
    for (int i = 0; i < BLAKE2S_WORDS; i++) {
        v[i] = hash[i];
        v[8 + i] = first[i];
    }
    v[12] ^= (u32)hashed;
    v[13] ^= (u32)(hashed >> 32);
    if (is_last) v[14] = ~v[14];
    for (int round = 0; round < ROUNDS; round++) {
        const u8 *of = schedule_of[round];
        blake2s_mix(&v[0], &v[4], &v[8], &v[12], block[of[0]], block[of[1]]);
        blake2s_mix(&v[1], &v[5], &v[9], &v[13], block[of[2]], block[of[3]]);
        blake2s_mix(&v[2], &v[6], &v[10], &v[14], block[of[4]], block[of[5]]);
        blake2s_mix(&v[3], &v[7], &v[11], &v[15], block[of[6]], block[of[7]]);
        blake2s_mix(&v[0], &v[5], &v[10], &v[15], block[of[8]], block[of[9]]);
        blake2s_mix(&v[1], &v[6], &v[11], &v[12], block[of[10]], block[of[11]]);
        blake2s_mix(&v[2], &v[7], &v[8], &v[13], block[of[12]], block[of[13]]);
        blake2s_mix(&v[3], &v[4], &v[9], &v[14], block[of[14]], block[of[15]]);
    }
    for (int i = 0; i < BLAKE2S_WORDS; i++) hash[i] ^= v[i] ^ v[8 + i];
}

void blake2s(const void *message, u64 bytes, u32 hash[BLAKE2S_WORDS]) {
    u64 done = 0;
    u32 block[BLOCK_BYTES / sizeof(u32)];
    memcpy(hash, first, sizeof first);
    hash[0] ^= PARAMETERS;
    do {
        u64 part = MIN(bytes - done, BLOCK_BYTES);
        memset(block, 0, sizeof block);
        memcpy(block, (const u8 *)message + done, part);
        done += part;
        blake2s_block(hash, block, done, done == bytes);
    } while (done < bytes);
}
