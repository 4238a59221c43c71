// The checker of the frame allocator: every rule of frames.h that holds while no CPU is inside a
// call.
#pragma once

#include <stdlib.h>
#include <string.h>

#include "test/check.h"
#include "kernel/memory/frames.c"
#include "kernel/memory/frames_runs.c"

// Memory for so many CPUs, one behind the other, and for frames_init(); and the set-up.
static inline size_t machine_bytes(u64 count, unsigned cpus) {
    return cpus * sizeof(struct frames_cpu) + frames_bytes(count);
}

static inline void machine_init(struct frames *frames, void *memory, u64 count, u64 free,
                                unsigned cpus) {
    frames_init(frames, (struct frames_cpu *)memory + cpus, count, free, memory,
                sizeof(struct frames_cpu));
    while (frames->cpus < cpus) frames_join(frames);
}

// in_use[frame]: 1 when somebody has it. Each frame is in use or in exactly one place; counts and
// summary are right.
static void frames_check(const struct frames *frames, const u8 *in_use) {
    u8 *seen = calloc(frames->count + 1, 1);
    bool right = true;
    u64 sum_free = 0;
    for (u64 set = 0; set < frames->supersets * SUPERSET_SETS; set++) {
        u64 in_set = 0;
        for (u64 word = set * SET_WORDS;
             set < frames_sets_of(frames->count) && word < (set + 1) * SET_WORDS; word++) {
            for (u64 bits = frames->bits[word]; bits; bits &= bits - 1, in_set++) {
                u64 frame = word * 64 + (u64)__builtin_ctzll(bits);
                if (frame < frames->count)
                    seen[frame]++;
                else
                    right = false;
            }
        }
        right &= frames->in_set[set] == in_set;
        sum_free += in_set;
    }
    CHECK(right);
    for (u64 i = 0; i < frames->supersets; i++) {
        u64 sum = 0;
        for (u64 set = i * SUPERSET_SETS; set < (i + 1) * SUPERSET_SETS; set++)
            sum += frames->in_set[set];
        right &= frames->in_superset[i] == sum;
        right &= sum == 0 || (frames->summary[i / 64] >> i % 64 & 1);
    }
    CHECK(right);
    for (unsigned n = 0; n < frames->cpus; n++) {
        const struct frames_cpu *cpu = frames_cpu(frames, n);
        right &= cpu->begun == cpu->ended && cpu->last - cpu->first <= FRAMES_RING;
        u32 used = 1;
        for (u32 i = cpu->first; i != cpu->last; i++) used |= 2u << i % FRAMES_RING;
        for (u32 i = 0; i <= FRAMES_RING; i++) {
            u64 entry = cpu->held[i];
            right &= !(u32)entry || (used >> i & 1);
            for (u32 bits = (u32)entry; bits; bits &= bits - 1, sum_free++) {
                u64 frame = (entry >> 32) * 32 + (u64)__builtin_ctz(bits);
                if (frame < frames->count)
                    seen[frame]++;
                else
                    right = false;
            }
        }
        for (int i = 0; i < FRAMES_CLEARED; i++)
            if (cpu->cleared[i]) seen[cpu->cleared[i] - 1]++, sum_free++;
    }
    CHECK(right);
    for (u64 frame = 0; frame < frames->count; frame++) right &= seen[frame] + in_use[frame] == 1;
    CHECK(right);
    CHECK(frames_free(frames) == sum_free);
    free(seen);
}
