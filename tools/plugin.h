// What is used of QEMU's interface for TCG plugins: distributions ship no header for it. build.sh
// asks QEMU for the version that it has and gives it as PLUGIN_API. A plugin includes this once and
// defines plugin_translated().
#pragma once

#include <inttypes.h>
#include <stddef.h>

#define EXPORT       __attribute__((visibility("default")))
#define NO_REGISTERS 0 // QEMU_PLUGIN_CB_NO_REGS: the callback looks at no guest register
#define STORES       2 // QEMU_PLUGIN_MEM_W

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*executed)(unsigned int cpu, void *data);
typedef void (*accessed)(unsigned int cpu, uint32_t info, uint64_t address, void *data);

#if PLUGIN_API >= 7
void qemu_plugin_register_vcpu_tb_trans_cb(
    plugin_id id, void (*translated)(struct qemu_plugin_tb *block, void *data), void *data);
#else
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
                                           void (*translated)(plugin_id id,
                                                              struct qemu_plugin_tb *block));
#endif
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block, executed callback,
                                          int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, executed callback,
                                            int flags, void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, accessed callback, int flags,
                                      int which, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
#if PLUGIN_API >= 3
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *to, size_t length);
#else
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
#endif
EXPORT int qemu_plugin_version = PLUGIN_API;

// A block of instructions that QEMU has read and will run, perhaps many times.
static void plugin_translated(struct qemu_plugin_tb *block);

#if PLUGIN_API >= 7
static void plugin_tell(struct qemu_plugin_tb *block, void *data) {
    (void)data;
    plugin_translated(block);
}

static void plugin_begin(plugin_id id) {
    qemu_plugin_register_vcpu_tb_trans_cb(id, plugin_tell, NULL);
}
#else
static void plugin_tell(plugin_id id, struct qemu_plugin_tb *block) {
    (void)id;
    plugin_translated(block);
}

static void plugin_begin(plugin_id id) { qemu_plugin_register_vcpu_tb_trans_cb(id, plugin_tell); }
#endif
