// How fast the frame allocator is: ./build.sh bench frames. Only its bits are touched, no frame.
// Times come from the time stamp counter, 512 operations at a time (single ones where it says
// "search"): a sample is the mean of such a chunk. The unit is one uncontended LOCK XADD, measured
// in the same run. One row for each kind of work:
//
//   bulk    each thread takes its part of all frames, then gives them back in the same order
//   repeat  half of memory is in use; a frame is taken and given back, over and over (two
//   operations) random  all frames are in use; each thread gives its part back in an order shuffled
//   over all threads, takes again search  all frames are in use but 16, which lie anywhere and are
//   held by nobody; they are taken, one by one no 512  a search for an aligned 1 GiB that finds
//   none: when all frames are in use (full), and when every second one
//           is free (half)
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "kernel/memory/frames.h"

#define CHUNK       512
#define SAMPLES_MAX (1u << 18)
#define THREADS_MAX 2

struct samples {
    float *ticks; // per operation
    u32 count;
};

enum { BULK_TAKE, BULK_GIVE, REPEAT, RANDOM_TAKE, RANDOM_GIVE, KINDS };
static const struct {
    const char *name;
    double limit[THREADS_MAX]; // in units, for the median, with one thread and with two; 0: none
} kinds[KINDS] = {
    {"bulk take", {2.5, 4}},  {"bulk give", {2.5, 4}},  {"repeat", {0, 0}},
    {"random take", {0, 15}}, {"random give", {0, 15}},
};

static struct worker {
    pthread_t thread;
    unsigned cpu;
    u32 *mine; // its part of all
    u64 count;
    struct samples samples[KINDS];
} workers[THREADS_MAX];

static struct frames frames;
static u32 *all; // frames in use, in the order they are given back
static u64 total;
static unsigned threads, rounds;
static pthread_barrier_t barrier;
static double tick_ns, unit_ticks;
static int missed;

static void note(struct samples *samples, u64 start, u64 operations) {
    if (!samples->ticks) samples->ticks = malloc(SAMPLES_MAX * sizeof(float));
    if (samples->count < SAMPLES_MAX)
        samples->ticks[samples->count++] = (float)(__rdtsc() - start) / (float)operations;
}

static int compare(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static double quantile(struct samples *samples, double q) {
    qsort(samples->ticks, samples->count, sizeof(float), compare);
    return (double)samples->ticks[(u32)(q * (samples->count - 1))];
}

static void measure_unit(void) {
    struct samples samples = {0};
    struct timespec start, end;
    u64 value = 0, add = 1, begin = __rdtsc();
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < 20000; i++) {
        u64 at = __rdtsc();
        for (int j = 0; j < CHUNK; j++)
            __asm__ volatile("lock xadd %0, %1" : "+r"(add), "+m"(value) : : "memory");
        note(&samples, at, CHUNK);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    double ns = (double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec);
    tick_ns = ns / (double)(__rdtsc() - begin);
    unit_ticks = quantile(&samples, 0.5);
    free(samples.ticks);
    printf("one uncontended lock xadd: %.2f ns\n\n", unit_ticks * tick_ns);
}

// limit: in units; 0: none. bound: which of the two it limits.
static void report(const char *what, struct samples *samples, double limit, const char *bound) {
    double median = quantile(samples, 0.5), high = quantile(samples, 0.99);
    double judged = (*bound == 'p' ? high : median) / unit_ticks;
    printf("%6lu GiB  %u  %-13s %8.1f %8.1f  %7.2f %7.2f", total / 512, threads, what,
           median * tick_ns, high * tick_ns, median / unit_ticks, high / unit_ticks);
    if (limit > 0) printf("   %s %4.1f %s", bound, limit, judged <= limit ? "reached" : "MISSED");
    if (limit > 0 && judged > limit) missed = 1;
    printf("\n");
    samples->count = 0;
}

static void take_all(struct worker *worker, struct samples *samples) {
    for (u64 i = 0; i < worker->count; i += CHUNK) {
        u64 start = __rdtsc();
        for (u64 j = i; j < i + CHUNK; j++)
            worker->mine[j] = (u32)frames_take(&frames.cpu[worker->cpu]).number;
        note(samples, start, CHUNK);
    }
}

static void give_all(struct worker *worker, struct samples *samples) {
    for (u64 i = 0; i < worker->count; i += CHUNK) {
        u64 start = __rdtsc();
        for (u64 j = i; j < i + CHUNK; j++)
            frames_give(&frames.cpu[worker->cpu], (frameno){worker->mine[j]});
        note(samples, start, CHUNK);
    }
}

static void repeat(struct worker *worker) {
    for (u64 i = 0; i < worker->count / 2; i++)
        worker->mine[i] = (u32)frames_take(&frames.cpu[worker->cpu]).number;
    for (int i = 0; i < 2000; i++) {
        u64 start = __rdtsc();
        for (u64 j = 0; j < CHUNK; j++)
            frames_give(&frames.cpu[worker->cpu],
                        (frameno){frames_take(&frames.cpu[worker->cpu]).number});
        note(&worker->samples[REPEAT], start, 2 * CHUNK);
    }
    for (u64 i = 0; i < worker->count / 2; i++)
        frames_give(&frames.cpu[worker->cpu], (frameno){worker->mine[i]});
}

static void shuffle(void) {
    u64 random = 88172645463325252;
    for (u64 i = total - 1; i > 0; i--) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        u64 j = random % (i + 1);
        u32 other = all[i];
        all[i] = all[j], all[j] = other;
    }
}

static void *work(void *argument) {
    struct worker *worker = argument;
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(worker->cpu, &cpus);
    pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus);
    for (unsigned round = 0; round < rounds; round++) {
        pthread_barrier_wait(&barrier);
        take_all(worker, &worker->samples[BULK_TAKE]);
        pthread_barrier_wait(&barrier);
        give_all(worker, &worker->samples[BULK_GIVE]);
        pthread_barrier_wait(&barrier);
        if (round == 0) repeat(worker);
        pthread_barrier_wait(&barrier);
        struct samples *samples = round ? &worker->samples[RANDOM_TAKE]
                                        : &worker->samples[BULK_TAKE]; // the first: memory in order
        take_all(worker, samples);
        pthread_barrier_wait(&barrier);
        if (worker->cpu == 0) shuffle();
        pthread_barrier_wait(&barrier);
        give_all(worker, &worker->samples[RANDOM_GIVE]);
    }
    return NULL;
}

// Of all threads together.
static void gather(struct samples *to, struct samples *from) {
    for (u32 i = 0; i < from->count && to->count < SAMPLES_MAX; i++)
        to->ticks[to->count++] = from->ticks[i];
    from->count = 0;
}

static void search(void) {
    struct samples samples = {0};
    for (u64 i = 0; i < total; i++) all[i] = (u32)frames_take(&frames.cpu[0]).number;
    u64 random = 1;
    for (int round = 0; round < 4000; round++) {
        for (int i = 0; i < 16; i++) {
            random = random * 6364136223846793005 + 1442695040888963407;
            u64 at = (u64)i * (total / 16) + (random >> 33) % (total / 16);
            frames_give_run(&frames.cpu[1], (frameno){all[at]}, 1);
        }
        for (int i = 0; i < 16; i++) {
            u64 start = __rdtsc();
            u64 frame = frames_take(&frames.cpu[0]).number;
            note(&samples, start, 1);
            if (frame == FRAME_NONE) abort();
        }
    }
    report("search", &samples, 50, "p99");
    free(samples.ticks);
}

static void no_run(const char *what, double limit) {
    struct samples samples = {0};
    for (int round = 0; round < 21; round++) {
        u64 start = __rdtsc();
        u64 frame = frames_take_run(&frames.cpu[0], 512, 512, 0, total).number;
        note(&samples, start, 1);
        if (frame != FRAME_NONE) abort();
    }
    report(what, &samples, limit, "median");
    free(samples.ticks);
}

// All frames are in use. The limits leave room: 4 units for each superset that is skipped, and 8
// for every 8th word, which is in a line of its own.
static void no_runs(void) {
    double words = (double)total / 64;
    no_run("no 512, full", 200 + words / 128);
    for (u64 i = 0; i < total; i += 2) frames_give_run(&frames.cpu[0], (frameno){i}, 1);
    no_run("no 512, half", 200 + words);
    for (u64 i = 0; i < total; i += 2) (void)frames_take(&frames.cpu[0]).number;
}

static void measure(u64 gigabytes, unsigned how_many) {
    total = gigabytes * 512;
    threads = how_many;
    rounds = total < 1 << 20 ? (1 << 21) / (unsigned)total : 2;
    void *memory = aligned_alloc(64, frames_bytes(total));
    static struct frames_cpu cpus[THREADS_MAX];
    frames_init(&frames, memory, total, total, cpus, sizeof *cpus);
    while (frames.cpus < THREADS_MAX) frames_join(&frames);
    all = malloc(total * sizeof *all);
    memset(all, 0, total * sizeof *all);
    pthread_barrier_init(&barrier, NULL, threads);
    for (unsigned i = 0; i < threads; i++) {
        workers[i].cpu = i;
        workers[i].count = total / threads;
        workers[i].mine = all + i * workers[i].count;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i])) abort();
    }
    for (unsigned i = 0; i < threads; i++) pthread_join(workers[i].thread, NULL);
    for (int kind = 0; kind < KINDS; kind++) {
        gather(&workers[0].samples[kind], &workers[1].samples[kind]);
        report(kinds[kind].name, &workers[0].samples[kind], kinds[kind].limit[threads - 1],
               "median");
    }
    if (threads == 1) search(), no_runs();
    free(all);
    free(memory);
}

int main(void) {
    static const u64 sizes[] = {64, 1024, 16384};
    measure_unit();
    printf("    memory  T  what           median      p99   median     p99   limit\n"
           "                                   ns       ns    units   units\n");
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
        for (unsigned how_many = 1; how_many <= THREADS_MAX; how_many++)
            measure(sizes[i], how_many);
    u64 count = 16384 * 512;
    printf("\nbytes for each GiB: %.2f, and %zu for each CPU\n",
           (double)frames_bytes(count) / 16384, sizeof(struct frames_cpu));
    printf(
        "LLFree-C 970bb3d (June 2026) in its best setting, 64 GiB, frames of 2 MiB, measured in November 2026 where a\n"
        "lock xadd takes 2.0 ns: bulk take 35 ns, give 23 ns; search 421 ns, p99 801 ns; 33808 bytes for each GiB.\n");
    return missed;
}
