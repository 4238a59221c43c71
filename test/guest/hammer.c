// All CPUs on the same memory, results checked: what libc offers for shared counters, and mappings
// that change while other threads use them. Nothing here depends on timing; a line per part says
// that it is right.
#include "threads.h"

typedef _Atomic uint64_t word;
#define WORDS      (PAGE / sizeof(word))
#define RELAXED(p) atomic_load_explicit(p, memory_order_relaxed)

// ---- counters
// ------------------------------------------------------------------------------------------------

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static sem_t seats;
static uint64_t plain, left, right;
static word shared, seated;

static void *counters(void *me) {
    int n = rounds(1000);
    for (int i = 0; i < n; i++) {
        WANT(pthread_mutex_lock(&mutex) == 0);
        plain++;
        WANT(pthread_mutex_unlock(&mutex) == 0);
        shared++;
        if (i % 8 == 0) {
            WANT(pthread_rwlock_wrlock(&rwlock) == 0);
            left++;
            if (i % 64 == 0) sched_yield();
            right++;
        } else {
            WANT(pthread_rwlock_rdlock(&rwlock) == 0);
            WANT(left == right);
        }
        WANT(pthread_rwlock_unlock(&rwlock) == 0);
        WANT(sem_wait(&seats) == 0);
        WANT(++seated <= 2);
        seated--;
        WANT(sem_post(&seats) == 0);
    }
    meet();
    uint64_t all = (uint64_t)n * (uint64_t)threads;
    WANT(plain == all && shared == all && left == (uint64_t)((n + 7) / 8 * threads) &&
         right == left);
    return me;
}

// Pairs of threads hand a ball to each other by a condition variable.
static struct pair {
    pthread_mutex_t mutex;
    pthread_cond_t turned;
    uint64_t turn;
} pairs[THREADS / 2];

static void *ping_pong(void *me) {
    intptr_t i = (intptr_t)me;
    struct pair *pair = &pairs[i / 2];
    if (i == threads - 1 && i % 2 == 0) return me; // alone
    for (uint64_t n = (uint64_t)rounds(300); n; n--) {
        pthread_mutex_lock(&pair->mutex);
        while (pair->turn % 2 != (uint64_t)i % 2) pthread_cond_wait(&pair->turned, &pair->mutex);
        pair->turn++;
        if (n % 2)
            pthread_cond_broadcast(&pair->turned);
        else
            pthread_cond_signal(&pair->turned);
        pthread_mutex_unlock(&pair->mutex);
    }
    return me;
}

// Everybody waits for one condition, many times.
static int here;
static uint64_t wave;

static void *waves(void *me) {
    for (int n = rounds(50); n; n--) {
        pthread_mutex_lock(&mutex);
        uint64_t mine = wave;
        if (++here == threads) {
            here = 0;
            wave++;
            pthread_cond_broadcast(&pairs[0].turned);
        }
        while (wave == mine) pthread_cond_wait(&pairs[0].turned, &mutex);
        WANT(wave == mine + 1);
        pthread_mutex_unlock(&mutex);
        meet();
    }
    return me;
}

static word steps[THREADS];

static void *barrier(void *me) {
    for (uint64_t n = 1; n <= (uint64_t)rounds(50); n++) {
        steps[(intptr_t)me] = n;
        meet();
        for (int i = 0; i < threads; i++) WANT(steps[i] == n);
        meet();
    }
    return me;
}

// ---- pages
// ------------------------------------------------------------------------------------------------

static struct {
    char *base;
    size_t bytes;
} area;

// Everybody touches the same new pages at once, each its own word: all must meet in one page, which
// was zero. Then they are given up, by everybody's old translations too.
static void touch(intptr_t me, uint64_t round) {
    size_t pages = area.bytes / PAGE;
    for (size_t i = 0; i < pages; i++) {
        size_t page = (i + (size_t)me * (size_t)(round % 3)) % pages;
        word *mine = (word *)(area.base + page * PAGE) + me;
        if (*mine) FAIL("a new page holds %lx at word %d", (long)*mine, (int)me);
        *mine = round << 32 | (uint64_t)me << 16 | page;
    }
    meet();
    for (size_t page = 0; page < pages; page++)
        for (int i = 0; i < threads; i += 1 + threads / 8) {
            uint64_t is = ((word *)(area.base + page * PAGE))[i];
            if (is != (round << 32 | (uint64_t)i << 16 | page))
                FAIL("what thread %d wrote became %lx", i, (long)is);
        }
    meet();
}

static void *first_touch(void *me) {
    for (uint64_t round = 1; round <= (uint64_t)rounds(20); round++) {
        if (!me) {
            if (round % 2 == 1) {
                area.bytes = round % 8 == 1 ? 8 * PAGE : LARGE;
                area.base = map(NULL, area.bytes, RW, 0);
            } else if (round % 2)
                WANT(map(area.base, area.bytes, RW, MAP_FIXED) == area.base);
            else
                WANT(madvise(area.base, area.bytes, MADV_DONTNEED) == 0);
        }
        meet();
        touch((intptr_t)me, round);
        if (!me && round % 4 == 0) WANT(munmap(area.base, area.bytes) == 0);
        if (!me && round % 4 == 0) area.bytes = 0;
        meet();
    }
    if (!me && area.bytes) munmap(area.base, area.bytes);
    meet();
    return me;
}

// Every thread owns one window whose memory it replaces, generation by generation: before it does
// it says so in started, once the new memory holds the new generation it says so in published.
// Nobody may then see an older one, and nothing may be empty that nobody is replacing. Everybody
// also writes words into the windows of all: such a write by an old translation lands in memory
// that belongs to somebody else by then, of which the canaries are made.
#define CANARIES 4
static word started[THREADS], published[THREADS];
static char *windows;
static size_t window_bytes;

static void fill(char *p, uint64_t generation, int filled) {
    for (size_t i = 0; i < window_bytes; i += 8 * PAGE)
        for (size_t k = 0; k < WORDS / 2; k += filled ? WORDS / 16 : 1)
            atomic_store_explicit((word *)(p + i) + k, generation, memory_order_relaxed);
}

static void replace(intptr_t me, uint64_t generation, uint64_t *random) {
    char *p = windows + (size_t)me * window_bytes, *q;
    switch (below(random, 3)) {
    case 0: WANT(map(p, window_bytes, RW, MAP_FIXED) == p); break;
    case 1: WANT(madvise(p, window_bytes, MADV_DONTNEED) == 0); break;
    case 2:
        q = map(NULL, window_bytes, RW, 0);
        fill(q, generation, 0);
        WANT(mremap(q, window_bytes, window_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, p) == p);
    }
    fill(p, generation, window_bytes > PAGE);
}

static void look(int owner, intptr_t me, uint64_t *random) {
    char *p = windows + (size_t)owner * window_bytes +
              below(random, (window_bytes + 8 * PAGE - 1) / (8 * PAGE)) * 8 * PAGE;
    uint64_t least = published[owner];
    uint64_t is = *((word *)p + below(random, 8) * (WORDS / 16)), most = started[owner];
    if (is ? is < least || is > most : most == least)
        FAIL("the window of %d holds %lu; published %lu, started %lu", owner, is, least, most);
    atomic_store_explicit((word *)p + WORDS / 2 + me, 0xbad00000 + (uint64_t)me,
                          memory_order_relaxed);
}

static void *generations(void *argument) {
    intptr_t me = (intptr_t)argument;
    uint64_t random = seed(me);
    char *canary[CANARIES] = {0};
    if (!me) windows = map(NULL, (size_t)threads * window_bytes, RW, 0);
    meet();
    fill(windows + (size_t)me * window_bytes, 1, 0);
    started[me] = published[me] = 1;
    meet();
    int n = rounds(window_bytes > PAGE ? 30 : 200);
    for (uint64_t generation = 2; generation < (uint64_t)n + 2; generation++) {
        started[me] = generation;
        replace(me, generation, &random);
        published[me] = generation;
        char **slot = &canary[generation % CANARIES];
        for (size_t i = 0; *slot && i < PAGE; i += 8)
            if (*(uint64_t *)(*slot + i) != ((uint64_t)me << 32 | i))
                FAIL("a canary of %d holds %lx at %zu", (int)me, *(uint64_t *)(*slot + i), i);
        if (*slot) WANT(munmap(*slot, PAGE) == 0);
        *slot = map(NULL, PAGE, RW, 0);
        for (size_t i = 0; i < PAGE; i += 8) *(uint64_t *)(*slot + i) = (uint64_t)me << 32 | i;
        for (int k = 0; k < 16; k++) look((int)below(&random, (uint64_t)threads), me, &random);
    }
    meet();
    for (int i = 0; i < CANARIES; i++)
        if (canary[i]) WANT(munmap(canary[i], PAGE) == 0);
    if (!me) WANT(munmap(windows, (size_t)threads * window_bytes) == 0);
    return argument;
}

// Every thread owns one page and changes its rights; once that call has returned they hold for
// everybody, which others see by calls that read (prctl) or write (clock_gettime) there: EFAULT or
// not.
enum rights { CHANGING, WRITABLE, READABLE, NOTHING };

static void probe(int owner, uint64_t *random) {
    char *p = windows + (size_t)owner * PAGE;
    uint64_t before = published[owner];
    int writes = (int)below(random, 2);
    long result = writes ? syscall(SYS_clock_gettime, CLOCK_MONOTONIC, p)
                         : syscall(SYS_prctl, 15, p, 0, 0, 0);
    if (before % 4 == CHANGING || published[owner] != before) return;
    int may = before % 4 == WRITABLE || (before % 4 == READABLE && !writes);
    if (result != (may ? 0 : -1) || (!may && errno != EFAULT))
        FAIL("rights %d of %d, a call that %s: %ld", (int)(before % 4), owner,
             writes ? "writes" : "reads", result);
}

static void *rights(void *argument) {
    intptr_t me = (intptr_t)argument;
    uint64_t random = seed(me);
    if (!me) windows = map(NULL, (size_t)threads * PAGE, PROT_NONE, 0);
    published[me] = NOTHING;
    meet();
    char *p = windows + me * (intptr_t)PAGE;
    int mapped = 1;
    for (int n = rounds(150), i = 1; i <= n; i++) {
        enum rights wanted = WRITABLE + below(&random, 3);
        int rights = wanted == WRITABLE ? RW : wanted == READABLE ? PROT_READ : PROT_NONE;
        published[me] = (uint64_t)i * 4 + CHANGING;
        int unmaps = mapped && wanted == NOTHING && below(&random, 2);
        if (unmaps)
            WANT(munmap(p, PAGE) == 0);
        else if (mapped)
            WANT(mprotect(p, PAGE, rights) == 0);
        else
            WANT(map(p, PAGE, rights, MAP_FIXED_NOREPLACE) == p);
        mapped = !unmaps;
        published[me] = (uint64_t)i * 4 + wanted;
        for (int k = 0; k < 16; k++) probe((int)below(&random, (uint64_t)threads), &random);
    }
    meet();
    if (!me) WANT(munmap(windows, (size_t)threads * PAGE) == 0);
    return argument;
}

// One page of 2 MiB on which everybody writes, here and there and in its first page, while thread 0
// takes other parts of it away: it is split and copied, and no write may be lost.
#define FREE_PAGE 480 // from here on pages are taken away
static word stop;

static void *split(void *argument) {
    intptr_t me = (intptr_t)argument;
    for (uint64_t round = 1; round <= (uint64_t)rounds(12); round++) {
        if (!me) {
            stop = 0;
            windows = map(NULL, LARGE, RW, 0);
            memset(windows, 0, PAGE);
        }
        meet();
        word *mine[2] = {(word *)windows + me,
                         (word *)(windows + (size_t)(me % FREE_PAGE) * PAGE) + 256 + me};
        uint64_t last = 0;
        if (me)
            for (uint64_t i = 1; last == 0 || (!stop && i < 1000000); last = i++)
                for (int k = 0; k < 2; k++) {
                    if (*mine[k] != last)
                        FAIL("wrote %lu, read %lu, place %d", last, (long)*mine[k], k);
                    *mine[k] = i;
                }
        for (size_t page = 511; !me && page >= 508; page--) {
            char *p = windows + page * PAGE;
            switch ((page + round) % 4) {
            case 0: WANT(munmap(p, PAGE) == 0); break;
            case 1: WANT(mprotect(p, PAGE, PROT_READ) == 0); break;
            case 2: WANT(madvise(p, PAGE, MADV_DONTNEED) == 0 && *p == 0); break;
            case 3: WANT(mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE) != MAP_FAILED); break;
            }
            sched_yield();
        }
        if (!me) stop = 1;
        meet();
        if (me && (*mine[0] != last || *mine[1] != last)) FAIL("the last write is lost");
        meet();
        if (!me) WANT(munmap(windows, LARGE) == 0);
    }
    return argument;
}

// Everybody's own mappings, of 4 KiB to 4 MiB, are written, moved, cut and given back beside each
// other.
static void check(const char *p, size_t bytes, uint64_t salt) {
    for (size_t i = 0; i < bytes; i += PAGE)
        if (*(const uint64_t *)(p + i) != (salt ^ i))
            FAIL("%zu KiB into a mapping: %lx", i / 1024, *(long *)(p + i));
}

static void *mappings(void *argument) {
    uint64_t random = seed((intptr_t)argument) ^ 0x55;
    for (int n = rounds(60); n; n--) {
        size_t bytes = PAGE << below(&random, 11), half = bytes / 2 & -PAGE;
        uint64_t salt = below(&random, -1ull) | 1;
        char *p = map(NULL, bytes, RW, 0);
        for (size_t i = 0; i < bytes; i += PAGE) {
            WANT(*(uint64_t *)(p + i) == 0 && *(uint64_t *)(p + i + PAGE - 8) == 0);
            *(uint64_t *)(p + i) = salt ^ i;
        }
        switch (below(&random, 5)) {
        case 0:
            p = mremap(p, bytes, 2 * bytes, MREMAP_MAYMOVE);
            WANT(p != MAP_FAILED && *(uint64_t *)(p + 2 * bytes - 8) == 0);
            check(p, bytes, salt);
            bytes *= 2;
            break;
        case 1:
            WANT(mprotect(p, bytes, PROT_READ) == 0);
            check(p, bytes, salt);
            WANT(mprotect(p + half, bytes - half, RW) == 0);
            *(uint64_t *)(p + half) = 5;
            break;
        case 2:
            WANT(madvise(p + half, bytes - half, MADV_DONTNEED) == 0);
            for (size_t i = half; i < bytes; i += PAGE) WANT(*(uint64_t *)(p + i) == 0);
            check(p, half, salt);
            break;
        case 3:
            WANT(munmap(p + half, bytes - half) == 0);
            check(p, half, salt);
            bytes = half;
            break;
        default: check(p, bytes, salt);
        }
        if (bytes) WANT(munmap(p, bytes) == 0);
    }
    return argument;
}

// Thread 0 makes a range of small pages twice as long, which moves it in pieces, to a place that is
// chosen or to one that it names. There thread 1 puts shared memory while the move goes on, where
// the range grows, and touches it: whoever comes last has the place, and what he has there is no
// other's. Thread 2 reads at the named place, where first the old memory is and then what moved.
// All others make and give back mappings of the same size, which are theirs as long as they have
// them.
#define MOVES (8 * LARGE)
#define GROWS (2 * MOVES + PAGE) // the last page is a small one
static char *named;
static word moving, moved; // the round

static void move_range(uint64_t round) {
    char *p = map(NULL, MOVES + PAGE, RW, 0);
    WANT(mprotect(p + MOVES, PAGE, PROT_NONE) == 0); // so that it cannot grow where it is
    for (size_t i = 0; i < MOVES; i += PAGE) {
        *(uint64_t *)(p + i) = round ^ i;
        if (i % LARGE == 0)
            WANT(madvise(p + i + LARGE - PAGE, PAGE, MADV_DONTNEED) == 0); // which splits the page
    }
    moving = round;
    p = mremap(p, MOVES, GROWS, MREMAP_MAYMOVE | (round % 2 == 1 ? MREMAP_FIXED : 0), named);
    moved = round;
    meet();
    WANT(p != MAP_FAILED);
    check(p, MOVES, round);
    uint64_t is = *(uint64_t *)(p + MOVES), *others[64];
    for (int i = 0; i < 64; i++)
        WANT((others[i] = (uint64_t *)map(NULL, PAGE, RW, 0)) && (*others[i] = ~0ull));
    if (*(uint64_t *)(p + MOVES) != is)
        FAIL("a page has two owners: %lx became %lx", is, *(long *)(p + MOVES));
    for (int i = 0; i < 64; i++) WANT(munmap(others[i], PAGE) == 0);
    WANT(munmap(p, GROWS) == 0);
}

// When the named place has been made free, its last page, which was written, is not there.
static void put_over(uint64_t round) {
    while (moved != round && syscall(SYS_prctl, 15, named + 2 * MOVES, 0, 0, 0) == 0) {
    } // a call that reads
    char *over = mmap(named + MOVES, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, over); // one that writes: EFAULT is right, too
}

static void beside_move(intptr_t me, uint64_t round) {
    while (moving != round) sched_yield();
    if (me == 1 && round % 2 == 1) put_over(round);
    while (me == 2 && round % 2 == 1 && moved != round)
        (void)*(volatile char *)named; // there is always something
    while (moved != round) {
        word *mine = (word *)map(NULL, GROWS, RW, MAP_NORESERVE) + 2 * MOVES / sizeof *mine;
        *mine = (uint64_t)me;
        WANT(*mine == (uint64_t)me && munmap((char *)mine - 2 * MOVES, GROWS) == 0);
    }
    meet();
}

static void *moves(void *argument) {
    intptr_t me = (intptr_t)argument;
    for (uint64_t round = 1; round <= (uint64_t)rounds(20); round++) {
        if (!me) named = map(NULL, GROWS, RW, MAP_NORESERVE);
        if (!me) named[2 * MOVES] = 1;
        meet();
        if (me)
            beside_move(me, round);
        else
            move_range(round);
        if (!me && round % 2 == 0) WANT(munmap(named, GROWS) == 0);
        meet();
    }
    return argument;
}

// Blocks of memory that another thread than the one that made them checks and frees.
static _Atomic(uint64_t *) letters[16];

static void *allocations(void *argument) {
    uint64_t random = seed((intptr_t)argument) ^ 0xaa;
    for (int n = rounds(1500); n; n--) {
        size_t count = 2 + below(&random, below(&random, 16) ? 128 : 32768);
        uint64_t *block = malloc(count * 8);
        WANT(block);
        block[0] = count;
        for (size_t i = 1; i < count; i++) block[i] = count * 31 + i;
        block = atomic_exchange(&letters[below(&random, 16)], block);
        for (size_t i = 1; block && i < block[0]; i++)
            if (block[i] != block[0] * 31 + i) FAIL("word %zu of %lu: %lx", i, block[0], block[i]);
        free(block);
    }
    return argument;
}

int main(int argc, char **argv) {
    arguments(argc, argv);
    for (int i = 0; i < THREADS / 2; i++) {
        pthread_mutex_init(&pairs[i].mutex, NULL);
        pthread_cond_init(&pairs[i].turned, NULL);
    }
    sem_init(&seats, 0, 2);
    part("counters", counters);
    part("ping-pong", ping_pong);
    for (int i = 0; i + 1 < threads; i += 2) WANT(pairs[i / 2].turn == 2 * (uint64_t)rounds(300));
    part("waves", waves);
    part("barrier", barrier);
    part("first touch", first_touch);
    window_bytes = PAGE;
    part("generations of 4 KiB", generations);
    window_bytes = 2 * LARGE;
    if (threads <= 16) part("generations of 4 MiB", generations);
    part("rights", rights);
    part("split", split);
    part("mappings", mappings);
    if (threads <= 16) part("moves", moves);
    part("allocations", allocations);
    puts("hammer ok");
    return 0;
}
