// Prints the ten functions of the kernel that use most stack and, for every way into it, the
// deepest chain of calls:
//   stackuse TABLE FILE.ci...
// The .ci files are gcc's call graph (-fcallgraph-info=su); a function's bytes include its return
// address. Tail calls count as calls, so a chain is an upper bound. TABLE (tools/stackuse.txt) has
// what the compiler cannot know:
//   NAME BYTES [CALLEE...]           a function that is not C
//   EXPRESSION@FILE 0 CALLEE...      who is called where FILE says "EXPRESSION(", a pointer; * and
//   ? match in names most NAME TIMES                  a recursive function stands at most TIMES on
//   one chain unused 0 CALLEE...               what nobody in the kernel calls
// Status 1, with a line each on standard error, for what neither knows and for a chain that leaves
// less than SPARE bytes of its stack.
#include <err.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/cpu/cpu.h"
#include "kernel/memory/slots.h"

#define MOST         16384
#define SPARE        512
#define ON_THE_CHAIN (-1)
#define WORD         strtok(NULL, " \n")
#define PROBLEM(...) (bad = 1, fprintf(stderr, "stackuse: " __VA_ARGS__))

// The ways in, on which stack, and what lies on it already.
static const struct stack {
    const char *entry;
    int bytes, taken;
} stacks[] = {
    {"syscall_from_program", SLOT_STACK, 0},
    {"syscall_quick", SLOT_STACK, 0},
    {"trap_from_program", SLOT_STACK, 0},
    {"kernel_high", SLOT_STACK, 0},
    {"cpu_arrive", SLOT_STACK, 0},
    {"trap_from_kernel", IST_STACK_SIZE, REGISTERS_SIZE},
    {"kernel_low", LOADER_STACK_END - LOADER_STACK, 256}, // loader_main() is still on it
};

static struct function {
    char title[512]; // unique: the file is in front of a static function
    char name[512], place[512];
    int bytes;      // -1: not known
    int most, unit; // unit: 0 when not recursive; see enter()
    int first, reached;
} functions[MOST];
static struct call {
    int to, next; // next call of the same function; 0: none
} calls[MOST];
static int function_count, call_count = 1, states = 1, bad;
struct chain {       // the deepest one from a function on, in a state
    int bytes, next; // 0 bytes: not measured yet; next -1: it ends here
};
static struct chain *chains;

static int function_of(const char *title) {
    for (int f = 0; f < function_count; f++)
        if (strcmp(functions[f].title, title) == 0) return f;
    if (function_count == MOST) errx(2, "more than %d functions", MOST);
    struct function *function = &functions[function_count];
    const char *colon = strrchr(title, ':'), *name = colon ? colon + 1 : title;
    int length =
        (int)strcspn(name, strchr(name, '@') ? "" : "."); // without .isra.0, .part.0 and their like
    snprintf(function->title, sizeof function->title, "%s", title);
    snprintf(function->name, sizeof function->name, "%.*s", length, name);
    function->bytes = -1;
    return function_count++;
}

static void add_call(int from, int to) {
    for (int c = functions[from].first; c; c = calls[c].next)
        if (calls[c].to == to) return;
    if (call_count == MOST) errx(2, "more than %d calls", MOST);
    calls[call_count] = (struct call){to, functions[from].first};
    functions[from].first = call_count++;
}

static char line[4096];

// Leaves in line the last one read.
static void read_lines(const char *path, unsigned count, void (*take)(void)) {
    FILE *file = fopen(path, "r");
    if (!file) err(2, "%s", path);
    while (count-- > 0 && fgets(line, sizeof line, file))
        if (take) take();
    fclose(file);
}

// A call through a pointer at "FILE:LINE:COLUMN" is one of a function "EXPRESSION@FILE", by what
// stands there.
static int pointer_of(const char *place) {
    char path[256], title[512];
    unsigned number, column;
    if (sscanf(place, "%255[^:]:%u:%u", path, &number, &column) != 3)
        errx(2, "a pointer is called, but where? %s", place);
    read_lines(path, number, NULL);
    const char *text = line + (column <= strlen(line) ? column - 1 : 0);
    snprintf(title, sizeof title, "%.*s@%s", (int)strcspn(text, "( \n"), text, path);
    return function_of(title);
}

static void graph_line(void) {
    char title[512], other[512],
        place[512] = ""; // the call of a second half, which gcc split off, has no place
    int bytes;
    if (sscanf(line,
               "edge: { sourcename: \"%511[^\"]\" targetname: \"%511[^\"]\" label: \"%511[^\"]",
               title, other, place) >= 2) {
        bool pointer = strcmp(other, "__indirect_call") == 0;
        add_call(function_of(title), pointer ? pointer_of(place) : function_of(other));
    } else if (
        sscanf(line,
               "node: { title: \"%511[^\"]\" label: \"%*[^\\]\\n%511[^\\]\\n%d bytes (%511[^)])",
               title, place, &bytes, other) == 4) {
        int f = function_of(title);
        functions[f].bytes = bytes;
        snprintf(functions[f].place, sizeof place, "%s", place);
        if (strcmp(other, "dynamic") == 0) PROBLEM("%s takes as much stack as it likes\n", title);
    }
}

// The next function after f with this name or pattern; -1 before the first and behind the last.
static int named(int f, const char *pattern) {
    bool none = f < 0;
    while (++f < function_count)
        if (fnmatch(pattern, functions[f].name, 0) == 0) return f;
    if (none) PROBLEM("the table names %s, which is not there\n", pattern);
    return -1;
}

static void table_line(void) {
    const char *name = strtok(line, " \n");
    if (!name || *name == '#') return;
    bool most = strcmp(name, "most") == 0;
    if (most) name = WORD;
    const char *number = name ? WORD : NULL;
    int f = -1, value = number ? atoi(number) : 0;
    if (value <= 0 && (most || !number || *number != '0')) {
        PROBLEM("a line of the table has no number: %s\n", name);
    } else if (most) {
        for (; (f = named(f, name)) >= 0; states *= value + 1)
            functions[f].most = value, functions[f].unit = states;
    } else {
        functions[f = function_of(name)].bytes = value;
        for (const char *word; (word = WORD);)
            for (int to = -1; (to = named(to, word)) >= 0;) add_call(f, to);
    }
}

// Recursive functions are counted in the state of a chain, a number with a digit for each: the
// state after f was called, or -1 when f stood on the chain as often as it may.
static int enter(int f, int state) {
    const struct function *function = &functions[f];
    if (!function->unit) return state;
    return state / function->unit % (function->most + 1) < function->most ? state + function->unit
                                                                          : -1;
}

static struct chain *chain_of(int f, int state) {
    return &chains[(size_t)f * (size_t)states + (size_t)state];
}

static int measure(int f, int state) {
    struct function *function = &functions[f];
    struct chain *chain = chain_of(f, state);
    if (chain->bytes > 0) return chain->bytes;
    if (!function->reached && function->bytes < 0)
        PROBLEM("nothing says what %s is\n", function->title);
    function->reached = 1;
    *chain = (struct chain){ON_THE_CHAIN, -1};
    int deepest = 0;
    for (int c = function->first; c; c = calls[c].next) {
        int to = calls[c].to, then = enter(to, state);
        if (then < 0) continue;
        if (chain_of(to, then)->bytes == ON_THE_CHAIN) {
            PROBLEM("nothing says how often %s calls itself by way of %s\n", functions[to].title,
                    function->title);
        } else if (measure(to, then) > deepest) {
            deepest = measure(to, then);
            chain->next = to;
        }
    }
    return chain->bytes = deepest + (function->bytes > 0 ? function->bytes : 0);
}

static void print_function(int f) {
    printf("%8d %-28s %s\n", functions[f].bytes, functions[f].name, functions[f].place);
}

static void print_stack(const struct stack *stack) {
    int f = function_of(stack->entry), state = enter(f, 0), most = stack->taken + measure(f, state);
    printf("\n%s: at most %d of %d bytes\n", stack->entry, most, stack->bytes);
    if (most + SPARE > stack->bytes)
        PROBLEM("%s leaves less than %d bytes of its stack\n", stack->entry, SPARE);
    puts("the deepest chain:");
    while (f >= 0) {
        print_function(f);
        f = chain_of(f, state)->next;
        state = f >= 0 ? enter(f, state) : 0;
    }
}

static int by_bytes(const void *a, const void *b) {
    return functions[*(const int *)b].bytes - functions[*(const int *)a].bytes;
}

int main(int argc, char **argv) {
    static int order[MOST];
    if (argc < 3) errx(2, "usage: stackuse TABLE FILE.ci...");
    for (int i = 2; i < argc; i++) read_lines(argv[i], UINT32_MAX, graph_line);
    read_lines(argv[1], UINT32_MAX, table_line);
    int unused = function_of("unused");
    functions[unused].bytes = 0;
    for (int f = 0; f < function_count; f++) order[f] = f;
    qsort(order, (size_t)function_count, sizeof *order, by_bytes);
    chains = calloc(MOST * (size_t)states, sizeof *chains);
    if (!chains) err(2, "chains");
    puts("the functions that use most stack:");
    for (int i = 0; i < 10 && i < function_count; i++) print_function(order[i]);
    for (size_t i = 0; i < ARRAY_SIZE(stacks); i++) print_stack(&stacks[i]);
    for (int c = functions[unused].first; c; c = calls[c].next)
        if (functions[calls[c].to].reached)
            PROBLEM("%s is not unused\n", functions[calls[c].to].title);
    measure(unused, 0);
    for (int f = 0; f < function_count; f++)
        if (!functions[f].reached) PROBLEM("nothing says who calls %s\n", functions[f].title);
    return bad;
}
