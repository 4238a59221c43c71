// A QEMU TCG plugin that counts, from reset, instructions and BIOS calls up to the first instruction of each stage.
//
//     qemu-system-x86_64 -accel tcg,thread=single -plugin out/icnt.so,stage=7c00,stage=8000,...,out=FILE ...
//
// A stage is reached when the instruction at its address (hexadecimal, as the CPU sees it) is about to run and all
// stages before it were reached. FILE gets a line "STAGE INSTRUCTIONS CALLS" each, STAGE being the address, counted
// from reset on the boot CPU; asleep=ADDRESS adds a line "cpu NUMBER INSTRUCTIONS" whenever another CPU gets there for
// the first time. A BIOS call is an `int` instruction outside the firmware, between the MBR's first byte and the
// loader's last. Each round of a `rep` instruction counts, as it does in -icount. Distributions ship no header for
// plugins, so what is used of the interface is declared here; build.sh gives its version as PLUGIN_API.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/layout.h"

#define EXPORT       __attribute__((visibility("default")))
#define NO_REGISTERS 0 // QEMU_PLUGIN_CB_NO_REGS: the callback looks at no guest register
#define STAGES_MAX   16
#define CPUS_MAX     1024
#define INT_OPCODE   0xcd

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
static uint64_t instructions[CPUS_MAX], calls, asleep;
static char slept[CPUS_MAX];
static FILE *out;

static void count(unsigned int cpu, void *data) {
    (void)data;
    instructions[cpu]++;
}

static void count_call(unsigned int cpu, void *data) {
    count(cpu, data);
    calls += reached > 0; // what the firmware itself runs down there before the MBR is not ours
}

// In front of count(): the instruction that begins a stage belongs to that stage.
static void arrive(unsigned int cpu, void *data) {
    if (cpu) return;
    uint64_t address = stages[(uintptr_t)data];
    while (reached < stage_count && stages[reached] == address) {
        fprintf(out, "%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", address, instructions[0], calls);
        fflush(out);
        reached++;
    }
}

static void sleep_first(unsigned int cpu, void *data) {
    (void)data;
    if (!cpu || slept[cpu]) return;
    slept[cpu] = 1;
    fprintf(out, "cpu %u %" PRIu64 "\n", cpu, instructions[cpu]);
    fflush(out);
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
        if (address == asleep) qemu_plugin_register_vcpu_insn_exec_cb(insn, sleep_first, NO_REGISTERS, NULL);
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
        } else if (!strncmp(argv[i], "asleep=", 7)) {
            asleep = strtoull(argv[i] + 7, NULL, 16);
        } else if (!strncmp(argv[i], "out=", 4)) {
            out = fopen(argv[i] + 4, "w");
        } else {
            return refuse("unknown argument, or too many stages", argv[i]);
        }
    }
    if (!out) return refuse("no out=FILE that can be written", "");
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
