// What a panic knows: registers, code, callers in the kernel and in the program, the other CPUs,
// the end of the log. Memory that may be anything is only read where the page tables say that it is
// there.
#include "kernel/cpu/panic.h"
#include "kernel/cpu/x86.h"
#include "kernel/lib/names.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"

#define CALLERS     32  // of the kernel
#define STACK_WORDS 256 // of the program's stack that are searched for its callers
#define PLACE       160 // bytes of a place as text
#define CODE_BEFORE 8
#define CODE_BYTES  24
#define LOG_LINES   16 // last ones of the log

static struct names names;
static u64 kernel_at, kernel_bytes;

// The kernel's ELF file, for function names; it runs with its address 0 at run_address. Returns how
// many bytes of the file, behind the ELF header, are not needed for that.
u64 panic_set_symbols(const void *elf_file, u64 length, u64 run_address) {
    struct elf kernel;
    kernel_at = run_address;
    kernel_bytes = 0;
    if (elf_open_kernel(&kernel, elf_file, length)) return length - sizeof(elf_header);
    kernel_bytes = kernel.high;
    names = names_open(&kernel);
    if (!names.count) return length - sizeof(elf_header);
    return (u64)(names.table - kernel.file) - sizeof(elf_header);
}

// "name+0x12", or the address where no symbol covers it.
static const char *report_name_of(char *text, u64 address) {
    char name[NAMES_LONGEST + 1];
    u64 offset;
    if (address - kernel_at < kernel_bytes &&
        names_find(&names, address - kernel_at, name, &offset))
        format(text, PLACE, "%s+%#lx", name, offset);
    else
        format(text, PLACE, "%#lx", address);
    return text;
}

void panic_report_place(const char *what, u64 address) {
    char text[PLACE];
    panic_say("  %-4s %#lx %s", what, address, report_name_of(text, address));
}

// Each frame is the caller's RBP with the return address above it; callers lie higher in the same
// slot, or in the low kernel in the first 4 GiB, all of which is mapped. False at the end.
static bool report_to_caller(u64 *rip, u64 *rbp) {
    bool in_low_stage = kernel_at < KERNEL_BASE;
    bool is_kernel = *rbp >= SLOTS;
    if (in_low_stage) is_kernel = *rbp && *rbp < IDENTITY_END;
    if (!is_kernel || *rbp % 8) return false;
    const u64 *above = panic_means->peek(*rbp + 8);
    const u64 *frame = panic_means->peek(*rbp);
    if (!frame || !above) return false;
    *rip = *above - 1; // inside the call, which may be its function's last instruction
    bool is_higher = *frame > *rbp;
    *rbp = 0;
    if (is_higher) *rbp = *frame;
    return true;
}

// Three to a line: the screen has 80 columns.
void registers_say(const struct registers *r,
                   void (*line)(const char *fmt, ...) PRINTF_LIKE(1, 2)) {
    line("  rax %016lx  rbx %016lx  rcx %016lx", r->rax, r->rbx, r->rcx);
    line("  rdx %016lx  rsi %016lx  rdi %016lx", r->rdx, r->rsi, r->rdi);
    line("  rbp %016lx  rsp %016lx  r8  %016lx", r->rbp, r->rsp, r->r8);
    line("  r9  %016lx  r10 %016lx  r11 %016lx", r->r9, r->r10, r->r11);
    line("  r12 %016lx  r13 %016lx  r14 %016lx", r->r12, r->r13, r->r14);
    line("  r15 %016lx  rip %016lx  flags %08lx cs %02lx ss %02lx", r->r15, r->rip, r->rflags,
         r->cs, r->ss);
}

static void report_code(u64 rip) {
    char text[3 * CODE_BYTES + 8];
    size_t used = 0;
    for (u64 at = rip - CODE_BEFORE; at != rip - CODE_BEFORE + CODE_BYTES; at++) {
        const u8 *byte = panic_means->peek(at);
        if (!byte)
            used += (size_t)format(text + used, sizeof text - used, "??");
        else if (at == rip)
            used += (size_t)format(text + used, sizeof text - used, "<%02x>", *byte);
        else
            used += (size_t)format(text + used, sizeof text - used, "%02x", *byte);
    }
    panic_say("  code %s", text);
}

// Words on the program's stack that point into its functions are, newest first, the places calls
// may return to.
static void report_program(const struct context *context, const struct registers *r,
                           const char *how) {
    char text[PLACE];
    panic_means->program_place(context, text, PLACE, r->rip);
    if (r->vector == VECTOR_SYSCALL)
        panic_say("  %s the program at %s, system call %lu", how, text, r->rax);
    else
        panic_say("  %s the program at %s, vector %lu", how, text, r->vector);
    u64 first = ROUND_DOWN(r->rsp, 8);
    for (u64 at = first; at < first + 8 * STACK_WORDS; at += 8) {
        const u64 *word = panic_means->peek(at);
        if (!word) return;
        if (panic_means->program_place(context, text, PLACE, *word))
            panic_say("  rsp+%#05lx: %s", at - r->rsp, text);
    }
}

// What a CPU that stopped was doing, in one line; false when it was idle.
static bool report_cpu(const struct cpu *cpu) {
    const struct registers *r = &cpu->stopped_at;
    char line[LOG_LINE + PLACE] = "", text[PLACE];
    size_t used = 0;
    bool in_program = cpu_ran_program(cpu, r);
    u64 rip = r->rip;
    u64 rbp = r->rbp;
    const char *between = "";
    for (bool more = cpu->stopped && !in_program; more && used < LOG_LINE - PLACE;
         more = report_to_caller(&rip, &rbp)) {
        if (memcmp(report_name_of(text, rip), "cpu_idle+", 9) == 0 && !used) return false;
        used += (size_t)format(line + used, PLACE, "%s%s", between, text);
        between = " < ";
    }
    if (cpu->current || in_program) {
        if (used) between = ", for ";
        used += (size_t)format(line + used, PLACE, "%sthe program at ", between);
        u64 at = r->rip;
        if (!in_program) at = cpu->current->regs.rip;
        panic_means->program_place(cpu->current, line + used, PLACE, at);
    }
    if (*cpu->last_words) panic_say("  CPU %u panicked as well: %s", cpu->number, cpu->last_words);
    const char *how = " did not stop";
    if (cpu->stopped) how = "";
    panic_say("  CPU %u%s: %s", cpu->number, how, line);
    return true;
}

// The callers in the kernel of whoever panicked.
static void report_callers(u64 rip, u64 rbp) {
    const char *how = "at";
    for (unsigned shown = 0; shown < CALLERS; shown++) {
        panic_report_place(how, rip);
        if (!report_to_caller(&rip, &rbp)) return;
        how = "from";
    }
}

static void report_other_cpus(const struct cpu *own) {
    unsigned idle = 0;
    for (unsigned n = 0; n < cpus_online(); n++)
        if (cpu_number(n) != own && !report_cpu(cpu_number(n))) idle++;
    if (idle == 1)
        panic_say("  idle: 1 other CPU");
    else if (idle)
        panic_say("  idle: %u other CPUs", idle);
}

void panic_report(const struct registers *r) {
    struct cpu *cpu = cpu_by_stack();
    bool in_program = cpu_ran_program(cpu, r);
    panic_page(9);
    if (cpu)
        panic_say("  on CPU %u of %u (APIC id %u), kernel at %#lx", cpu->number, cpus_online(),
                  cpu->apic_id, kernel_at);
    else
        panic_say("  in the low kernel, at %#lx", kernel_at);
    registers_say(r, panic_say);
    panic_say("  cr0 %lx  cr2 %lx  cr3 %lx  cr4 %lx", read_cr0(), read_cr2(), read_cr3(),
              read_cr4());
    report_code(r->rip);
    panic_page(5);
    if (!in_program) report_callers(r->rip, r->rbp);
    panic_page(2);
    if (in_program)
        report_program(cpu->current, r, "in");
    else if (cpu && cpu->current)
        report_program(cpu->current, &cpu->current->regs, "for");
    panic_page(2);
    if (cpu) report_other_cpus(cpu);
    for (unsigned left = LOG_LINES; left-- > 0;) {
        panic_page(panic_page(0) > left); // the screen gets the last ones of them
        if (log_kept(left)) panic_say("  | %s", log_kept(left));
    }
}
