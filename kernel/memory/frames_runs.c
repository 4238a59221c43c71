// Runs of frames: several neighbours at once, for pages of 1 GiB and what has to lie together.
#include "kernel/memory/frames_steps.h"

// Bits of the word that frame lies in which belong to [frame, end).
static u64 frames_mask_of(u64 frame, u64 end) {
    u64 mask = ~0ull << frame % 64;
    u64 behind = ROUND_DOWN(frame, 64) + 64;
    if (end < behind) return mask & ~(~0ull << end % 64);
    return mask;
}

// Without a division for each word.
static u64 frames_align_up(u64 frame, u64 align) { return (frame + align - 1) & -align; }

static u64 frames_next_word(u64 frame) { return ROUND_DOWN(frame, 64) + 64; }

static void frames_run_put_back(struct frames *frames, u64 frame, u64 end) {
    for (; frame < end; frame = frames_next_word(frame))
        frames_put_back(frames, &(struct piece){frame / 64, frames_mask_of(frame, end)}, 1);
}

// Gives such a run back, or any other part of memory that is in use.
void frames_give_run(struct frames_cpu *cpu, frameno given, u64 count) {
    u64 frame = given.number;
    if (count > cpu->count || frame > cpu->count - count) __builtin_trap();
    frames_begin(cpu);
    frames_run_put_back(cpu->frames, frame, frame + count);
    frames_end(cpu);
}

// Takes all frames of [frame, end), or none. Of several CPUs after overlapping runs the one that is
// furthest succeeds.
static bool frames_run_take(struct frames_cpu *cpu, u64 frame, u64 end_frame) {
    struct frames *frames = cpu->frames;
    u64 at = frame;
    frames_begin(cpu);
    for (; at < end_frame; at = frames_next_word(at)) {
        u64 mask = frames_mask_of(at, end_frame);
        u64 bits = LOAD(&frames->bits[at / 64]);
        while ((bits & mask) == mask)
            if (CAS(&frames->bits[at / 64], &bits, bits & ~mask)) break;
        if ((bits & mask) != mask) break;
        frames_subtract(frames, (struct piece){at / 64, mask});
    }
    bool complete = at >= end_frame;
    if (!complete) frames_run_put_back(frames, frame, at);
    frames_end(cpu);
    return complete;
}

// The first frame from at on, or one from end on, whose set has at least so many frames in bits.
// Full memory is gone through by supersets: 16 TiB are 256 of them.
static u64 frames_skip_sets(const struct frames *frames, u64 at, u64 end, u64 least) {
    while (at < end) {
        u64 set = at / FRAMES_SET;
        u64 size = FRAMES_SET;
        if (LOAD(&frames->in_superset[set / SUPERSET_SETS]) < least)
            size *= SUPERSET_SETS;
        else if (LOAD(&frames->in_set[set]) >= least)
            break;
        at = ROUND_DOWN(at, size) + size;
    }
    return at;
}

// A set in which no run can begin is passed over: one with fewer frames than the fewest of a run
// before a set's end.
static u64 frames_run_find(struct frames_cpu *cpu, u64 count, u64 align, u64 start, u64 end) {
    u64 least = MIN(MIN(count, align), FRAMES_SET), next;
    for (u64 first = frames_align_up(start, align); first < end && count <= end - first;
         first = frames_align_up(next, align)) {
        next = frames_skip_sets(cpu->frames, first, end, least);
        if (next != first) continue;
        u64 taken = 0;
        for (; next < first + count && !taken; next = frames_next_word(next))
            taken = ~LOAD(&cpu->frames->bits[next / 64]) & frames_mask_of(next, first + count);
        if (!taken && frames_run_take(cpu, first, first + count)) return first;
        if (taken) // behind the first frame that is in use
            next = next - 64 + (unsigned)__builtin_ctzll(taken) + 1;
        else
            next = first; // another CPU took some of it
    }
    return FRAME_NONE;
}

// Puts what all CPUs hold back, so that a run that needs it is found; false when that is nothing.
static bool frames_held_put_back(struct frames_cpu *self) {
    struct frames *frames = self->frames;
    bool any = false;
    frames_begin(self);
    for (unsigned n = 0; n < JOINED(frames); n++) {
        struct frames_cpu *cpu = frames_cpu(frames, n);
        for (int i = 0; i <= FRAMES_RING; i++) {
            if (!(u32)LOAD(&cpu->held[i])) continue;
            struct piece piece = frames_entry_piece(SWAP(&cpu->held[i], 0));
            if (!piece.bits) continue;
            frames_put_back(frames, &piece, 1);
            any = true;
        }
        for (u64 frame; (frame = frames_cleared_take(cpu)) != FRAME_NONE; any = true)
            frames_put_back(frames, &(struct piece){frame / 64, 1ull << frame % 64}, 1);
    }
    frames_end(self);
    return any;
}

// Takes count neighbours, the first a multiple of align, a power of two, within [start, end), where
// the caller knows that memory is one physical piece. FRAME_NONE when there is no such run even
// with everything that CPUs hold and have cleared, which goes back to the bits for that, and then
// there is a second search. A search reads no set that has too few frames, and each word once at
// most where runs lie in words of their own.
frameno frames_take_run(struct frames_cpu *cpu, u64 count, u64 align, u64 start, u64 end) {
    end = MIN(end, cpu->count);
    if (!count || start > end || count > end - start) return (frameno){FRAME_NONE};
    u64 frame = frames_run_find(cpu, count, align, start, end);
    if (frame == FRAME_NONE && frames_held_put_back(cpu))
        frame = frames_run_find(cpu, count, align, start, end);
    return (frameno){frame};
}
