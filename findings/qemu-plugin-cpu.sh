#!/bin/sh
# QEMU 1:10.0.13+ds-0+deb13u1 (TCG): with one thread for all CPUs, a plugin is told the CPU that translated a block, not the
# one that executes it. QEMU 1:7.2+dfsg-7+deb12u18 tells the right one.
#
# Guess: the vcpu_index that a plugin's callback is given is the CPU that executes, and per-CPU scoreboards count by it.
# Seen: two CPUs go through the same loop 1,000 times each, one after the other. With thread=single and with -icount, which
#   implies it, the plugin is called 2,000 times for CPU 0, and never for CPU 1; with thread=multi 1,000 times for each.
# Why it matters: counts, profiles and scoreboards by CPU of runs with -icount, the very ones that are to be exact, are wrong
#   without a word; a measurement of how long each CPU held a lock gave negative times. Use thread=multi, or know the CPU
#   by something that the guest itself does.
# Source: seen; commit dbf408b6678a of QEMU ("plugins: optimize cpu_index code generation", first in 10.0) has
#   gen_cpu_index() in accel/tcg/plugin-gen.c put a constant in where CF_PARALLEL is not set, as for a single CPU; it is not
#   set with one thread for all either, and translated blocks are the same for all CPUs.
. "$(dirname "$0")/common.sh"
fetch "qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3" "qemu-system-common=1:7.2+dfsg-7+deb12u18+b3" \
    "qemu-system-data=1:7.2+dfsg-7+deb12u18" "seabios=1.16.2-1" "nasm=2.16.01-1"
runs "$tmp/root/usr/bin/qemu-system-x86_64"

# apt for Debian 13, by itself: its own sources, lists and packages, and nothing is installed. How it reaches the archive is
# configured as for the other.
apt_trixie() {
    apt-get -o "Dir::Etc::SourceList=$tmp/apt13/sources" -o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::Preferences=/dev/null \
        -o Dir::Etc::PreferencesParts=/dev/null -o "Dir::State::Lists=$tmp/apt13/lists" \
        -o "Dir::State::Status=$tmp/apt13/status" -o "Dir::Cache=$tmp/apt13" -o "Dir::Cache::Archives=$tmp/apt13/archives" \
        -o APT::Sandbox::User=root -o Debug::NoLocking=true "$@"
}

# fetch_trixie NAME=VERSION...: unpacks packages of Debian 13 and all that they depend on into $tmp/trixie, from the archive
# that apt here has Debian 12 from.
fetch_trixie() {
    archive=$(apt-get indextargets --format "\$(LABEL) \$(REPO_URI)" | sed -n '/^Debian /{s///p;q}')
    mkdir -p "$tmp/apt13/lists/partial" "$tmp/apt13/archives/partial" "$tmp/trixie"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
        "${archive:-https://deb.debian.org/debian} trixie main" >"$tmp/apt13/sources"
    : >"$tmp/apt13/status"
    {
        apt_trixie update && apt_trixie --download-only --no-install-recommends -y install "$@"
    } >"$tmp/apt" 2>&1 || {
        cat "$tmp/apt" >&2
        echo "apt cannot get $* from Debian 13" >&2
        exit 125
    }
    for deb in "$tmp"/apt13/archives/*.deb; do dpkg -x "$deb" "$tmp/trixie"; done
}

fetch_trixie "qemu-system-x86=1:10.0.13+ds-0+deb13u1"
cat >"$tmp/guest.s" <<'END'
; The CPU that boots goes through the loop 1,000 times, has a second CPU do so, waits for it, and ends QEMU.
ADDRESS equ 0x8000 ; where the second starts
MARKER equ 0x9000
    bits 16
    org 0x7c00
    cli
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x6000
    mov byte [MARKER], 0
    call both
    mov byte [ADDRESS], 0xea ; jmp 0:second
    mov dword [ADDRESS + 1], second
    lgdt [gdtr] ; so that FS reaches the APIC
    mov eax, cr0
    or al, 1
    mov cr0, eax
    mov bx, 8
    mov fs, bx
    and al, 0xfe
    mov cr0, eax
    mov ebx, 0xfee00300
    mov dword [fs:ebx + 0x10], 1 << 24
    mov dword [fs:ebx], 0x4500 ; INIT
    mov dword [fs:ebx + 0x10], 1 << 24
    mov dword [fs:ebx], 0x4600 | ADDRESS >> 12
waits:
    pause
    cmp byte [MARKER], 1
    jne waits
    mov al, 16
    out 0xf4, al
    jmp stop ; QEMU 10.0 ends somewhat later
second:
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x5000
    call both
    mov byte [MARKER], 1
stop:
    hlt
    jmp stop
gdt:
    dq 0, 0x00cf92000000ffff
gdtr:
    dw $ - gdt - 1
    dd gdt
    times 256 - ($ - $$) db 0
both:
    mov cx, 1000
counted: ; at 0x7d03
    dec cx
    jnz counted
    ret
    times 510 - ($ - $$) db 0
    dw 0xaa55
END
"$tmp/root/usr/bin/nasm" "$tmp/guest.s" -o "$tmp/disk"
cat >"$tmp/plugin.c" <<'END'
#include <stdint.h>
#include <stdio.h>
typedef uint64_t plugin_id;
size_t qemu_plugin_tb_n_insns(const void *block);
void *qemu_plugin_tb_get_insn(const void *block, size_t index);
uint64_t qemu_plugin_insn_vaddr(const void *instruction);
void qemu_plugin_register_vcpu_insn_exec_cb(void *instruction, void (*run)(unsigned, void *), int flags, void *data);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*translated)(plugin_id, void *));
void qemu_plugin_register_atexit_cb(plugin_id id, void (*ends)(plugin_id, void *), void *data);
int qemu_plugin_version = VERSION;
static unsigned times[2];
static void run(unsigned cpu, void *data) {
    (void)data;
    times[cpu & 1]++;
}
static void translated(plugin_id id, void *block) {
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++) {
        void *instruction = qemu_plugin_tb_get_insn(block, i);
        if (qemu_plugin_insn_vaddr(instruction) == 0x7d03) qemu_plugin_register_vcpu_insn_exec_cb(instruction, run, 0, NULL);
    }
}
static void ends(plugin_id id, void *data) {
    (void)id, (void)data;
    printf("CPU 0 %u, CPU 1 %u\n", times[0], times[1]);
    fflush(stdout);
}
int qemu_plugin_install(plugin_id id, const void *info, int count, char **arguments) {
    (void)info, (void)count, (void)arguments;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ends, NULL);
    return 0;
}
END
for version in 1 4; do gcc -O1 -shared -fPIC "-DVERSION=$version" "$tmp/plugin.c" -o "$tmp/plugin$version.so"; done

old() {
    QEMU_MODULE_DIR=$(echo "$tmp"/root/usr/lib/*/qemu) counts "$tmp/root" 1 "$tmp/root/usr/bin/qemu-system-x86_64" "$@"
}

new() {
    library=$(echo "$tmp"/trixie/usr/lib/*/libc.so.6)
    library=${library%/libc.so.6}
    QEMU_MODULE_DIR=$library/qemu counts "$tmp/trixie" 4 \
        "$tmp/trixie/usr/lib64/ld-linux-x86-64.so.2" --library-path "$library" "$tmp/trixie/usr/bin/qemu-system-x86_64" "$@"
}

# counts ROOT VERSION COMMAND...: what the plugin says.
counts() {
    root=$1 version=$2 status=0
    shift 2
    timeout 100 "$@" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" -M pc -smp 2 -nodefaults -no-user-config \
        -display none -device isa-debug-exit,iobase=0xf4,iosize=1 -drive "file=$tmp/disk,format=raw,if=ide" \
        -plugin "$tmp/plugin$version.so" </dev/null || status=$?
    [ "$status" = 33 ] || echo "status $status"
}

right="CPU 0 1000, CPU 1 1000"
expect "7.2, thread=multi" "$(old -accel tcg,thread=multi)" "$right"
expect "7.2, thread=single" "$(old -accel tcg,thread=single)" "$right"
expect "7.2, -icount" "$(old -accel tcg -icount shift=0)" "$right"
expect "10.0, thread=multi" "$(new -accel tcg,thread=multi)" "$right"
expect "10.0, thread=single" "$(new -accel tcg,thread=single)" "CPU 0 2000, CPU 1 0"
expect "10.0, -icount" "$(new -accel tcg -icount shift=0)" "CPU 0 2000, CPU 1 0"
