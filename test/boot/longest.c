// A QEMU TCG plugin that measures, in instructions, how long a CPU is in the kernel without letting
// interrupts and other threads in, and how long the lock of the program's address space is held and
// waited for.
//
//     qemu-system-x86_64 -icount shift=0,sleep=off -plugin
//     out/longest.so,lock=ADDRESS,places=FILE,out=FILE
//
// places= has lines "KIND ADDRESS", in hexadecimal: what happens when a CPU comes to the
// instruction there.
//     open   interrupts are let in, or the kernel is about to go to the program
//     call   a function that names what the CPU is doing: a system call, a page fault, an interrupt
//     take   space_take() begins
//     taken  it has the lock and is about to return
//     give   a byte is stored, with which the lock is given back if it is the lock's
// out= gets a line "WHAT CALL LENGTH BEGAN ENDED CPU" for each stretch that is longer than all
// before of its WHAT and CALL: WHAT is kernel, hold or wait, CALL the address of the last such
// function in it (0: none), BEGAN and ENDED those of its first instruction and of the one that
// ended it. The last line of a WHAT and CALL is the longest.
//
// QEMU runs the CPUs in turns here (-icount), in one thread, so that a host which puts a virtual
// CPU aside adds nothing and the plugin needs no locks. A CPU that waits for another one says so by
// PAUSE, and its turn is over: what it waits for is the other's stretch, and is counted there. So a
// wait is counted in the instructions that the holder still runs until it gives the lock back: from
// then on the waiter has it, on CPUs that run at the same time.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/plugin.h"

#define CPUS_MAX   8
#define PLACES_MAX 1024
#define KERNEL     (1ull << 63) // and above

enum kind { OPEN, CALL, TAKE, TAKEN, GIVE, KINDS };
enum what { IN_KERNEL, HOLD, WAIT, WHATS };

struct place {
    uint64_t address;
    enum kind kind;
    uint64_t longest[WHATS];
};

struct block { // of instructions that were translated
    uint64_t address, length;
};

struct event { // an instruction at a place
    struct place *place;
    uint64_t behind; // instructions from it to its block's end
};

static struct cpu {
    uint64_t count; // instructions, with all of the block that it is in
    uint64_t since, began;
    struct place *call;
    uint64_t wait_since; // what the holder had run then
    int measured, in_kernel, waits;
} cpus[CPUS_MAX];

static struct place places[PLACES_MAX] = {{.kind = CALL}}; // the first one stands for no call
static unsigned int place_count = 1;
static struct cpu *holder;
static uint64_t lock, held_since, held_at;
static FILE *out;

static void stretch(const struct cpu *cpu, enum what what, uint64_t length, uint64_t began,
                    uint64_t ended) {
    static const char *names[] = {"kernel", "hold", "wait"};
    uint64_t *longest = &cpu->call->longest[what];
    if (length <= *longest) return;
    *longest = length;
    fprintf(out, "%s %" PRIx64 " %" PRIu64 " %" PRIx64 " %" PRIx64 " %u\n", names[what],
            cpu->call->address, length, began, ended, (unsigned int)(cpu - cpus));
    fflush(out); // QEMU may end at any instruction
}

static void leave_kernel(struct cpu *cpu, uint64_t now, uint64_t at) {
    if (cpu->measured && cpu->in_kernel) stretch(cpu, IN_KERNEL, now - cpu->since, cpu->began, at);
    cpu->in_kernel = 0;
}

static void enter_kernel(struct cpu *cpu, uint64_t now, uint64_t at) {
    cpu->in_kernel = 1;
    cpu->since = now;
    cpu->began = at;
    cpu->call = places;
}

static void run_program(unsigned int number, void *data) {
    const struct block *block = data;
    struct cpu *cpu = &cpus[number];
    leave_kernel(cpu, cpu->count, block->address);
    cpu->count += block->length;
}

static void run_kernel(unsigned int number, void *data) {
    const struct block *block = data;
    struct cpu *cpu = &cpus[number];
    if (!cpu->in_kernel) enter_kernel(cpu, cpu->count, block->address);
    cpu->count += block->length;
}

static void give(uint64_t now, uint64_t at) {
    if (!holder) return;
    stretch(holder, HOLD, now - held_since, held_at, at);
    for (struct cpu *cpu = cpus; cpu < cpus + CPUS_MAX; cpu++) {
        if (cpu->waits) stretch(cpu, WAIT, now - cpu->wait_since, held_at, at);
        cpu->waits = 0;
    }
    holder = NULL;
}

static void happen(unsigned int number, void *data) {
    const struct event *event = data;
    struct cpu *cpu = &cpus[number];
    uint64_t now = cpu->count - event->behind, at = event->place->address;
    switch (event->place->kind) {
    case OPEN: // the CPU's start is not measured
        leave_kernel(cpu, now, at);
        enter_kernel(cpu, now, at);
        cpu->measured = 1;
        break;
    case CALL: cpu->call = event->place; break;
    case TAKE:
        cpu->waits = holder && holder != cpu;
        cpu->wait_since = holder ? holder->count : 0;
        break;
    case TAKEN:
        if (holder) { // and gave it back at a place that is not known
            fprintf(out, "lost %" PRIx64 "\n", held_at);
            fflush(out);
            abort();
        }
        cpu->waits = 0;
        holder = cpu;
        held_since = now;
        held_at = at;
        break;
    case GIVE: give(now, at); break;
    default: abort();
    }
}

static void store(unsigned int number, uint32_t info, uint64_t address, void *data) {
    (void)info;
    if (address == lock) happen(number, data);
}

static void plugin_translated(struct qemu_plugin_tb *tb) {
    struct block *block = malloc(sizeof *block);
    if (!block) abort();
    block->address = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0));
    block->length = qemu_plugin_tb_n_insns(tb);
    qemu_plugin_register_vcpu_tb_exec_cb(tb, block->address < KERNEL ? run_program : run_kernel,
                                         NO_REGISTERS, block);
    for (size_t i = 0; i < block->length; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        for (struct place *place = places + 1; place < places + place_count; place++) {
            if (place->address != qemu_plugin_insn_vaddr(insn)) continue;
            struct event *event = malloc(sizeof *event);
            if (!event) abort();
            *event = (struct event){place, block->length - i};
            if (place->kind != GIVE)
                qemu_plugin_register_vcpu_insn_exec_cb(insn, happen, NO_REGISTERS, event);
            else
                qemu_plugin_register_vcpu_mem_cb(insn, store, NO_REGISTERS, STORES, event);
        }
    }
}

static int read_places(const char *path) {
    static const char *names[] = {"open", "call", "take", "taken", "give"};
    FILE *file = fopen(path, "r");
    char name[8];
    for (struct place *place; file && place_count < PLACES_MAX; place_count++) {
        place = &places[place_count];
        if (fscanf(file, "%7s %" SCNx64, name, &place->address) != 2) break;
        for (place->kind = 0; place->kind < KINDS && strcmp(name, names[place->kind]);)
            place->kind++;
        if (place->kind == KINDS) return 0;
    }
    return file && feof(file) && !fclose(file);
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
    (void)info;
    for (unsigned int i = 0; i < CPUS_MAX; i++) cpus[i].call = places;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0)
            out = fopen(argv[i] + 4, "w");
        else if (strncmp(argv[i], "lock=", 5) == 0)
            lock = strtoull(argv[i] + 5, NULL, 16);
        else if (strncmp(argv[i], "places=", 7) || !read_places(argv[i] + 7))
            return -1;
    }
    if (!out || place_count == 1) return -1;
    plugin_begin(id);
    return 0;
}
