// The last words. Everything goes out as log lines; nothing here needs memory, GS, interrupts or a lock, so it works in
// the low stage too, with the loader's interrupt table. When it faults, the panic inside the panic says so and ends.
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/x86.h"
#include "kernel/kernel.h"
#include "kernel/lib/elf.h"

#define BACKTRACE_MAX 32

// Error code of a page fault: Intel SDM 3A 4.7.
#define PF_PRESENT (1u << 0)
#define PF_WRITE   (1u << 1)
#define PF_FETCH   (1u << 4)

// Where the panic is. traps.asm puts the registers of panic()'s caller here and goes on with panic_with().
struct registers panic_registers;

static void (*end_machine)(int status);
static struct elf kernel; // nothing in it: no symbols
static u64 kernel_at;

void panic_set_end(void (*given)(int status)) { end_machine = given; }

u64 panic_set_symbols(const void *elf_file, u64 length, u64 run_address) {
    bool ok = elf_open(&kernel, elf_file, length, false) == ELF_OK;
    if (!ok) kernel.high = 0;
    kernel_at = run_address;
    return (ok ? elf_symbols_start(&kernel) : length) - sizeof(elf_header);
}

static void __attribute__((noreturn)) end(void) {
    void (*how)(int) = end_machine;
    end_machine = NULL; // a panic inside it halts
    if (how) how(125);
    for (;;) __asm__ volatile("cli\n\thlt");
}

static void report_place(const char *what, u64 address) {
    struct elf_symbol symbol = {"", 0};
    if (address - kernel_at < kernel.high && elf_symbol(&kernel, address - kernel_at, &symbol))
        log_error("  %s %#lx %s+%#lx", what, address, symbol.name, symbol.offset);
    else log_error("  %s %#lx", what, address);
}

// Each frame is the caller's RBP with the return address above it; callers lie higher on the same stack, or on the slot
// stack when an interrupt stack ends. Both are in one slot; in the low stage, in the first GiB, all of which is mapped.
static void report_backtrace(u64 rip, u64 rbp) {
    u64 slot = (u64)__builtin_frame_address(0) / SLOT_SIZE;
    report_place("at  ", rip);
    for (int i = 0; i < BACKTRACE_MAX && rbp && rbp % 8 == 0 && rbp / SLOT_SIZE == slot; i++) {
        const u64 *frame = (const u64 *)rbp;
        report_place("from", frame[1] - 1); // inside the call, which may be its function's last instruction
        if (frame[0] <= rbp) return;
        rbp = frame[0];
    }
}

// Three to a line: the screen has 80 columns.
void registers_log(const struct registers *r) {
    log_error("  rax %016lx  rbx %016lx  rcx %016lx", r->rax, r->rbx, r->rcx);
    log_error("  rdx %016lx  rsi %016lx  rdi %016lx", r->rdx, r->rsi, r->rdi);
    log_error("  rbp %016lx  rsp %016lx  r8  %016lx", r->rbp, r->rsp, r->r8);
    log_error("  r9  %016lx  r10 %016lx  r11 %016lx", r->r9, r->r10, r->r11);
    log_error("  r12 %016lx  r13 %016lx  r14 %016lx", r->r12, r->r13, r->r14);
    log_error("  r15 %016lx  rip %016lx  flags %08lx cs %02lx ss %02lx", r->r15, r->rip, r->rflags, r->cs, r->ss);
}

static void report(const struct registers *r) {
    u64 here = (u64)__builtin_frame_address(0);
    if (here >= SLOTS) log_error("  on CPU %lu, the kernel at %#lx", (here - SLOTS) / SLOT_SIZE, kernel_at);
    else log_error("  in the low stage");
    registers_log(r);
    log_error("  cr0 %lx  cr2 %lx  cr3 %lx  cr4 %lx", read_cr0(), read_cr2(), read_cr3(), read_cr4());
    if (r->cs == KERNEL_CS) report_backtrace(r->rip, r->rbp);
}

// A second panic, inside the report of the first, only says its line; a third is silent.
void PRINTF_LIKE(1, 2) __attribute__((noreturn)) panic_with(const char *fmt, ...) {
    static unsigned panics;
    va_list args;
    va_start(args, fmt);
    if (++panics <= 2) log_line(panics == 1 ? "vmos! panic: " : "vmos! panic inside the panic: ", fmt, args);
    va_end(args);
    if (panics == 1) report(&panic_registers);
    end();
}

void unfit(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    log_line("vmos! ", fmt, args);
    va_end(args);
    end();
}

void panic_exception(const struct registers *regs, u64 address, const char *why) {
    static const char names[] = "#DE#DBNMI#BP#OF#BR#UD#NM#DF 9 #TS#NP#SS#GP#PF 15#MF#AC#MC#XM";
    const char *how = regs->error & PF_FETCH ? "executing" : regs->error & PF_WRITE ? "writing" : "reading";
    const char *where = regs->error & PF_PRESENT ? "against its rights" : "where nothing is mapped";
    panic_registers = *regs;
    if (regs->vector == VECTOR_PF) panic_with("page fault %s %#lx %s%s%s", how, address, where, *why ? ": " : "", why);
    panic_with("exception %lu (%.3s), error %#lx", regs->vector,
               regs->vector < sizeof(names) / 3 ? names + 3 * regs->vector : "?", regs->error);
}
