// The program in the image when none is named: greets and says what machine it woke up on. Plain C
// for any libc.
#include <cpuid.h>
#include <stdio.h>
#include <string.h>

static void print_cpu(void) {
    unsigned name[13] = {0}, highest = __get_cpuid_max(0x80000000, NULL);
    for (unsigned i = 0; i < 3 && highest >= 0x80000004; i++)
        __get_cpuid(0x80000002 + i, &name[4 * i], &name[4 * i + 1], &name[4 * i + 2],
                    &name[4 * i + 3]);
    char *text = (char *)name;
    while (*text == ' ') text++;
    printf("CPU            %s\n", *text ? text : "without a name");
}

// The lines of a text that have this in them.
static void show(const char *title, const char *path, const char *what) {
    char line[128];
    FILE *file = fopen(path, "r");
    if (!file) return;
    printf("\n%s\n", title);
    while (fgets(line, sizeof line, file))
        if (strstr(line, what)) printf("  %s", line);
    fclose(file);
}

int main(int argc, char **argv) {
    puts("Hello from your own machine. vmos booted it, and this program has all of it.\n");
    print_cpu();
    show("usable memory", "/proc/meminfo", "kB");
    show("memory map: RAM", "/proc/iomem", "System RAM");
    show("how it got here", "/proc/vmos", "");
    printf("\narguments:");
    for (int i = 0; i < argc; i++) printf(" [%s]", argv[i]);
    puts("");
    return 0;
}
