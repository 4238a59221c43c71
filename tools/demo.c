// The program in the image when none is named: greets and says what machine it woke up on. Plain C for any libc; all it
// knows it asks the CPU or reads from the texts vmos offers.
#include <cpuid.h>
#include <stdio.h>
#include <string.h>

static void print_cpu(void) {
    unsigned name[13] = {0}, highest = __get_cpuid_max(0x80000000, NULL);
    for (unsigned i = 0; i < 3 && highest >= 0x80000004; i++)
        __get_cpuid(0x80000002 + i, &name[4 * i], &name[4 * i + 1], &name[4 * i + 2], &name[4 * i + 3]);
    char *text = (char *)name;
    while (*text == ' ') text++;
    printf("CPU            %s\n", *text ? text : "without a name");
}

static void print_memory(void) {
    unsigned long kib;
    FILE *file = fopen("/proc/meminfo", "r");
    if (!file) return;
    if (fscanf(file, "MemTotal: %lu", &kib) == 1)
        printf("usable memory  %lu.%lu MiB for the program", kib / 1024, kib % 1024 * 10 / 1024);
    if (fscanf(file, " kB MemFree: %lu", &kib) == 1) printf(", %lu.%lu free\n", kib / 1024, kib % 1024 * 10 / 1024);
    fclose(file);
}

// The memory map of the firmware in short: what is RAM, and how many ranges are not.
static void print_map(void) {
    unsigned long long start, end;
    unsigned others = 0;
    char what[64];
    FILE *file = fopen("/proc/iomem", "r");
    if (!file) return;
    puts("\nmemory map");
    while (fscanf(file, "%llx-%llx : %63[^\n]", &start, &end, what) == 3)
        if (strcmp(what, "System RAM") == 0)
            printf("  %012llx - %012llx  %10llu KiB\n", start, end, (end - start + 1) / 1024);
        else others++;
    printf("  and %u ranges that are not RAM\n", others);
    fclose(file);
}

static void print_boot(void) {
    char line[128];
    FILE *file = fopen("/proc/vmos", "r");
    if (!file) return;
    puts("\nhow it got here");
    while (fgets(line, sizeof line, file)) printf("  %s", line);
    fclose(file);
}

int main(int argc, char **argv) {
    puts("Hello from your own machine. vmos booted it, and this program has all of it.\n");
    print_cpu();
    print_memory();
    print_map();
    print_boot();
    printf("arguments:");
    for (int i = 0; i < argc; i++) printf(" [%s]", argv[i]);
    puts("");
    return 0;
}
