// flags: -O1 -fsanitize=thread -pthread
// The frame allocator with threads, under ThreadSanitizer: each thread is a CPU. Memory is exactly
// as much as all threads may have at once, so a frame is free whenever one is asked for, and it
// must come, wherever it is.
#include <pthread.h>

#include "test/frames_check.h"

#define THREADS    4
#define ROUNDS     30000
#define CPU_STRIDE 4096 // a slot, as far as frames.c can see

static struct frames frames;
static u8
    *in_use;     // written by whoever has the frame, with atomic operations to notice when two have
static u64 each; // frames that one thread may have
static u64 handed[64]; // frames + 1 on their way to another thread, which gives them back
static int wrong;

static void got(u64 frame) {
    if (frame >= frames.count || __atomic_exchange_n(&in_use[frame], 1, __ATOMIC_SEQ_CST))
        __atomic_store_n(&wrong, 1, 5);
}

static void give(unsigned cpu, u64 frame) {
    if (!__atomic_exchange_n(&in_use[frame], 0, __ATOMIC_SEQ_CST)) __atomic_store_n(&wrong, 1, 5);
    frames_give(frames_cpu(&frames, cpu), (frameno){frame});
}

static void clear(u64 frame) {
    got(frame);
    __atomic_store_n(&in_use[frame], 0, __ATOMIC_SEQ_CST);
}

// One of mine for one that somebody else left: both have as many as before.
static u64 exchange(unsigned random, u64 frame) {
    u64 other =
        __atomic_exchange_n(&handed[random % ARRAY_SIZE(handed)], frame + 1, __ATOMIC_SEQ_CST);
    return other ? other - 1 : FRAME_NONE;
}

static void *work(void *argument) {
    unsigned cpu = (unsigned)(u64)argument, random = cpu * 12345 + 1;
    u64 *mine = malloc(each * sizeof *mine), count = 0;
    for (int round = 0; round < ROUNDS; round++) {
        random = random * 1103515245 + 12345;
        unsigned draw = random >> 16, many = draw >> 4 & (round / 1000 % 2 ? 63 : 3);
        if (draw % 16 == 0) frames_fill(frames_cpu(&frames, cpu), clear);
        if (draw % 16 == 1 && count) {
            u64 other = exchange(draw >> 5, mine[count - 1]);
            if (other == FRAME_NONE)
                count--; // it still counts as given out, but not to anybody
            else
                mine[count - 1] = other;
        }
        if (draw % 16 == 2 && count + 4 <= each) { // a run, as long as there is one
            u64 run = frames_take_run(frames_cpu(&frames, cpu), 4, 2, 0, frames.count).number;
            for (u64 i = 0; run != FRAME_NONE && i < 4; i++) got(run + i);
            for (u64 i = 0; run != FRAME_NONE && i < 4; i++)
                __atomic_store_n(&in_use[run + i], 0, __ATOMIC_SEQ_CST);
            if (run != FRAME_NONE) frames_give_run(frames_cpu(&frames, cpu), (frameno){run}, 4);
        }
        for (unsigned i = 0; i <= many; i++) {
            if (draw & 1 && count < each) {
                u64 frame = draw % 16 == 3 ? frames_take_cleared(frames_cpu(&frames, cpu)).number
                                           : FRAME_NONE;
                if (frame == FRAME_NONE) frame = frames_take(frames_cpu(&frames, cpu)).number;
                if (frame == FRAME_NONE)
                    __atomic_store_n(&wrong, 2, 5);
                else
                    got(mine[count++] = frame);
            } else if (!(draw & 1) && count) {
                u64 at = random % count, frame = mine[at];
                mine[at] = mine[--count];
                give(cpu, frame);
            }
            random = random * 1103515245 + 12345;
        }
    }
    while (count) give(cpu, mine[--count]);
    free(mine);
    return NULL;
}

static void hammer(u64 per_thread) {
    each = per_thread;
    u64 count = THREADS * each + ARRAY_SIZE(handed);
    void *memory = aligned_alloc(64, frames_bytes(count)),
         *cpus = aligned_alloc(64, THREADS * CPU_STRIDE);
    frames_init(&frames, memory, count, count, cpus, CPU_STRIDE);
    frames_join(&frames);
    in_use = calloc(count, 1);
    memset(handed, 0, sizeof handed);
    pthread_t threads[THREADS];
    for (u64 i = 0; i < THREADS; i++) { // the first ones are at work when the last one joins
        CHECK(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
        if (i + 1 < THREADS) frames_join(&frames);
    }
    for (u64 i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(
        wrong ==
        0); // 1: a frame was given twice, or was not its owner's; 2: one was free and did not come
    for (size_t i = 0; i < ARRAY_SIZE(handed); i++)
        if (handed[i]) give(0, handed[i] - 1);
    frames_check(&frames, in_use);
    CHECK(frames_free(&frames) == count);
    free(in_use);
    free(cpus);
    free(memory);
}

int main(void) {
    hammer(4);
    hammer(100);
    hammer(1500);
    return check_done("frames_threads");
}
