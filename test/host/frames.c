// The frame allocator, one thread in the roles of several CPUs: random calls against a model that is a byte for each
// frame, with the checker after each step; runs; cleared frames; filling and draining 16 TiB.
#include "test/frames_check.h"

static struct frames frames;
static u8 *in_use;
static void *memory;
static u64 cleared_frame;

static void start(u64 count, u64 free_frames, unsigned cpus) {
    memory = aligned_alloc(64, frames_bytes(count, cpus));
    memset(memory, 0xa5, frames_bytes(count, cpus));
    in_use = calloc(count + 1, 1);
    memset(in_use + free_frames, 1, count - free_frames);
    frames_init(&frames, memory, count, free_frames, cpus);
    frames_check(&frames, in_use);
    CHECK(frames_free(&frames) == free_frames);
}

static void stop(void) {
    free(memory);
    free(in_use);
}

static u64 rnd(u64 below) { return ((u64)rand() << 31 ^ (u64)rand()) % below; }

static bool take(unsigned cpu) {
    u64 frame = frames_take(&frames.cpu[cpu]);
    if (frame == FRAME_NONE) return false;
    CHECK(frame < frames.count && !in_use[frame]);
    in_use[frame] = 1;
    return true;
}

static void clear(u64 frame) { cleared_frame = frame; }

// One frame after another, from a random place, until one is in use.
static u64 some_used(void) {
    u64 frame = rnd(frames.count);
    for (u64 i = 0; i < frames.count; i++, frame = (frame + 1) % frames.count)
        if (in_use[frame]) return frame;
    return FRAME_NONE;
}

static void give(unsigned cpu, u64 frame) {
    in_use[frame] = 0;
    frames_give(&frames.cpu[cpu], frame);
}

static bool model_has_run(u64 count, u64 align, u64 from, u64 to) {
    for (u64 frame = ROUND_UP(from, align); frame + count <= to; frame += align) {
        u64 n = 0;
        while (n < count && !in_use[frame + n]) n++;
        if (n == count) return true;
    }
    return false;
}

static void random_run(unsigned cpu) {
    u64 count = 1 + rnd(rnd(2) ? 4 : 200), align = 1ull << rnd(8), from = rnd(frames.count);
    u64 to = from + rnd(frames.count - from + 1);
    bool there = model_has_run(count, align, from, to);
    u64 frame = frames_take_run(&frames.cpu[cpu], count, align, from, to);
    CHECK((frame != FRAME_NONE) == there);
    if (frame == FRAME_NONE) return;
    CHECK(frame % align == 0 && frame >= from && frame + count <= to);
    for (u64 i = 0; i < count; i++) CHECK(!in_use[frame + i]);
    memset(in_use + frame, 1, count);
    frames_check(&frames, in_use);
    if (rnd(4) == 0) return;
    memset(in_use + frame, 0, count);
    frames_give_run(&frames.cpu[cpu], frame, count);
}

static void random_step(int bias) {
    unsigned cpu = (unsigned)rnd(frames.cpus);
    u64 frame;
    switch (rnd(12)) {
    case 0: random_run(cpu); break;
    case 1:
        frame = frames_take_cleared(&frames.cpu[cpu]);
        if (frame == FRAME_NONE) break;
        CHECK(!in_use[frame]);
        in_use[frame] = 1;
        break;
    case 2: frames_fill(&frames.cpu[cpu], clear); break;
    default:
        if ((int)rnd(10) < bias) {
            u64 free_before = frames_free(&frames);
            CHECK(take(cpu) == (free_before > 0)); // nothing is stranded
        } else if ((frame = some_used()) != FRAME_NONE) {
            for (u64 n = 1 + rnd(40); n > 0 && frame < frames.count && in_use[frame]; n--, frame++) give(cpu, frame);
        }
    }
}

static void random_calls(void) {
    static const u64 sizes[] = {0, 1, 2, 3, 31, 64, 65, 128, 1000, 1024, 1025, 3000, 40000};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        for (unsigned cpus = 1; cpus <= 5; cpus += 2) {
            start(sizes[i], sizes[i] - (sizes[i] > 3 ? rnd(4) : 0), cpus);
            u64 steps = sizes[i] < 4000 ? 2000 : 150;
            if (sizes[i] == 0) CHECK(frames_take(&frames.cpu[0]) == FRAME_NONE);
            for (u64 step = 0; sizes[i] && step < steps; step++) {
                random_step(step / 100 % 2 ? 9 : 2);
                if (step % 40 == 39) // to the last one
                    for (u64 n = 0; step % 400 == 399 && take((unsigned)rnd(cpus)); n++) {}
                frames_check(&frames, in_use);
            }
            stop();
        }
    }
}

static void cleared(void) {
    start(100, 100, 2);
    CHECK(!frames_fill(&frames.cpu[0], clear)); // nobody wants one yet
    CHECK(frames_take_cleared(&frames.cpu[0]) == FRAME_NONE);
    for (int i = 0; i < FRAMES_CLEARED; i++) CHECK(frames_fill(&frames.cpu[0], clear));
    CHECK(!frames_fill(&frames.cpu[0], clear) && !frames_fill(&frames.cpu[1], clear));
    frames_check(&frames, in_use);
    u64 frame = frames_take_cleared(&frames.cpu[0]);
    CHECK(frame < 100);
    in_use[frame] = 1;
    CHECK(frames_fill(&frames.cpu[0], clear));
    for (int i = 1; i < 100; i++) CHECK(take(1)); // cleared ones of the other CPU too, when there is no other
    CHECK(!take(1) && !take(0));
    CHECK(!frames_fill(&frames.cpu[1], clear));
    frames_check(&frames, in_use);
    stop();
}

// 1 GiB at a time from memory that single frames were taken from and given back to in between.
static void gigabytes(void) {
    start(8 * 512 + 100, 8 * 512 + 100, 3);
    for (int i = 0; i < 300; i++) CHECK(take((unsigned)i % 3));
    for (u64 frame = 0; frame < 8 * 512; frame++)
        if (in_use[frame]) give((unsigned)rnd(3), frame);
    for (int i = 0; i < 8; i++) CHECK(frames_take_run(&frames.cpu[1], 512, 512, 0, 8 * 512) % 512 == 0);
    CHECK(frames_take_run(&frames.cpu[2], 512, 512, 0, 8 * 512) == FRAME_NONE);
    CHECK(frames_take_run(&frames.cpu[2], 512, 512, 0, frames.count) == FRAME_NONE);
    CHECK(frames_take_run(&frames.cpu[2], 101, 1, 0, frames.count) == FRAME_NONE);
    for (u64 i = 0; i < 8; i++) frames_give_run(&frames.cpu[0], i * 512, 512);
    CHECK(frames_take_run(&frames.cpu[2], 8 * 512, 1, 0, frames.count) == 0);
    stop();
}

// Any order of filling and draining, by two CPUs: each frame comes exactly once, and none is missing at the end.
static void fill_and_drain(u64 count) {
    start(count, count, 2);
    CHECK(frames_bytes(count, 0) * 512 <= 100 * count || count < 512 * 64);
    for (int round = 0; round < 2; round++) {
        bool once = true;
        for (u64 i = 0; i < count; i++) {
            u64 frame = frames_take(&frames.cpu[i >> 12 & 1]);
            once &= frame < count && !in_use[frame < count ? frame : count];
            if (frame < count) in_use[frame] = 1;
        }
        CHECK(once && frames_take(&frames.cpu[0]) == FRAME_NONE && frames_take(&frames.cpu[1]) == FRAME_NONE);
        frames_check(&frames, in_use);
        u64 step = round ? 1 : 5 * 1048573; // a prime and more: scattered
        for (u64 i = 0, frame = 0; i < count; i++, frame = (frame + step) % count) give((unsigned)(i >> 9 & 1), frame);
        CHECK(frames_free(&frames) == count);
        frames_check(&frames, in_use);
    }
    stop();
}

int main(void) {
    srand(1);
    random_calls();
    cleared();
    gigabytes();
    fill_and_drain(1ull << 23); // 16 TiB
    fill_and_drain(1000003);
    return check_done("frames");
}
