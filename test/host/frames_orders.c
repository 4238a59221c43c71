// flags: -O2
// The frame allocator, every order of steps: two or three CPUs, each a coroutine that runs the real
// code and is stopped before every access to shared memory. All orders are tried, depth first; a
// state that was seen before (shared memory, stacks, registers, the model) is not gone into again.
// Sets and rings are small, so that every path is short.
#include <stdint.h>

#define FRAMES_SET             64
#define SUPERSET_SETS          2
#define FRAMES_RING            2
#define FRAMES_CLEARED         1
#define CLAIM_SIZE(left, cpus) claim_size

static unsigned claim_size = 64; // frames, at most: a word, if a scenario does not want less
static void step(void);
#define STEP() step()

#include "test/frames_check.h"

#define CPUS        3
#define FRAMES      256
#define STACK       4096
#define OPERATIONS  6
#define SEEN        (1u << 23) // states, a power of two
#define DEPTH       4096
#define STATE_BYTES (CPUS * (STACK + 64) + 4096)

enum kind { DONE, TAKE, GIVE, FILL, TAKE_RUN, GIVE_RUN, JOIN };
struct operation {
    enum kind kind;
    u64 frame; // GIVE, GIVE_RUN: this one, which is the CPU's; 0: the one it took last
};

// All that a state consists of, besides the stacks.
static struct {
    struct frames frames;
    u8 memory[512] __attribute__((aligned(64)));
    u8 in_use[FRAMES];
    s64 free; // how many of them are 0
    u64 stack_pointer[CPUS];
    u64 took[CPUS];
    s64 least[CPUS];   // how many frames were free for certain, at least, since the CPU's operation
                       // began
    s64 claimed[CPUS]; // what the operation in progress may have taken already
    int next[CPUS];
} state;
static u8 stacks[CPUS][STACK] __attribute__((aligned(64)));

#define frames state.frames
static const struct operation (*script)[OPERATIONS];
static int cpus, running = -1, depth, path[DEPTH];
static u64 explorer_stack, scenarios, all_states, states, ends;
static u64 (*seen)[2];
static const char *wrong;
static u64 summary_before;

// Saves the callee-saved registers on the stack, *save = stack pointer; goes on at the other one.
void switch_stack(u64 *save, u64 to);
__asm__(
    "switch_stack:\n\tpush %rbp\n\tpush %rbx\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\tpush %r15\n\t"
    "mov %rsp, (%rdi)\n\tmov %rsi, %rsp\n\t"
    "pop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %rbx\n\tpop %rbp\n\tret");

static void step(void) {
    if (running >= 0) switch_stack(&state.stack_pointer[running], explorer_stack);
}

// Inside a coroutine, whose stack is too small for printf.
static void expect(bool condition, const char *what) {
    if (!condition) wrong = what;
}

static void clear(u64 frame) {
    expect(state.in_use[frame] != 1, "a frame in use is cleared");
    step();
}

static void count_free(void) {
    s64 free = state.free;
    for (int i = 0; i < cpus; i++) free -= state.claimed[i];
    for (int i = 0; i < cpus; i++)
        if (free + state.claimed[i] < state.least[i]) state.least[i] = free + state.claimed[i];
}

static void taken(int cpu, u64 frame, u64 count) {
    state.claimed[cpu] = 0;
    if (frame == FRAME_NONE) {
        if (count == 1) expect(state.least[cpu] <= 0, "a frame was free all the time");
        return;
    }
    for (u64 i = 0; i < count; i++) {
        expect(state.in_use[frame + i] != 1, "a frame is given twice");
        if (!state.in_use[frame + i]) state.free--;
        state.in_use[frame + i] = 1;
    }
    state.took[cpu] = frame;
}

// A frame is 2 + CPU while it is being given back: others may have it, but only when that has
// returned must they.
static void operate(int cpu, struct operation operation) {
    u64 frame = operation.frame ? operation.frame : state.took[cpu],
        count = operation.kind == GIVE_RUN ? 2 : 1;
    state.least[cpu] = FRAMES;
    switch (operation.kind) {
    case DONE: break;
    case JOIN: frames_join(&frames); break;
    case TAKE:
        state.claimed[cpu] = 1;
        count_free();
        taken(cpu, frames_take(&frames.cpu[cpu]).number, 1);
        break;
    case TAKE_RUN:
        state.claimed[cpu] = 2;
        count_free();
        taken(cpu, frames_take_run(&frames.cpu[cpu], 2, 1, 0, FRAMES).number, 2);
        break;
    case FILL:
        frames.cpu[cpu].wants_cleared = true;
        frames_fill(&frames.cpu[cpu], clear);
        break;
    case GIVE:
    case GIVE_RUN:
        if (frame == FRAME_NONE) break;
        memset(state.in_use + frame, 2 + cpu, count);
        if (operation.kind == GIVE)
            frames_give(&frames.cpu[cpu], (frameno){frame});
        else
            frames_give_run(&frames.cpu[cpu], (frameno){frame}, 2);
        for (u64 i = 0; i < count; i++)
            if (state.in_use[frame + i] == 2 + cpu) state.in_use[frame + i] = 0, state.free++;
        state.took[cpu] = FRAME_NONE;
    }
    count_free();
}

static void body(void) {
    for (;;) {
        int cpu = running;
        if (script[cpu][state.next[cpu]].kind == DONE)
            state.next[cpu] = -1;
        else
            operate(cpu, script[cpu][state.next[cpu]++]);
        step();
    }
}

static void run(int cpu) {
    running = cpu;
    switch_stack(&explorer_stack, state.stack_pointer[cpu]);
    running = -1;
}

static u64 stack_depth(int cpu) { return (u64)stacks[cpu + 1] - state.stack_pointer[cpu]; }

static size_t save(u8 *to) {
    u8 *at = to;
    memcpy(at, &state, sizeof state);
    at += sizeof state;
    for (int i = 0; i < cpus; i++) {
        memcpy(at, (void *)state.stack_pointer[i], stack_depth(i));
        at += stack_depth(i);
    }
    CHECK(at - to < STATE_BYTES);
    return (size_t)(at - to);
}

static void restore(const u8 *from) {
    memcpy(&state, from, sizeof state);
    from += sizeof state;
    for (int i = 0; i < cpus; i++) {
        memcpy((void *)state.stack_pointer[i], from, stack_depth(i));
        from += stack_depth(i);
    }
}

// Notes the state; false when it was noted before. 128 bits of hash: two states never have the same
// in practice.
static bool is_new(const u8 *bytes, size_t length) {
    u64 a = length ^ scenarios << 32, b = ~a;
    for (size_t i = 0; i + 8 <= length; i += 8) {
        u64 quad = *(const loose_u64 *)(bytes + i);
        a = (a ^ quad) * 0x9e3779b97f4a7c15;
        a ^= a >> 29;
        b = (b + quad) * 0xc2b2ae3d27d4eb4f;
        b ^= b >> 31;
    }
    u64 at = a % SEEN;
    while (seen[at][0] || seen[at][1]) {
        if (seen[at][0] == a && seen[at][1] == b) return false;
        at = (at + 1) % SEEN;
    }
    seen[at][0] = a;
    seen[at][1] = b;
    return true;
}

static void trace(int last) {
    if (checks_failed) return;
    CHECK(!"every order is right");
    fprintf(stderr, "%s; who moved:", wrong);
    for (int i = 0; i < depth; i++) fprintf(stderr, " %d", path[i]);
    fprintf(stderr, " %d\n", last);
}

static void explore(void) {
    u8 *saved = malloc(STATE_BYTES);
    size_t length = save(saved);
    saved = realloc(saved, length);
    if (depth < DEPTH && is_new(saved, length) && !checks_failed) {
        bool moved = false;
        states++;
        if (++all_states == SEEN * 3ull / 4) CHECK(!"room for all states");
        for (int i = 0; i < cpus; i++) {
            if (state.next[i] < 0) continue;
            moved = true;
            run(i);
            if (wrong) {
                trace(i);
                break;
            }
            count_free();
            path[depth++] = i;
            explore();
            depth--;
            restore(saved);
        }
        if (!moved) {
            ends++;
            frames_check(&frames, state.in_use);
        }
    }
    free(saved);
}

// free_frames, ended by 0: free at the beginning; all others are in use.
static void scenario(const char *name, int count, const u64 *free_frames,
                     const struct operation (*ops)[OPERATIONS]) {
    cpus = count;
    script = ops;
    states = ends = 0;
    scenarios++;
    if (all_states > SEEN / 4) { // those of other scenarios
        memset(seen, 0, SEEN * sizeof *seen);
        all_states = 0;
    }
    memset(&state, 0, sizeof state);
    memset(stacks, 0, sizeof stacks);
    CHECK(machine_bytes(FRAMES, (unsigned)cpus) <= sizeof state.memory);
    machine_init(&frames, state.memory, FRAMES, 0, (unsigned)cpus);
    if (ops[cpus - 1][0].kind == JOIN) frames.cpus--;
    *frames.summary |= summary_before & ((1u << frames.supersets) - 1);
    memset(state.in_use, 1, sizeof state.in_use);
    for (; *free_frames; free_frames++) {
        frames_put_back(&frames, &(struct piece){*free_frames / 64, 1ull << *free_frames % 64}, 1);
        state.in_use[*free_frames] = 0;
        state.free++;
    }
    for (int i = 0; i < cpus; i++) {
        u64 *top = (u64 *)stacks[i + 1] - 2; // as after a call: return address at 16n + 8
        *top = (u64)body;
        state.stack_pointer[i] = (u64)(top - 6);
        state.took[i] = FRAME_NONE;
    }
    explore();
    CHECK(ends > 0);
    printf("%s: %lu states, %lu ends\n", name, states, ends);
}

#define FREE(...) ((const u64[]){__VA_ARGS__, 0})

int main(void) {
    seen = calloc(SEEN, sizeof *seen);
#define SCENARIO(name, free, ...)                                                                  \
    do {                                                                                           \
        const struct operation ops[][OPERATIONS] = {__VA_ARGS__};                                  \
        scenario(name, ARRAY_SIZE(ops), free, ops);                                                \
    } while (0)
    // Claims of the last frames, and stealing from each other. Frames 1, 2 share an entry; 64.. is
    // another set; 128.. another superset.
    SCENARIO("two for one", FREE(5), {{TAKE, 0}}, {{TAKE, 0}});
    SCENARIO("three for two in an entry", FREE(5, 6), {{TAKE, 0}}, {{TAKE, 0}}, {{TAKE, 0}});
    SCENARIO("three for two in two supersets", FREE(5, 200), {{TAKE, 0}}, {{TAKE, 0}}, {{TAKE, 0}});
    SCENARIO("take and give by turns", FREE(5), {{TAKE, 0}, {GIVE, 0}, {TAKE, 0}},
             {{TAKE, 0}, {GIVE, 0}, {TAKE, 0}});
    SCENARIO("as many as there are, always", FREE(5, 6),
             {{TAKE, 0}, {GIVE, 0}, {TAKE, 0}, {GIVE, 0}},
             {{TAKE, 0}, {GIVE, 0}, {TAKE, 0}, {GIVE, 0}});
    // Rings that overflow, next to CPUs that claim, steal, and find nothing.
    SCENARIO("full ring, one thief", FREE(200), {{GIVE, 1}, {GIVE, 33}, {GIVE, 65}, {GIVE, 129}},
             {{TAKE, 0}, {TAKE, 0}, {TAKE, 0}});
    SCENARIO("full ring, one word", FREE(0),
             {{GIVE, 1}, {GIVE, 33}, {GIVE, 2}, {GIVE, 34}, {TAKE, 0}}, {{TAKE, 0}, {TAKE, 0}});
    SCENARIO("full rings", FREE(200), {{GIVE, 1}, {GIVE, 33}, {GIVE, 65}, {GIVE, 129}},
             {{GIVE, 2}, {GIVE, 66}, {GIVE, 34}, {GIVE, 130}});
    SCENARIO("one is given while others look", FREE(0), {{GIVE, 5}}, {{TAKE, 0}}, {{TAKE, 0}});
    SCENARIO("one gives, two take", FREE(0), {{GIVE, 1}, {GIVE, 65}}, {{TAKE, 0}}, {{TAKE, 0}});
    SCENARIO("an entry becomes current", FREE(0),
             {{GIVE, 1}, {GIVE, 2}, {GIVE, 33}, {TAKE, 0}, {TAKE, 0}}, {{TAKE, 0}});
    summary_before = ~0ull; // it may show what is not there
    SCENARIO("the summary is put right", FREE(0), {{TAKE, 0}}, {{GIVE_RUN, 6}}, {{TAKE, 0}});
    summary_before = 0;
    claim_size = 1;
    SCENARIO("claims of one frame", FREE(5, 6, 40), {{TAKE, 0}, {GIVE, 0}, {TAKE, 0}},
             {{TAKE, 0}, {TAKE, 0}});
    SCENARIO("small claims and runs", FREE(6, 7, 40), {{TAKE, 0}, {GIVE, 0}},
             {{TAKE_RUN, 0}, {GIVE_RUN, 0}});
    claim_size = 64;
    // Cleared frames and runs.
    SCENARIO("cleared", FREE(5, 70), {{FILL, 0}}, {{TAKE, 0}, {TAKE, 0}});
    SCENARIO("two clear", FREE(5), {{FILL, 0}}, {{FILL, 0}, {TAKE, 0}});
    SCENARIO("runs", FREE(6, 7), {{TAKE_RUN, 0}, {GIVE_RUN, 0}}, {{TAKE, 0}, {GIVE, 0}});
    SCENARIO("runs over words", FREE(63, 64, 65), {{TAKE_RUN, 0}, {GIVE_RUN, 0}},
             {{TAKE_RUN, 0}, {GIVE_RUN, 0}});
    SCENARIO("runs of what others hold", FREE(200), {{TAKE_RUN, 0}},
             {{GIVE, 6}, {GIVE, 7}, {TAKE, 0}});
    SCENARIO("a run in vain", FREE(0), {{TAKE_RUN, 0}},
             {{GIVE, 6}, {GIVE, 8}, {GIVE, 10}, {TAKE, 0}});
    SCENARIO("a run with a cleared frame", FREE(6, 7), {{FILL, 0}, {TAKE_RUN, 0}}, {{TAKE, 0}});
    SCENARIO("a run taken apart", FREE(6, 7), {{FILL, 0}, {TAKE_RUN, 0}},
             {{GIVE, 9}, {TAKE, 0}, {TAKE, 0}});
    SCENARIO("runs given, single frames taken", FREE(200), {{GIVE_RUN, 6}, {GIVE_RUN, 70}},
             {{TAKE, 0}, {TAKE, 0}});
    // One that joins and puts something where another one, which has looked at fewer CPUs, does not
    // look any more.
    SCENARIO("one joins", FREE(5), {{TAKE, 0}, {TAKE, 0}}, {{JOIN, 0}, {TAKE, 0}, {GIVE, 0}});
    SCENARIO("one joins and gives", FREE(0), {{TAKE, 0}}, {{JOIN, 0}, {GIVE, 5}});
    SCENARIO("one joins, two take", FREE(0), {{TAKE, 0}}, {{TAKE, 0}}, {{JOIN, 0}, {GIVE, 5}});
    return check_done("frames_orders");
}
