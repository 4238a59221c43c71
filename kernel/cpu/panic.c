// The last words. Everything goes out as log lines; nothing here needs memory, GS, interrupts or a lock, so it works in
// the low stage too, with the loader's interrupt table. What it reads is read only where it is known to be mapped; when
// it faults all the same, the panic inside the panic says so and ends.
#include "kernel/cpu/panic.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/x86.h"
#include "kernel/kernel.h"
#include "kernel/lib/elf.h"
#include "kernel/lib/print.h"

#define BACKTRACE_MAX 32
#define LOW_STACK_MAX 0x10000 // how far up a stack of the low stage is followed
#define CODE_BYTES    16

#define VECTOR_PAGE_FAULT 14 // its error code: Intel SDM 3A 4.7
#define PF_PRESENT        (1u << 0)
#define PF_WRITE          (1u << 1)
#define PF_FETCH          (1u << 4)

// traps.asm puts the registers of panic()'s caller here and goes on with panic_with().
struct registers panic_registers;
void panic_with(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));

static void (*end_machine)(int status);
static struct elf kernel;
static bool has_kernel;
static u64 kernel_at;

void panic_set_end(void (*given)(int status)) { end_machine = given; }

u64 panic_set_symbols(const void *elf_file, u64 length, u64 run_address) {
    has_kernel = elf_open(&kernel, elf_file, length, false) == ELF_OK;
    kernel_at = run_address;
    return (has_kernel ? elf_symbols_start(&kernel) : length) - sizeof(elf_header);
}

static void __attribute__((noreturn)) end(void) {
    void (*how)(int) = end_machine;
    end_machine = NULL; // a panic inside it halts
    if (how) how(125);
    for (;;) __asm__ volatile("cli\n\thlt");
}

static bool in_kernel_image(u64 address) {
    return has_kernel && address - kernel_at < kernel.high && CODE_BYTES <= kernel.high - (address - kernel_at);
}

static void report_place(const char *what, u64 address) {
    struct elf_symbol symbol = {"", 0};
    if (in_kernel_image(address) && elf_symbol(&kernel, address - kernel_at, &symbol))
        log_error("  %s %#lx %s+%#lx", what, address, symbol.name, symbol.offset);
    else log_error("  %s %#lx", what, address);
}

static void report_registers(const struct registers *r) {
    log_error("  rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx", r->rax, r->rbx, r->rcx, r->rdx);
    log_error("  rsi %016lx  rdi %016lx  rbp %016lx  rsp %016lx", r->rsi, r->rdi, r->rbp, r->rsp);
    log_error("  r8  %016lx  r9  %016lx  r10 %016lx  r11 %016lx", r->r8, r->r9, r->r10, r->r11);
    log_error("  r12 %016lx  r13 %016lx  r14 %016lx  r15 %016lx", r->r12, r->r13, r->r14, r->r15);
    log_error("  rip %016lx  cs %02lx  rflags %lx  ss %02lx", r->rip, r->cs, r->rflags, r->ss);
    log_error("  cr0 %lx  cr2 %lx  cr3 %lx  cr4 %lx", read_cr0(), read_cr2(), read_cr3(), read_cr4());
    char code[CODE_BYTES * 3 + 1];
    if (!in_kernel_image(r->rip)) return;
    for (int i = 0; i < CODE_BYTES; i++) format(code + 3 * i, 4, " %02x", ((const u8 *)r->rip)[i]);
    log_error("  code%s", code);
}

// How many bytes of stack are mapped from address on, 0 when it is on none. Three kinds: an interrupt stack in the
// slot's data; the slot stack from floor, its lowest used address, to the slot's end; in the low stage, some way up
// from here.
static u64 stack_room(u64 address, u64 floor) {
    u64 here = (u64)__builtin_frame_address(0);
    if (here < SLOTS) return address - here < LOW_STACK_MAX ? LOW_STACK_MAX - (address - here) : 0;
    u64 offset = address - ROUND_DOWN(here, SLOT_SIZE);
    if (offset >= SLOT_SIZE) return 0;
    if (offset < sizeof(struct cpu)) return sizeof(struct cpu) - offset;
    return offset >= SLOT_DATA_MAX && address >= floor ? SLOT_SIZE - offset : 0;
}

// Each frame is the caller's RBP with the return address above it; callers lie higher on the same stack, or on the slot
// stack when an interrupt stack ends.
static void report_backtrace(const struct registers *regs) {
    u64 rbp = regs->rbp;
    report_place("at  ", regs->rip);
    for (int i = 0; i < BACKTRACE_MAX && rbp % 8 == 0 && stack_room(rbp, regs->rsp) >= 16; i++) {
        const u64 *frame = (const u64 *)rbp;
        report_place("from", frame[1] - 1); // inside the call, which may be its function's last instruction
        if (frame[0] <= rbp) return;
        rbp = frame[0];
    }
}

// The first panic goes on to its report. A second, inside that, only says its line; a third is silent.
static void __attribute__((noreturn)) report(const char *text, const struct registers *regs) {
    static unsigned panics;
    if (++panics <= 2) log_error("panic%s: %s", panics == 1 ? "" : " inside the panic", text);
    if (panics > 1) end();
    u64 here = (u64)__builtin_frame_address(0);
    if (here >= SLOTS) log_error("  on CPU %lu, the kernel at %#lx", (here - SLOTS) / SLOT_SIZE, kernel_at);
    else log_error("  in the low stage");
    report_registers(regs);
    if (regs->cs == KERNEL_CS) report_backtrace(regs);
    end();
}

void panic_with(const char *fmt, ...) {
    char text[LOG_LINE];
    va_list args;
    va_start(args, fmt);
    vformat(text, sizeof(text), fmt, args);
    va_end(args);
    report(text, &panic_registers);
}

void unfit(const char *fmt, ...) {
    char text[LOG_LINE];
    va_list args;
    va_start(args, fmt);
    vformat(text, sizeof(text), fmt, args);
    va_end(args);
    log_error("%s", text);
    end();
}

void panic_exception(const struct registers *regs, u64 address) {
    static const char names[] = "#DE#DBNMI#BP#OF#BR#UD#NM#DF 9 #TS#NP#SS#GP#PF 15#MF#AC#MC#XM";
    char text[LOG_LINE];
    const char *how = regs->error & PF_FETCH ? "executing" : regs->error & PF_WRITE ? "writing" : "reading";
    const char *why = regs->error & PF_PRESENT ? "against its rights" : "where nothing is mapped";
    u64 slot = ROUND_DOWN((u64)text, SLOT_SIZE);
    if (regs->vector == VECTOR_PAGE_FAULT)
        format(text, sizeof(text), "page fault %s %#lx %s%s", how, address, why,
               slot >= SLOTS && address - slot < SLOT_SIZE ? ": the kernel's stack ran out" : "");
    else
        format(text, sizeof(text), "exception %lu (%.3s), error %#lx", regs->vector,
               regs->vector < sizeof(names) / 3 ? names + 3 * regs->vector : "?", regs->error);
    report(text, regs);
}
