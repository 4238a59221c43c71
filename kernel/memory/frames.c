// Frames of 2 MiB: claims them out of the bits, gives them out one by one, and takes what other
// CPUs hold when nothing else is left. frames.h has the structures and the protocol. cpu is always
// the CPU that calls, by frames_cpu(); a call is not interrupted by another one on the same CPU.
// Giving back what is not in use is a bug: an invalid-opcode trap, when it is noticed.
#include "kernel/memory/frames_steps.h"

#include "kernel/lib/string.h"

static u64 frames_superset_of(u64 word) { return word / (SET_WORDS * SUPERSET_SETS); }

// ---- set-up ----

static u64 frames_sets_of(u64 count) { return ROUND_UP(count, FRAMES_SET) / FRAMES_SET; }
static u64 frames_supersets_of(u64 count) {
    return ROUND_UP(frames_sets_of(count), SUPERSET_SETS) / SUPERSET_SETS;
}

// Bytes that frames_init() needs: below 66 for each GiB of memory, and a multiple of 64.
u64 frames_bytes(u64 count) {
    u64 supersets = frames_supersets_of(count);
    u64 summary = ROUND_UP(supersets, 64) / 8;
    u64 counts = supersets * (SUPERSET_SETS + 1) * sizeof(u16);
    return ROUND_UP(frames_sets_of(count) * SET_WORDS * sizeof(u64) + counts + summary, 64);
}

// Fills counts of so many frames each when the first free ones of all are free.
static void frames_init_counts(u16 *counts, u64 count, u16 frames, u64 free) {
    u64 whole = free / frames;
    for (u64 i = 0; i < whole; i++) counts[i] = frames;
    memset(counts + whole, 0, (count - whole) * sizeof(u16));
    if (free % frames) counts[whole] = (u16)(free % frames);
}

// Frames 0 to free - 1 are free, free to count - 1 in use. memory: frames_bytes(), aligned to 64,
// any contents; cpu, stride: where CPUs have their struct frames_cpu. None takes part yet.
void frames_init(struct frames *frames, void *memory, u64 count, u64 free, struct frames_cpu *cpu,
                 u64 stride) {
    u64 sets = frames_sets_of(count);
    u64 supersets = frames_supersets_of(count);
    *frames = (struct frames){
        .count = count, .supersets = supersets, .bits = memory, .cpu = cpu, .stride = stride};
    frames->in_set = (u16 *)(frames->bits + sets * SET_WORDS);
    frames->summary = (u64 *)(frames->in_set + supersets * SUPERSET_SETS);
    frames->in_superset = (u16 *)(frames->summary + ROUND_UP(supersets, 64) / 64);

    memset(frames->bits, 0xff, free / 64 * sizeof(u64));
    memset(frames->bits + free / 64, 0, (sets * SET_WORDS - free / 64) * sizeof(u64));
    if (free % 64) frames->bits[free / 64] = (1ull << free % 64) - 1;
    frames_init_counts(frames->in_set, supersets * SUPERSET_SETS, FRAMES_SET, free);
    frames_init_counts(frames->in_superset, supersets, FRAMES_SET * SUPERSET_SETS, free);
    memset(frames->summary, 0, ROUND_UP(supersets, 64) / 8);
    for (u64 i = 0; i < supersets; i++)
        if (frames->in_superset[i]) frames->summary[i / 64] |= 1ull << i % 64;
}

// The next CPU takes part; any contents of its struct before. One CPU does this for all, each
// before its first call.
void frames_join(struct frames *frames) {
    u64 sets = frames_sets_of(frames->count);
    struct frames_cpu *cpu = frames_cpu(frames, frames->cpus);
    *cpu = (struct frames_cpu){.count = frames->count, .frames = frames};
    if (sets) cpu->set = frames->cpus % sets;
    STORE(&frames->cpus, frames->cpus + 1);
}

// ---- frames on their way ----

// What all other CPUs together have ended, or begun.
static u64 frames_others(const struct frames_cpu *self, bool ended) {
    u64 sum = 0;
    for (unsigned n = 0, cpus = JOINED(self->frames); n < cpus; n++) {
        const struct frames_cpu *cpu = frames_cpu(self->frames, n);
        const u64 *count = &cpu->begun;
        if (ended) count = &cpu->ended;
        if (cpu != self) sum += LOAD(count);
    }
    return sum;
}

static void frames_summary_set(struct frames *frames, u64 superset) {
    u64 *at = &frames->summary[superset / 64];
    u64 bit = 1ull << superset % 64;
    if (!(LOAD(at) & bit)) OR(at, bit);
}

static void frames_summary_clear(struct frames *frames, u64 superset) {
    AND(&frames->summary[superset / 64], ~(1ull << superset % 64));
    if (LOAD(&frames->in_superset[superset])) frames_summary_set(frames, superset);
}

void frames_subtract(struct frames *frames, struct piece piece) {
    unsigned count = frames_count_bits(piece.bits);
    ADD(&frames->in_set[piece.word / SET_WORDS], (u16)-count);
    if (ADD(&frames->in_superset[frames_superset_of(piece.word)], (u16)-count) == 0)
        frames_summary_clear(frames, frames_superset_of(piece.word));
}

// Puts pieces back among the bits. The counts, whose lines all CPUs want, are changed close
// together.
void frames_put_back(struct frames *frames, const struct piece *pieces, size_t count) {
    u16 sum = 0;
    for (size_t i = 0; i < count; i++) {
        u64 superset = frames_superset_of(pieces[i].word);
        sum += frames_count_bits(pieces[i].bits);
        if (i + 1 < count && frames_superset_of(pieces[i + 1].word) == superset) continue;
        ADD(&frames->in_superset[superset], sum);
        frames_summary_set(frames, superset);
        sum = 0;
    }
    for (size_t i = 0; i < count; i++)
        ADD(&frames->in_set[pieces[i].word / SET_WORDS], (u16)frames_count_bits(pieces[i].bits));
    for (size_t i = 0; i < count; i++)
        if (OR(&frames->bits[pieces[i].word], pieces[i].bits) & pieces[i].bits)
            __builtin_trap(); // given back twice
}

// ---- what a CPU holds ----

// Takes one frame out of an entry, the CPU's own or another's.
static u64 frames_entry_take(u64 *at) {
    u64 entry = LOAD(at);
    while ((u32)entry)
        if (CAS(at, &entry, entry & (entry - 1)))
            return (entry >> 32) * ENTRY_FRAMES + (unsigned)__builtin_ctzll(entry);
    return FRAME_NONE;
}

static u64 *frames_ring_entry(struct frames_cpu *cpu, u32 number) {
    return &cpu->held[1 + number % FRAMES_RING];
}

// The current entry is empty: makes one of the ring current. False when they all are empty, too. A
// CPU that has nothing begins nothing, or two that look for the last frame would wait for each
// other.
static bool frames_ring_pop(struct frames_cpu *cpu) {
    u64 entry = 0;
    if (cpu->last == cpu->first) return false;
    frames_begin(cpu);
    while (cpu->last != cpu->first && !(u32)entry)
        entry = SWAP(frames_ring_entry(cpu, --cpu->last), 0);
    if ((u32)entry) STORE(&cpu->held[0], entry);
    frames_end(cpu);
    return (u32)entry;
}

// Puts the older half of the ring back.
static void frames_ring_put_back(struct frames_cpu *cpu) {
    struct piece pieces[BATCH];
    size_t count = 0;
    for (int i = 0; i < BATCH; i++) {
        pieces[count] = frames_entry_piece(SWAP(frames_ring_entry(cpu, cpu->first++), 0));
        if (pieces[count].bits) count++;
    }
    frames_put_back(cpu->frames, pieces, count);
}

// Makes a new entry current; the one before goes to the ring.
static void frames_ring_push(struct frames_cpu *cpu, u64 entry) {
    u64 before = SWAP(&cpu->held[0], entry);
    if (!(u32)before) return;
    if (cpu->last - cpu->first == FRAMES_RING) frames_ring_put_back(cpu);
    STORE(frames_ring_entry(cpu, cpu->last++), before);
}

// Gives one frame back.
void frames_give(struct frames_cpu *cpu, frameno given) {
    u64 frame = given.number;
    u64 index = frame / ENTRY_FRAMES;
    u64 bit = 1ull << frame % ENTRY_FRAMES;
    u64 entry = LOAD(&cpu->held[0]);
    if (frame >= cpu->count) __builtin_trap();
    frames_begin(cpu);
    while ((u32)entry && entry >> 32 == index) {
        if (entry & bit) __builtin_trap(); // given back twice
        if (CAS(&cpu->held[0], &entry, entry | bit)) return frames_end(cpu);
    }
    frames_ring_push(cpu, index << 32 | bit);
    frames_end(cpu);
}

// ---- claims ----

// Takes frames out of one word, at most so many and at least one, into cpu's entries, which are all
// empty.
static bool frames_claim_word(struct frames_cpu *cpu, u64 word, unsigned most) {
    struct frames *frames = cpu->frames;
    u64 bits = LOAD(&frames->bits[word]), left;
    if (!bits) return false;
    frames_begin(cpu);
    do {
        left = 0;
        if (most < 64) left = bits & (bits - 1);
        for (unsigned i = 1; i < most && left; i++) left &= left - 1;
    } while (bits && !CAS(&frames->bits[word], &bits, left));
    if (bits) {
        bits ^= left;
        frames_subtract(frames, (struct piece){word, bits});
        if (bits >> 32) frames_ring_push(cpu, (word * 2 + 1) << 32 | bits >> 32);
        if ((u32)bits) frames_ring_push(cpu, word * 2 << 32 | (u32)bits);
    }
    frames_end(cpu);
    return bits;
}

static bool frames_claim_in_superset(struct frames_cpu *cpu, u64 superset) {
    struct frames *frames = cpu->frames;
    unsigned in_superset = LOAD(&frames->in_superset[superset]);
    unsigned most = CLAIM_SIZE(in_superset, JOINED(frames));
    if (!in_superset) {
        frames_begin(cpu); // what the summary does not show for a moment is on its way, too
        frames_summary_clear(frames, superset);
        frames_end(cpu);
        return false;
    }
    for (u32 i = 0; i < SUPERSET_SETS; i++) {
        u64 set = superset * SUPERSET_SETS + (cpu->set + i) % SUPERSET_SETS;
        if (!LOAD(&frames->in_set[set])) continue;
        for (u64 word = set * SET_WORDS; word < (set + 1) * SET_WORDS; word++) {
            if (!frames_claim_word(cpu, word, most)) continue;
            cpu->set = (u32)set;
            return true;
        }
    }
    return false;
}

// The first superset in [from, end) that has its bit in the summary; end when none has.
static u64 frames_summary_next(const struct frames *frames, u64 from, u64 end) {
    while (from < end) {
        u64 bits = LOAD(&frames->summary[from / 64]) >> from % 64;
        if (bits) return MIN(from + (unsigned)__builtin_ctzll(bits), end);
        from = ROUND_DOWN(from, 64) + 64;
    }
    return end;
}

// Goes around all supersets, beginning where the CPU claimed last.
static bool frames_claim(struct frames_cpu *cpu) {
    u64 start = cpu->set / SUPERSET_SETS;
    u64 from = start;
    u64 end = cpu->frames->supersets;
    for (int half = 0; half < 2; half++, from = 0, end = start)
        for (u64 i = frames_summary_next(cpu->frames, from, end); i < end;
             i = frames_summary_next(cpu->frames, i + 1, end))
            if (frames_claim_in_superset(cpu, i)) return true;
    return false;
}

// ---- one frame ----

u64 frames_cleared_take(struct frames_cpu *cpu) {
    for (int i = 0; i < FRAMES_CLEARED; i++) {
        u32 frame = 0;
        if (LOAD(&cpu->cleared[i])) frame = SWAP(&cpu->cleared[i], 0);
        if (frame) return frame - 1;
    }
    return FRAME_NONE;
}

// Takes a frame out of what any CPU holds, the one first that had some last time.
static u64 frames_steal(struct frames_cpu *cpu) {
    for (unsigned n = 0, cpus = JOINED(cpu->frames); n < cpus; n++) {
        struct frames_cpu *victim = frames_cpu(cpu->frames, cpu->victim);
        for (int i = 0; i <= FRAMES_RING; i++) {
            u64 frame = frames_entry_take(&victim->held[i]);
            if (frame != FRAME_NONE) return frame;
        }
        u64 frame = frames_cleared_take(victim);
        if (frame != FRAME_NONE) return frame;
        cpu->victim++;
        if (cpu->victim >= cpus) cpu->victim = 0;
    }
    return FRAME_NONE;
}

// Without taking from others and without waiting for them.
static u64 frames_own_take(struct frames_cpu *cpu) {
    do {
        u64 frame = frames_entry_take(&cpu->held[0]);
        if (frame != FRAME_NONE) return frame;
    } while (frames_ring_pop(cpu) || frames_claim(cpu));
    return FRAME_NONE;
}

static __attribute__((noinline)) u64 frames_take_further(struct frames_cpu *cpu) {
    // The first time without asking who moves what: it mostly succeeds.
    for (bool watch = false;; watch = true) {
        u64 ended = 0;
        if (watch) ended = frames_others(cpu, true);
        u64 frame = frames_own_take(cpu);
        if (frame == FRAME_NONE) frame = frames_steal(cpu);
        if (frame != FRAME_NONE) return frame;
        if (watch && frames_others(cpu, false) == ended) return FRAME_NONE;
        __builtin_ia32_pause();
    }
}

// Takes a frame; FRAME_NONE when none is free anywhere.
frameno frames_take(struct frames_cpu *cpu) {
    u64 frame = frames_entry_take(&cpu->held[0]);
    if (frame == FRAME_NONE) frame = frames_take_further(cpu);
    return (frameno){frame};
}

// A frame known to hold zeroes; FRAME_NONE when this CPU has none, which makes it want some.
frameno frames_take_cleared(struct frames_cpu *cpu) {
    u64 frame = frames_cleared_take(cpu);
    if (frame == FRAME_NONE) cpu->wants_cleared = true;
    return (frameno){frame};
}

// For an idle CPU: if it wants cleared frames and has not its fill, one more is cleared by clear().
// False when not.
bool frames_fill(struct frames_cpu *cpu, void (*clear)(u64 frame)) {
    u32 *at = cpu->cleared;
    while (at < cpu->cleared + FRAMES_CLEARED && LOAD(at)) at++;
    if (!cpu->wants_cleared || at == cpu->cleared + FRAMES_CLEARED) return false;
    frames_begin(cpu);
    u64 frame = frames_own_take(cpu); // it must not wait for others, who may be here too
    if (frame != FRAME_NONE) {
        clear(frame);
        STORE(at, (u32)frame + 1);
    }
    frames_end(cpu);
    return frame != FRAME_NONE;
}

// How many frames are free, wherever they are; exact when nobody moves any.
u64 frames_free(const struct frames *frames) {
    u64 sum = 0;
    for (u64 i = 0; i < frames->supersets; i++) sum += LOAD(&frames->in_superset[i]);
    for (unsigned n = 0; n < JOINED(frames); n++) {
        const struct frames_cpu *cpu = frames_cpu(frames, n);
        for (int i = 0; i <= FRAMES_RING; i++) sum += frames_count_bits((u32)LOAD(&cpu->held[i]));
        for (int i = 0; i < FRAMES_CLEARED; i++) sum += LOAD(&cpu->cleared[i]) != 0;
    }
    return sum;
}
