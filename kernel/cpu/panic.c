// Our own bug, or an exception nobody expects: the first CPU that panics stops the others and has
// the word. It speaks by raw output that needs no memory, GS, interrupts or lock, so it works in
// the low kernel too, with the loader's interrupt table. The screen gets one page with the
// essentials, the wires everything.
#include "kernel/cpu/panic.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"

#define COLUMNS    80 // at least
#define ROWS_AFTER 4  // a panic inside the panic, the exit line and a prompt may follow
#define ROWS_LEAST 21 // what is left of 25; report.c shares them out

const struct panic_means *panic_means; // NULL: nobody can hear it
static unsigned row, page_end;         // of the screen's page
static unsigned page_rows = ROWS_LEAST;

void panic_set_means(const struct panic_means *given) { panic_means = given; }

// One line of the report: whole on the wires; on the screen as much as the rows that panic_page()
// gave hold.
void panic_say(const char *fmt, ...) {
    char line[LOG_LINE + 1];
    va_list args;
    va_start(args, fmt);
    size_t length = log_format(line, "vmos! ", fmt, args);
    va_end(args);
    size_t room = 0;
    if (row < page_end) room = (page_end - row) * COLUMNS;
    size_t shown = length;
    if (length - 1 > room) shown = room;
    row += (unsigned)(shown + COLUMNS - 2) / COLUMNS;
    log_put(line, length, shown);
}

unsigned panic_page(unsigned rows) {
    page_end = MIN(row + rows * MAX(page_rows, ROWS_LEAST) / ROWS_LEAST, page_rows);
    return page_rows - MIN(row, page_rows);
}

// A panic inside it tries again, without the output that it was in.
static void __attribute__((noreturn)) panic_end(void) {
    static unsigned tries;
    if (options.after == AFTER_REBOOT)
        options.after = AFTER_KEY; // else it could come for ever, and nobody read it
    if (panic_means && tries++ < 3) panic_means->end(125);
    for (;;) __asm__ volatile("cli\n\thlt");
}

static void panic_first_line(const char *what) {
    static bool said;
    if (said) return;
    said = true;
    log_set_sink(LOG_COM1, panic_means->com1);
    unsigned rows = panic_means->screen(false);
    page_rows = rows - MIN(ROWS_AFTER, rows);
    panic_page(3);
    panic_say("panic: %s", what);
}

// A CPU that panics while another one does leaves its line to it. A second panic of the same CPU,
// inside the report of the first, says its line and where; a third is silent.
_Noreturn void panic_at(const char *fmt, va_list args, const struct registers *regs) {
    static char what[LOG_LINE];
    static unsigned owner, panics;
    if (!panic_means) panic_end();
    struct cpu *cpu = cpu_by_stack();
    unsigned me = 1;
    if (cpu) me = cpu->number + 1;
    unsigned first = 0;
    bool won =
        __atomic_compare_exchange_n(&owner, &first, me, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    if (!won && first != me) {
        vformat(cpu->last_words, sizeof cpu->last_words, fmt, args);
        cpu_stop(regs);
    }
    if (++panics == 1) {
        vformat(what, sizeof what, fmt, args);
        cpus_stop(true);
        panic_first_line(what);
        panic_report(regs);
    } else if (panics == 2) {
        panic_first_line(what);
        vformat(what, sizeof what, fmt, args);
        page_end = row + 1;
        panic_say("panic inside the panic: %s", what);
        panic_report_place("at", regs->rip);
    }
    panic_end();
}

static void PRINTF_LIKE(2, 3) __attribute__((noreturn))
panic_because(const struct registers *r, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    panic_at(fmt, args, r);
    va_end(args);
}

void unfit(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    log_line("vmos! ", fmt, args);
    va_end(args);
    panic_end();
}

static void panic_page_fault(const struct registers *r, u64 address, const char *why) {
    const char *how = "reading";
    if (r->error & FAULT_WRITE) how = "writing";
    if (r->error & FAULT_FETCH) how = "executing";
    const char *where = "where nothing is mapped";
    if (r->error & FAULT_PRESENT) where = "against its rights";
    const char *colon = "";
    if (*why) colon = ": ";
    panic_because(r, "page fault %s %#lx %s%s%s", how, address, where, colon, why);
}

void panic_exception(const struct registers *r, u64 address, const char *why) {
    static const char names[] =
        "#DE#DBNMI#BP#OF#BR#UD#NM#DF 9 #TS#NP#SS#GP#PF 15#MF#AC#MC#XM#VE#CP";
    char text[LOG_LINE];
    if (r->vector == VECTOR_PF) panic_page_fault(r, address, why);
    if (r->vector == VECTOR_MC) {
        // Some machines tell every CPU: those that know nothing stop as if another had told them.
        if (!machine_check_text(text, sizeof text) && stop_wanted()) cpu_stop(r);
        panic_because(r, "%s", text);
    }
    const char *name = "?";
    if (r->vector < sizeof(names) / 3) name = names + 3 * r->vector;
    panic_because(r, "exception %lu (%.3s), error %#lx", r->vector, name, r->error);
}
