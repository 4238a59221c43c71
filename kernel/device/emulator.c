// Which emulator this is, and how it is told to end. Ports that belong to an emulator are touched
// only here and only once it was recognised; reading port e9 is harmless and gives ff on a PC.
// Shared with the loader.
#include "kernel/device/devices.h"
#include "kernel/cpu/x86.h"

#define CPUID_HYPERVISOR 0x40000000 // EBX, ECX, EDX: the hypervisor's signature

bool emulator_has_debugcon(void) { return inb(DEBUGCON_PORT) == DEBUGCON_PORT; }

enum emulator emulator_recognise(void) {
    if (!(cpuid(1, 0).ecx & CPUID_1_ECX_HYPERVISOR)) {
        if (emulator_has_debugcon()) return EMULATOR_BOCHS;
        return EMULATOR_NONE;
    }
    struct cpuid id = cpuid(CPUID_HYPERVISOR, 0);
    // "TCGTCGTCGTCG" and "KVMKVMKVM"
    bool tcg = id.ebx == 0x54474354 && id.ecx == 0x43544743 && id.edx == 0x47435447;
    bool kvm = id.ebx == 0x4b4d564b && id.ecx == 0x564b4d56 && id.edx == 0x0000004d;
    if (tcg || kvm) return EMULATOR_QEMU;
    return EMULATOR_NONE;
}

void emulator_exit(void) {
    enum emulator emulator = emulator_recognise();
    if (emulator == EMULATOR_QEMU) outb(DEBUG_EXIT_PORT, DEBUG_EXIT_ORDERLY);
    if (emulator == EMULATOR_BOCHS) outsb(BOCHS_SHUTDOWN_PORT, "Shutdown", 8);
}
