#include "kernel/lib/chacha20.h"

#define DOUBLE_ROUNDS 10

static u32 chacha20_rotate(u32 word, int bits) { return word << bits | word >> (32 - bits); }

// With constant places the words stay in registers.
static inline __attribute__((always_inline)) void chacha20_quarter(u32 *a, u32 *b, u32 *c, u32 *d) {
    *a += *b;
    *d = chacha20_rotate(*d ^ *a, 16);
    *c += *d;
    *b = chacha20_rotate(*b ^ *c, 12);
    *a += *b;
    *d = chacha20_rotate(*d ^ *a, 8);
    *c += *d;
    *b = chacha20_rotate(*b ^ *c, 7);
}

// Rounds go over the columns of the four by four words, then over their diagonals.
void chacha20_block(const u32 key[CHACHA20_KEY_WORDS], u32 counter,
                    const u32 nonce[CHACHA20_NONCE_WORDS], u32 out[CHACHA20_BLOCK_WORDS]) {
    u32 start[CHACHA20_BLOCK_WORDS] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    for (int i = 0; i < CHACHA20_KEY_WORDS; i++) start[4 + i] = key[i];
    start[12] = counter;
    for (int i = 0; i < CHACHA20_NONCE_WORDS; i++) start[13 + i] = nonce[i];
    u32 x[CHACHA20_BLOCK_WORDS];
    for (int i = 0; i < CHACHA20_BLOCK_WORDS; i++) x[i] = start[i];
    for (int round = 0; round < DOUBLE_ROUNDS; round++) {
        chacha20_quarter(&x[0], &x[4], &x[8], &x[12]);
        chacha20_quarter(&x[1], &x[5], &x[9], &x[13]);
        chacha20_quarter(&x[2], &x[6], &x[10], &x[14]);
        chacha20_quarter(&x[3], &x[7], &x[11], &x[15]);
        chacha20_quarter(&x[0], &x[5], &x[10], &x[15]);
        chacha20_quarter(&x[1], &x[6], &x[11], &x[12]);
        chacha20_quarter(&x[2], &x[7], &x[8], &x[13]);
        chacha20_quarter(&x[3], &x[4], &x[9], &x[14]);
    }
    for (int i = 0; i < CHACHA20_BLOCK_WORDS; i++) out[i] = x[i] + start[i];
}
