// A QEMU TCG plugin that counts, from reset, each CPU's instructions, and of all CPUs BIOS calls
// and port accesses: under emulation these cost thousands of other instructions each.
//
//     qemu-system-x86_64 -accel tcg,thread=single -plugin
//     out/icnt.so,out=FILE,at=7c00,at=8000,...[,cpus=N[,profile=FILE]]
//
// Whenever a CPU is about to run the instruction at one of the addresses (hexadecimal, as the CPU
// sees it), FILE gets a line "ADDRESS CPU INSTRUCTIONS CALLS PORTS ALL", ALL being the instructions
// of all CPUs. When N CPUs have come by the last address, it gets "end 0" with the boot CPU's
// counts, and QEMU ends with status 0; profile= then gets lines "ADDRESS TIMES", perhaps several
// for an address. A BIOS call is an `int` instruction outside the firmware, between the MBR's first
// byte and the loader's last; the firmware may run some down there itself, before the MBR. QEMU 7.2
// counts each round of a `rep` instruction, as it does in -icount; 10.0 and later count the
// instruction.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/layout.h"
#include "tools/plugin.h"

#define PLACES_MAX 16
#define CPUS_MAX   1024

struct site { // an instruction that was translated
    uint64_t address, times;
    struct site *next;
};

static struct site *sites;
static const char *profile; // NULL: none wanted
static uint64_t places[PLACES_MAX], instructions[CPUS_MAX], calls, ports;
static unsigned int place_count, cpus_awaited, cpus;
static FILE *out;

static void count(unsigned int cpu, void *data) {
    (void)data;
    instructions[cpu]++;
    if (cpu >= cpus) cpus = cpu + 1;
}

static void count_call(unsigned int cpu, void *data) {
    count(cpu, data);
    calls++;
}

static void count_port(unsigned int cpu, void *data) {
    count(cpu, data);
    ports++;
}

static void say(const char *place, unsigned int cpu) {
    uint64_t all = 0;
    for (unsigned int i = 0; i < cpus; i++) all += instructions[i];
    fprintf(out, "%s %u %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", place, cpu,
            instructions[cpu], calls, ports, all);
    fflush(out);
}

static void count_site(unsigned int cpu, void *data) {
    (void)cpu;
    ((struct site *)data)->times++;
}

static void add_site(struct qemu_plugin_insn *insn, uint64_t address) {
    struct site *site = calloc(1, sizeof *site);
    if (!site) abort();
    *site = (struct site){address, 0, sites};
    sites = site;
    qemu_plugin_register_vcpu_insn_exec_cb(insn, count_site, NO_REGISTERS, site);
}

static void write_profile(void) {
    FILE *file = fopen(profile, "w");
    if (!file) abort();
    for (const struct site *site = sites; site; site = site->next)
        if (site->times) fprintf(file, "%" PRIx64 " %" PRIu64 "\n", site->address, site->times);
    if (fclose(file)) abort();
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
    if (profile) write_profile();
    _exit(0); // exit() would wait for this very thread
}

// The first byte behind the prefixes (SDM 2 2.1.1), and behind a REX prefix of 64-bit code, which
// none of these needs.
static uint8_t opcode(const struct qemu_plugin_insn *insn) {
    uint8_t bytes[16] = {0};
    size_t at = 0;
#if PLUGIN_API >= 3
    qemu_plugin_insn_data(insn, bytes, sizeof bytes - 1);
#else
    memcpy(bytes, qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn));
#endif
    while (bytes[at] && strchr("\x66\x67\xf2\xf3", bytes[at])) at++;
    return bytes[at];
}

// in, out, ins and outs: 6c-6f, e4-e7, ec-ef (SDM 2 A.3).
static int is_port(uint8_t opcode) { return (opcode & 0xfc) == 0x6c || (opcode & 0xf4) == 0xe4; }

static executed counter(const struct qemu_plugin_insn *insn, uint64_t address) {
    uint8_t first = opcode(insn);
    if (address >= MBR && address < LOADER_END && first == 0xcd) return count_call;
    return is_port(first) ? count_port : count;
}

static void plugin_translated(struct qemu_plugin_tb *block) {
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(block, i);
        uint64_t address = qemu_plugin_insn_vaddr(insn);
        for (uintptr_t place = 0; place < place_count; place++)
            if (places[place] == address)
                qemu_plugin_register_vcpu_insn_exec_cb(insn, arrive, NO_REGISTERS, (void *)place);
        if (profile) add_site(insn, address);
        qemu_plugin_register_vcpu_insn_exec_cb(insn, counter(insn, address), NO_REGISTERS, NULL);
    }
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
    (void)info;
    for (int i = 0; i < argc; i++) {
        int is_place = strncmp(argv[i], "at=", 3) == 0 && place_count < PLACES_MAX;
        if (is_place)
            places[place_count++] = strtoull(argv[i] + 3, NULL, 16);
        else if (strncmp(argv[i], "out=", 4) == 0)
            out = fopen(argv[i] + 4, "w");
        else if (strncmp(argv[i], "profile=", 8) == 0)
            profile = strdup(argv[i] + 8); // QEMU frees its own
        else if (sscanf(argv[i], "cpus=%u", &cpus_awaited) != 1)
            return -1; // QEMU says that it ends because of it
    }
    if (!out) return -1;
    plugin_begin(id);
    return 0;
}
