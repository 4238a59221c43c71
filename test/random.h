// Random numbers of the host tests, the same in every run (Marsaglia's xorshift, 13, 7, 17).
#pragma once

#include "kernel/lib/types.h"

static u64 random_state = 88172645463325252;

static unsigned random_below(unsigned n) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % n;
}
