// What frames.c and frames_runs.c share: how they touch what all CPUs see, and their steps.
// frames.h has the protocol.
#pragma once

#include "kernel/memory/frames.h"

// Everything that CPUs share is touched by these alone. STEP is for the test that tries every order
// of steps.
#ifndef STEP
#define STEP() ((void)0)
#endif
#define SEQ              __ATOMIC_SEQ_CST
#define LOAD(at)         (STEP(), __atomic_load_n(at, SEQ))
#define STORE(at, value) (STEP(), __atomic_store_n(at, value, __ATOMIC_RELEASE))
#define SWAP(at, value)  (STEP(), __atomic_exchange_n(at, value, SEQ))
#define ADD(at, value)   (STEP(), __atomic_add_fetch(at, value, SEQ))
#define AND(at, value)   (STEP(), __atomic_fetch_and(at, value, SEQ))
#define OR(at, value)    (STEP(), __atomic_fetch_or(at, value, SEQ))
// When it fails, *seen becomes what is there.
#define CAS(at, seen, value) (STEP(), __atomic_compare_exchange_n(at, seen, value, false, SEQ, SEQ))
// At least as many as whoever asks has seen before. Not a step of its own: it commutes with the
// access before it.
#define JOINED(frames) __atomic_load_n(&(frames)->cpus, __ATOMIC_ACQUIRE)

#define ENTRY_FRAMES 32
#define BATCH        (FRAMES_RING / 2) // entries put back at once

struct piece { // free frames of one word, in nobody's place but ours
    u64 word, bits;
};

static inline unsigned frames_count_bits(u64 bits) { // POPCNT came later than long mode
    bits -= bits >> 1 & 0x5555555555555555;
    bits = (bits & 0x3333333333333333) + (bits >> 2 & 0x3333333333333333);
    return ((bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0f) * 0x0101010101010101 >> 56;
}

static inline struct piece frames_entry_piece(u64 entry) {
    return (struct piece){entry >> 33, (entry & UINT32_MAX) << (entry >> 32 & 1) * ENTRY_FRAMES};
}

// What lies between them is a CPU's own step, which others may wait for.
static inline void frames_begin(struct frames_cpu *cpu) { STORE(&cpu->begun, cpu->begun + 1); }
static inline void frames_end(struct frames_cpu *cpu) { STORE(&cpu->ended, cpu->ended + 1); }

// Takes what was claimed out of the counts.
void frames_subtract(struct frames *frames, struct piece piece);
// Puts pieces back among the bits.
void frames_put_back(struct frames *frames, const struct piece *pieces, size_t count);
// One of the frames that a CPU, any one, has cleared; FRAME_NONE: it has none.
u64 frames_cleared_take(struct frames_cpu *cpu);
