// Prints the table of system calls of kernel/call/table.h, from which the kernel is compiled, too:
// each number with its name, its state and its note; or ("page") as the rows of
// kernel/call/README.md.
#include <asm/unistd_64.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

// Numbers of Linux 6.1, as which uname gives itself. Later headers have more behind the last one,
// and some that only x86-64 has in the hole that 6.1 leaves (335 is uretprobe since 6.11).
#define LAST      450
#define HOLE      335
#define BEHIND_IT 424

enum state { FULL, PARTIAL, IGNORED, ABSENT, STATES };
static const char *const states[] = {"full", "partial", "ignored", "absent"};

// Of the calls that are not in the table.
static const char note_unknown[] = "ENOSYS, and a line in the log for the first time";

static struct call {
    const char *name; // NULL: Linux has no such number
    enum state state;
    const char *note;
} calls[] = {
#define CALL(name, function, state, note) [__NR_##name] = {#name, state, note},
#include "kernel/call/table.h"
#undef CALL
    [LAST] = {NULL, ABSENT, NULL},
};
#define COUNT (sizeof calls / sizeof calls[0])

static const char names[] =
#include "out/names.inc"
    ;

static void add_absent(void) {
    const char *name = names;
    for (size_t i = 0; i < COUNT && name < names + sizeof names - 1; i++, name += strlen(name) + 1)
        if (!calls[i].name && *name && (i < HOLE || i >= BEHIND_IT))
            calls[i] = (struct call){name, ABSENT, note_unknown};
}

static void print_text(void) {
    unsigned count[STATES] = {0};
    for (size_t i = 0; i < COUNT; i++) {
        const struct call *call = &calls[i];
        if (!call->name) continue;
        count[call->state]++;
        printf("%3zu %-24s%s", i, call->name, states[call->state]);
        if (*call->note && call->note != note_unknown) printf(": %s", call->note);
        printf("\n");
    }
    for (enum state state = FULL; state < STATES; state++)
        printf("%u %s%s", count[state], states[state], state < ABSENT ? ", " : "\n");
}

static bool is_alike(const struct call *one, const struct call *other) {
    return other->name && one->state == other->state && strcmp(one->note, other->note) == 0;
}

// A row for all calls of one state and one note, which stands where the first of them would.
static void print_row(size_t first) {
    for (size_t i = 0; i < first; i++)
        if (is_alike(&calls[first], &calls[i])) return;
    printf("| %s", calls[first].name);
    for (size_t i = first + 1; i < COUNT; i++)
        if (is_alike(&calls[first], &calls[i])) printf(", %s", calls[i].name);
    printf(" | %s | %s |\n", states[calls[first].state], calls[first].note);
}

static void print_page(void) {
    printf("| calls | state | what there is, or is missing |\n|---|---|---|\n");
    for (enum state state = FULL; state < STATES; state++)
        for (size_t i = 0; i < COUNT; i++)
            if (calls[i].name && calls[i].state == state) print_row(i);
}

int main(int argc, char **argv) {
    add_absent();
    if (argc > 1 && strcmp(argv[1], "page") == 0)
        print_page();
    else
        print_text();
    return 0;
}
