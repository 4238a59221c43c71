// A QEMU TCG plugin that counts, from reset, each CPU's instructions, and the BIOS calls.
//
//     qemu-system-x86_64 -accel tcg,thread=single -plugin out/icnt.so,out=FILE,at=7c00,at=8000,...[,cpus=N] ...
//
// Whenever a CPU is about to run the instruction at one of the addresses (hexadecimal, as the CPU sees it), FILE gets a
// line "ADDRESS CPU INSTRUCTIONS CALLS". When N CPUs have come by the last address, it gets "end 0" with the boot CPU's
// counts, and QEMU ends with status 0. A BIOS call is an `int` instruction outside the firmware, between the MBR's
// first byte and the loader's last; the firmware may run some down there itself, before the MBR. Each round of a `rep`
// instruction counts, as it does in -icount. Distributions ship no header for plugins, so what is used of the interface
// is declared here; build.sh gives its version as PLUGIN_API.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/layout.h"

#define EXPORT       __attribute__((visibility("default")))
#define NO_REGISTERS 0 // QEMU_PLUGIN_CB_NO_REGS: the callback looks at no guest register
#define PLACES_MAX   16
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

static uint64_t places[PLACES_MAX], instructions[CPUS_MAX], calls;
static unsigned int place_count, cpus_awaited;
static FILE *out;

static void count(unsigned int cpu, void *data) {
    (void)data;
    instructions[cpu]++;
}

static void count_call(unsigned int cpu, void *data) {
    count(cpu, data);
    calls++;
}

static void say(const char *place, unsigned int cpu) {
    fprintf(out, "%s %u %" PRIu64 " %" PRIu64 "\n", place, cpu, instructions[cpu], calls);
    fflush(out);
}

// In front of count(): the instruction that begins a stage belongs to that stage.
static void arrive(unsigned int cpu, void *data) {
    static char came[CPUS_MAX];
    uintptr_t place = (uintptr_t)data;
    char address[17];
    snprintf(address, sizeof address, "%" PRIx64, places[place]);
    say(address, cpu);
    if (place + 1 < place_count || came[cpu]++ || --cpus_awaited) return;
    say("end", 0);
    _exit(0); // exit() would wait for this very thread
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
        for (uintptr_t place = 0; place < place_count; place++)
            if (places[place] == address)
                qemu_plugin_register_vcpu_insn_exec_cb(insn, arrive, NO_REGISTERS, (void *)place);
        int is_call = address >= MBR && address < LOADER_END && opcode(insn) == INT_OPCODE;
        qemu_plugin_register_vcpu_insn_exec_cb(insn, is_call ? count_call : count, NO_REGISTERS, NULL);
    }
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
    (void)info;
    for (int i = 0; i < argc; i++) {
        int is_place = strncmp(argv[i], "at=", 3) == 0 && place_count < PLACES_MAX;
        if (is_place) places[place_count++] = strtoull(argv[i] + 3, NULL, 16);
        else if (strncmp(argv[i], "out=", 4) == 0) out = fopen(argv[i] + 4, "w");
        else if (sscanf(argv[i], "cpus=%u", &cpus_awaited) != 1) return -1; // QEMU says that it ends because of it
    }
    if (!out) return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
