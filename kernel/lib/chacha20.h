// The block function of ChaCha20 (RFC 8439, 2.3): 64 bytes that say nothing of the key.
#pragma once

#include "kernel/lib/types.h"

#define CHACHA20_KEY_WORDS   8
#define CHACHA20_NONCE_WORDS 3
#define CHACHA20_BLOCK_WORDS 16

void chacha20_block(const u32 key[CHACHA20_KEY_WORDS], u32 counter,
                    const u32 nonce[CHACHA20_NONCE_WORDS], u32 out[CHACHA20_BLOCK_WORDS]);
