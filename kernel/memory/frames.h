// Frames of 2 MiB: who has which, for all CPUs at once, without locks. Pure: it knows numbers and
// the memory it was given for its bits, no addresses and no hardware.
//
// Frame n is linear memory LINEAR + n * 2 MiB; a frame is one physical piece, two neighbours need
// not be. A free frame is in exactly one of three places:
//
//   bits      one bit for each frame, 64 to a word: what no CPU has claimed
//   held      of each CPU: up to 17 entries [index of 32 frames | a bit for each]. The CPU claims a
//             word of bits, which becomes two entries, serves itself from them, and collects there
//             what is given back to it. The first entry is the current one, the others are a ring
//             of older ones
//   cleared   of each CPU: at most 4 frames that are known to hold zeroes
//
// Over the bits lie counts, 16 bits each, of sets (1024 frames, 16 words) and supersets (32 sets),
// and a summary of one bit for each superset. However large memory is, a search reads two lines of
// the summary, one of set counts and two of bits.
//
// Who may change what, and when:
//   - A word of bits: any CPU. Bits leave by compare-and-swap and belong to whoever took them out,
//     so no frame is given twice; they come by a fetch-or of frames that nobody else has, so none
//     is lost.
//   - A count: whoever puts bits adds first (superset, set, then the bits); whoever took bits
//     subtracts afterwards. So 0 means nothing, and at rest the counts are exact.
//   - A bit of the summary: it is set, unless it is already, after each addition to the superset's
//     count. Whoever sees the count 0 clears it, then looks at the count again, and sets it again
//     if the count is not 0. At rest a count above 0 has its bit.
//   - An entry of held: only its owner makes an empty one non-empty, adds bits or changes its
//     index. Anybody takes bits out, by compare-and-swap of the whole entry or a swap with 0, so
//     that index and bits always belong together. A value that came back means the same again, so a
//     compare-and-swap need not see that it was gone.
//   - begun and ended: their CPU alone, before and after every time it puts free frames anywhere,
//     also those that only move and are in its registers in between.
//
// Claims shrink when memory is short: from 64 frames, a word, to 1 when a superset has few left, so
// that the last frames stay among the bits, where everybody finds them (two CPUs: at less than 512
// frames in a superset, 1 GiB).
//
// Nothing is stranded: a CPU that finds no bits takes single frames out of what others hold. It
// gives up only after it saw every place empty while no other CPU put anything anywhere: when it
// read all the ended before the search, all the begun after it, and their sums are equal (a CPU
// that was at it in between has begun more than it had ended). Since frames were only taken in that
// time, none was left at its end. Else it looks again, so one CPU waits for another only when
// memory is all but full, and then for a few instructions (or for the clearing of one frame). A CPU
// takes part before it puts anything anywhere, so one that either sum leaves out had not begun when
// that sum was begun.
#pragma once

#include "kernel/lib/address.h"
#include "kernel/lib/types.h"

#define FRAME_NONE UINT64_MAX
#ifndef FRAMES_SET // the test that tries every order of steps has small ones
#define FRAMES_SET     1024
#define SUPERSET_SETS  32
#define FRAMES_RING    16 // a power of two
#define FRAMES_CLEARED 4
// How many of the frames that its superset has left a claim takes; at least 1, at most what is in a
// word.
#define CLAIM_SIZE(left, cpus) ((left) / (cpus) / 4)
#endif
#define SET_WORDS (FRAMES_SET / 64)

struct frames_cpu {
    u64 held[1 + FRAMES_RING];   // entries; one without bits in its lower half is empty
    u64 begun, ended;            // written by the owner
    u32 cleared[FRAMES_CLEARED]; // frame + 1; 0: none
    // For the owner alone:
    u32 first, last;    // entries in use in the ring: first to last - 1, modulo FRAMES_RING
    u32 set;            // where it claimed last
    u32 victim;         // whom it took a frame from last
    bool wants_cleared; // it has once missed a cleared frame
    u64 count;          // of all frames
    struct frames *frames;
} __attribute__((aligned(64)));

struct frames {
    u64 count, supersets;
    u64 *bits;              // for each frame; 1: free and not claimed
    u16 *in_set;            // of each set, up to a whole superset: frames free and not claimed
    u16 *in_superset;       // for each superset, the same
    u64 *summary;           // for each superset, a bit: it may have some
    unsigned cpus;          // that take part: 0 to this - 1; it only rises
    struct frames_cpu *cpu; // of the first one; the next is stride bytes behind
    u64 stride;
};

u64 frames_bytes(u64 count);
void frames_init(struct frames *frames, void *memory, u64 count, u64 free, struct frames_cpu *cpu,
                 u64 stride);
void frames_join(struct frames *frames);

static inline struct frames_cpu *frames_cpu(const struct frames *frames, unsigned number) {
    return (struct frames_cpu *)((char *)frames->cpu + number * frames->stride);
}

// One frame.
frameno frames_take(struct frames_cpu *cpu);
void frames_give(struct frames_cpu *cpu, frameno frame);

// Neighbours (frames_runs.c).
frameno frames_take_run(struct frames_cpu *cpu, u64 count, u64 align, u64 start, u64 end);
void frames_give_run(struct frames_cpu *cpu, frameno frame, u64 count);

// Frames that hold zeroes.
frameno frames_take_cleared(struct frames_cpu *cpu);
bool frames_fill(struct frames_cpu *cpu, void (*clear)(u64 frame));

u64 frames_free(const struct frames *frames);
