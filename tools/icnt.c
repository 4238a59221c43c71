// A QEMU TCG plugin that counts, from reset, instructions and BIOS calls up to the first instruction of each stage,
// and then what each CPU took until it had arrived.
//
//     qemu-system-x86_64 -accel tcg,thread=single -plugin out/icnt.so,stage=7c00,stage=8000,...,out=FILE
//         [,cpus=N:1000:fffffeff...] ...
//
// A stage is reached when the instruction at its address (hexadecimal, as the CPU sees it) is about to run and all
// stages before it were reached. FILE gets a line "STAGE INSTRUCTIONS CALLS" each, counted from reset, STAGE being the
// address. A BIOS call is an `int` instruction outside the firmware, between the MBR's first byte and the loader's
// last. Each round of a `rep` instruction counts, as it does in -icount. Only the boot CPU, 0, makes stages.
// cpus=N:BEGIN:IDLE: a CPU has arrived when it is about to run IDLE for the first time, CPU 0 for the first time after
// the last stage. When all N have, FILE gets a line "cpu NUMBER INSTRUCTIONS" each, and QEMU ends with status 0:
// counted since that CPU was last at BEGIN, which the firmware's own start of it does not count for, and for CPU 0 from
// when it arrived until all had. Distributions ship no header for plugins, so what is used of the interface is declared
// here; build.sh gives its version as PLUGIN_API.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/layout.h"

#define EXPORT       __attribute__((visibility("default")))
#define NO_REGISTERS 0 // QEMU_PLUGIN_CB_NO_REGS: the callback looks at no guest register
#define STAGES_MAX   16
#define INT_OPCODE   0xcd
#define CPUS_MAX     1024

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*executed)(unsigned int cpu, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
                                           void (*translated)(plugin_id id, struct qemu_plugin_tb *block));
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, executed callback, int flags, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
#if PLUGIN_API >= 3
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *to, size_t length);
#else
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
#endif
EXPORT int qemu_plugin_version = PLUGIN_API;

static uint64_t stages[STAGES_MAX];
static unsigned int stage_count, reached;
static uint64_t calls, begin = UINT64_MAX, idle = UINT64_MAX;
static struct cpu {
    uint64_t instructions, began, took;
    int arrived;
} cpus[CPUS_MAX];
static unsigned int cpu_count, arrived;
static FILE *out;

static void count(unsigned int cpu, void *data) {
    (void)data;
    cpus[cpu].instructions++;
}

static void count_call(unsigned int cpu, void *data) {
    count(cpu, data);
    calls += reached > 0; // what the firmware itself runs down there before the MBR is not ours
}

static void begins(unsigned int cpu, void *data) {
    (void)data;
    if (cpu && reached) cpus[cpu].began = cpus[cpu].instructions; // not when the firmware starts it
}

static void idles(unsigned int cpu, void *data) {
    (void)data;
    struct cpu *this = &cpus[cpu];
    if (this->arrived || (!cpu && reached < stage_count)) return;
    this->arrived = 1;
    this->took = this->instructions - this->began;
    if (++arrived < cpu_count) return;
    cpus[0].took = cpus[0].instructions - cpus[0].took;
    for (unsigned int i = 0; i < cpu_count; i++) fprintf(out, "cpu %u %" PRIu64 "\n", i, cpus[i].took);
    fclose(out);
    _exit(0); // exit() would wait for this very thread
}

// In front of count(): the instruction that begins a stage belongs to that stage.
static void arrive(unsigned int cpu, void *data) {
    uint64_t address = stages[(uintptr_t)data];
    while (!cpu && reached < stage_count && stages[reached] == address) {
        fprintf(out, "%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", address, cpus[0].instructions, calls);
        fflush(out);
        reached++;
    }
}

static uint8_t opcode(const struct qemu_plugin_insn *insn) {
    uint8_t byte = 0;
#if PLUGIN_API >= 3
    qemu_plugin_insn_data(insn, &byte, 1);
#else
    byte = *(const uint8_t *)qemu_plugin_insn_data(insn);
#endif
    return byte;
}

static void translated(plugin_id id, struct qemu_plugin_tb *block) {
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(block, i);
        uint64_t address = qemu_plugin_insn_vaddr(insn);
        for (uintptr_t stage = 0; stage < stage_count; stage++) {
            if (stages[stage] != address) continue;
            qemu_plugin_register_vcpu_insn_exec_cb(insn, arrive, NO_REGISTERS, (void *)stage);
            break;
        }
        if (address == begin) qemu_plugin_register_vcpu_insn_exec_cb(insn, begins, NO_REGISTERS, NULL);
        if (address == idle) qemu_plugin_register_vcpu_insn_exec_cb(insn, idles, NO_REGISTERS, NULL);
        int is_call = address >= MBR && address < LOADER_END && opcode(insn) == INT_OPCODE;
        qemu_plugin_register_vcpu_insn_exec_cb(insn, is_call ? count_call : count, NO_REGISTERS, NULL);
    }
}

static int refuse(const char *what, const char *argument) {
    fprintf(stderr, "icnt: %s: %s\n", what, argument);
    return -1;
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "stage=", 6) && stage_count < STAGES_MAX) {
            stages[stage_count++] = strtoull(argv[i] + 6, NULL, 16);
        } else if (!strncmp(argv[i], "out=", 4)) {
            out = fopen(argv[i] + 4, "w");
        } else if (sscanf(argv[i], "cpus=%u:%" SCNx64 ":%" SCNx64, &cpu_count, &begin, &idle) != 3) {
            return refuse("unknown argument, or too many stages", argv[i]);
        }
    }
    if (!out) return refuse("no out=FILE that can be written", "");
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
