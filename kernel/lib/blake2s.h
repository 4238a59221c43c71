// The hash BLAKE2s (RFC 7693), without a key, of 32 bytes.
#pragma once

#include "kernel/lib/types.h"

#define BLAKE2S_WORDS 8

void blake2s(const void *message, u64 bytes, u32 hash[BLAKE2S_WORDS]);
