// The frame allocator, one thread in the roles of several CPUs: random calls against a model that
// is a byte for each frame, with the checker after each step; runs, and how much of 16 TiB they
// look at; cleared frames; frames given back twice; filling and draining 16 TiB.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned long accesses; // accesses to what CPUs share
#define STEP() (accesses++)

#include "test/frames_check.h"

static struct frames frames;
static u8 *in_use;
static void *memory;
static u64 cleared_frame;

static void start(u64 count, u64 free_frames, unsigned cpus) {
    memory = aligned_alloc(64, machine_bytes(count, cpus));
    memset(memory, 0xa5, machine_bytes(count, cpus));
    in_use = calloc(count + 1, 1);
    memset(in_use + free_frames, 1, count - free_frames);
    machine_init(&frames, memory, count, free_frames, cpus);
    frames_check(&frames, in_use);
    CHECK(frames_free(&frames) == free_frames);
}

static void stop(void) {
    free(memory);
    free(in_use);
}

static u64 rnd(u64 below) { return ((u64)rand() << 31 ^ (u64)rand()) % below; }

static bool take(unsigned cpu) {
    u64 frame = frames_take(&frames.cpu[cpu]).number;
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
    frames_give(&frames.cpu[cpu], (frameno){frame});
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
    static const u64 longest[] = {4, 100, 200, 3000};
    u64 count = 1 + rnd(longest[rnd(4)]), align = 1ull << rnd(rnd(4) ? 8 : 12),
        from = rnd(frames.count);
    u64 to = from + rnd(frames.count - from + 1);
    bool there = model_has_run(count, align, from, to);
    u64 frame = frames_take_run(&frames.cpu[cpu], count, align, from, to).number;
    CHECK((frame != FRAME_NONE) == there);
    if (frame == FRAME_NONE) return;
    CHECK(frame % align == 0 && frame >= from && frame + count <= to);
    for (u64 i = 0; i < count; i++) CHECK(!in_use[frame + i]);
    memset(in_use + frame, 1, count);
    frames_check(&frames, in_use);
    if (rnd(4) == 0) return;
    memset(in_use + frame, 0, count);
    frames_give_run(&frames.cpu[cpu], (frameno){frame}, count);
}

static void random_step(int bias) {
    unsigned cpu = (unsigned)rnd(frames.cpus);
    u64 frame;
    switch (rnd(12)) {
    case 0: random_run(cpu); break;
    case 1:
        frame = frames_take_cleared(&frames.cpu[cpu]).number;
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
            for (u64 n = 1 + rnd(40); n > 0 && frame < frames.count && in_use[frame]; n--, frame++)
                give(cpu, frame);
        }
    }
}

static void random_calls(void) {
    static const u64 sizes[] = {0, 1, 2, 3, 31, 64, 65, 128, 1000, 1024, 1025, 3000, 40000};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        for (unsigned cpus = 1; cpus <= 5; cpus += 2) {
            start(sizes[i], sizes[i] - (sizes[i] > 3 ? rnd(4) : 0), cpus);
            u64 steps = sizes[i] < 4000 ? 2000 : 150;
            if (sizes[i] == 0) CHECK(frames_take(&frames.cpu[0]).number == FRAME_NONE);
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
    CHECK(frames_take_cleared(&frames.cpu[0]).number == FRAME_NONE);
    for (int i = 0; i < FRAMES_CLEARED; i++) CHECK(frames_fill(&frames.cpu[0], clear));
    CHECK(!frames_fill(&frames.cpu[0], clear) && !frames_fill(&frames.cpu[1], clear));
    frames_check(&frames, in_use);
    u64 frame = frames_take_cleared(&frames.cpu[0]).number;
    CHECK(frame < 100);
    in_use[frame] = 1;
    CHECK(frames_fill(&frames.cpu[0], clear));
    for (int i = 1; i < 100; i++)
        CHECK(take(1)); // cleared ones of the other CPU too, when there is no other
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
    for (int i = 0; i < 8; i++)
        CHECK(frames_take_run(&frames.cpu[1], 512, 512, 0, 8 * 512).number % 512 == 0);
    CHECK(frames_take_run(&frames.cpu[2], 512, 512, 0, 8 * 512).number == FRAME_NONE);
    CHECK(frames_take_run(&frames.cpu[2], 512, 512, 0, frames.count).number == FRAME_NONE);
    CHECK(frames_take_run(&frames.cpu[2], 101, 1, 0, frames.count).number == FRAME_NONE);
    for (u64 i = 0; i < 8; i++) frames_give_run(&frames.cpu[0], (frameno){i * 512}, 512);
    CHECK(frames_take_run(&frames.cpu[2], 8 * 512, 1, 0, frames.count).number == 0);
    stop();
}

// What a search for a run in vain may read of 16 TiB: when it is full, supersets; with every 8th
// frame free, sets when the run is to lie in one; with every second one free, a word of each place.
// There are two when a CPU held something.
static void runs_in_vain(void) {
    const u64 count = 1ull << 23, sets = count / FRAMES_SET;
    start(count, 0, 2);
    accesses = 0;
    CHECK(frames_take_run(&frames.cpu[0], 2, 1, 0, count).number == FRAME_NONE && accesses < 1000);
    for (u64 frame = 0; frame < count; frame += 8) give(1, frame);
    accesses = 0;
    CHECK(frames_take_run(&frames.cpu[0], 512, 512, 0, count).number == FRAME_NONE &&
          accesses < 4 * sets + 1000);
    for (u64 frame = 0; frame < count; frame += 2)
        if (in_use[frame]) give(1, frame);
    CHECK(frames_take_run(&frames.cpu[0], 2, 1, 0, count).number == FRAME_NONE);
    accesses = 0;
    CHECK(frames_take_run(&frames.cpu[0], 512, 512, 0, count).number == FRAME_NONE &&
          accesses < 6 * sets + 1000);
    frames_check(&frames, in_use);
    give(0, count - 4097);
    CHECK(frames_take_run(&frames.cpu[1], 3, 2, 0, count).number == count - 4098);
    stop();
}

// Runs that end in a set, or a superset, which has less of them than their alignment.
static void tails(void) {
    start(100000, 0, 1);
    for (u64 edge = FRAMES_SET; edge <= FRAMES_SET * SUPERSET_SETS; edge *= SUPERSET_SETS) {
        memset(in_use + edge - 24, 0, 28);
        frames_give_run(&frames.cpu[0], (frameno){edge - 24}, 28);
        CHECK(frames_take_run(&frames.cpu[0], 29, 8, 0, 100000).number == FRAME_NONE);
        CHECK(frames_take_run(&frames.cpu[0], 28, 8, 0, 100000).number == edge - 24);
    }
    stop();
}

static unsigned cleared_count(void) {
    unsigned sum = 0;
    for (unsigned n = 0; n < frames.cpus; n++)
        for (int i = 0; i < FRAMES_CLEARED; i++) sum += frames.cpu[n].cleared[i] != 0;
    return sum;
}

// A run takes the cleared frames that it needs.
static void cleared_and_runs(void) {
    start(1000, 1000, 2);
    for (unsigned n = 0; n < 2; n++) frames_take_cleared(&frames.cpu[n]).number;
    for (unsigned i = 0; i < 2 * FRAMES_CLEARED; i++) CHECK(frames_fill(&frames.cpu[i % 2], clear));
    CHECK(frames_take_run(&frames.cpu[0], 1, 1, 700, 701).number == 700);
    CHECK(frames_take_run(&frames.cpu[0], 4, 1, 997, UINT64_MAX).number == FRAME_NONE);
    CHECK(cleared_count() == 2 * FRAMES_CLEARED);
    u64 frame = frames.cpu[1].cleared[0] - 1;
    CHECK(frames_take_run(&frames.cpu[0], 1, 1, frame, frame + 1).number == frame &&
          cleared_count() == 0);
    frames_give_run(&frames.cpu[0], (frameno){frame}, 1);
    frames_give_run(&frames.cpu[0], (frameno){700}, 1);
    CHECK(frames_take_run(&frames.cpu[0], 1000, 1, 0, 1000).number == 0);
    memset(in_use, 1, 1000);
    frames_check(&frames, in_use);
    stop();
}

static void trapped(int number) {
    (void)number;
    _exit(77);
}

// Whether a call ends in the trap, in a process of its own.
static bool traps(void (*give_run_or_frame)(u64 frame, u64 number), u64 frame, u64 number) {
    int status;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGILL, trapped);
        give_run_or_frame(frame, number);
        _exit(0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77);
    return WEXITSTATUS(status) == 77;
}

static void give_run(u64 frame, u64 number) {
    frames_give_run(&frames.cpu[1], (frameno){frame}, number);
}

// The frame, and then, after so many others that lie in entries of their own, the frame again.
static void give_again(u64 frame, u64 others) {
    frames_give(&frames.cpu[0], (frameno){frame});
    for (u64 i = 0; i < others; i++) frames_give(&frames.cpu[0], (frameno){(4 + i) * ENTRY_FRAMES});
    frames_give(&frames.cpu[0], (frameno){frame});
    for (u64 i = 0; i < others; i++)
        frames_give(&frames.cpu[0], (frameno){(4 + others + i) * ENTRY_FRAMES});
}

// At the latest when both entries have left the ring.
static void given_twice(void) {
    start(3000, 100, 2);
    CHECK(traps(give_again, 500, 0)); // into the entry it is in
    CHECK(traps(give_again, 2999, FRAMES_RING * 2));
    CHECK(!traps(give_run, 150, 2850) && traps(give_run, 150, 2851));
    CHECK(traps(give_run, 3000, 1) && traps(give_run, UINT64_MAX, 2) &&
          traps(give_run, 150, UINT64_MAX - 100));
    CHECK(traps(give_run, 99, 1)); // it is free
    CHECK(traps(give_run, 99, 2000) && traps(give_run, 0, 3000) && !traps(give_run, 100, 2000));
    CHECK(traps(give_again, 3000, 0));
    stop();
}

// While memory is long a claim takes a word; of the last frames one CPU never has much more than it
// was asked for.
static void claims(void) {
    start(4096, 4096, 4);
    CHECK(take(0) && frames_count_bits((u32)frames.cpu[0].held[0]) +
                             frames_count_bits((u32)*frames_ring_entry(&frames.cpu[0], 0)) ==
                         63);
    u64 left = 4096 - 64;
    for (bool took = true; left > 0 && took;) {
        for (unsigned n = 0; n < 4; n++) {
            u64 held = 0, among = frames.in_superset[0];
            took = take(n);
            for (int i = 0; i <= FRAMES_RING; i++)
                held += frames_count_bits((u32)frames.cpu[n].held[i]);
            CHECK(among == frames.in_superset[0] || held + 1 <= (among < 16 ? 1 : among / 16));
            left = frames.in_superset[0];
        }
    }
    CHECK(left == 0);
    stop();
}

// Any order of filling and draining, by two CPUs: each frame comes exactly once, and none is
// missing at the end.
static void fill_and_drain(u64 count) {
    start(count, count, 2);
    CHECK(frames_bytes(count) * 512 <= 100 * count || count < 512 * 64);
    for (int round = 0; round < 2; round++) {
        bool once = true;
        for (u64 i = 0; i < count; i++) {
            u64 frame = frames_take(&frames.cpu[i >> 12 & 1]).number;
            once &= frame < count && !in_use[frame < count ? frame : count];
            if (frame < count) in_use[frame] = 1;
        }
        CHECK(once && frames_take(&frames.cpu[0]).number == FRAME_NONE &&
              frames_take(&frames.cpu[1]).number == FRAME_NONE);
        frames_check(&frames, in_use);
        u64 step = round ? 1 : 5 * 1048573; // a prime and more: scattered
        for (u64 i = 0, frame = 0; i < count; i++, frame = (frame + step) % count)
            give((unsigned)(i >> 9 & 1), frame);
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
    runs_in_vain();
    tails();
    cleared_and_runs();
    given_twice();
    claims();
    fill_and_drain(1ull << 23); // 16 TiB
    fill_and_drain(1000003);
    return check_done("frames");
}
