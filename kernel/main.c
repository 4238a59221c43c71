// The order of things. The kernel starts twice: as the low kernel, identity-mapped, which plans
// memory and builds the final address space; then as the high kernel, a fresh copy, which stays.
#include "kernel/call/call.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/x86.h"
#include "kernel/device/devices.h"
#include "kernel/kernel.h"
#include "kernel/memory/build.h"
#include "kernel/memory/tables.h"
#include "kernel/memory/window.h"
#include "kernel/process/program.h"

void kernel_leave_low(u64 handover, paddr root, u64 stack_top, u64 entry) __attribute__((noreturn));
extern char kernel_image[]; // kernel.ld: link address 0
void kernel_high_entry(void);

static struct boot_info boot;
struct options options;

static const struct panic_means panic_means_here = {serial_panic, tables_peek, program_place_in,
                                                    screen_yield, power_end};

static void main_ignored(const char *word, u64 length, const char *why) {
    int shown = (int)MIN(length, 80);
    log("the image's command line: %.*s %s, ignored", shown, word, why);
}

static void main_options(void (*report)(const char *word, u64 length, const char *why)) {
    options_read(window((paddr){boot.command.start}), boot.command.length, &options, report);
    log_quiet(LOG_SCREEN, options.quiet);
    log_quiet(LOG_WIRE, options.quiet && logwire_is_com1());
}

static void main_log(void) {
    logwire_init();
    log_set_sink(LOG_WIRE, logwire_write);
    log_set_sink(LOG_SCREEN, screen_log);
    screen_init(&boot);
    panic_set_means(&panic_means_here);
}

// The program's terminal: what the image asks for, as far as the machine has it.
static void main_console(void) {
    bool screen = screen_columns() > 0;
    if (!screen && options.console == CONSOLE_SCREEN) {
        log_error("console=screen, but there is no screen that shows text; the program has COM1 "
                  "instead");
        options.console = CONSOLE_COM1;
    }
    if (!(options.console & CONSOLE_COM1) || serial_init()) return;
    if (screen)
        log("serial: no COM1; the program has the screen and the keyboard alone");
    else
        log_error("serial: no COM1, and no screen either; the program's output is lost");
    options.console = CONSOLE_SCREEN;
}

void __attribute__((noreturn)) kernel_low(const struct boot_info *given) {
    static u64 low_cpu[8]; // no slot is there yet: where the CPU marks its locks (lock.h)
    char wrong[LOG_LINE];
    wrmsr(MSR_GS_BASE, (u64)low_cpu);
    bool is_other = bootinfo_is_other(given, wrong, sizeof wrong);
    if (is_other)
        boot = (struct boot_info){.text_columns = 80, .text_rows = 25};
    else
        boot = *given;
    main_log(); // for what can go wrong here
    if (is_other || bootinfo_is_wrong(&boot, wrong, sizeof wrong)) unfit("%s", wrong);
    panic_set_symbols(window((paddr){boot.kernel.start}), boot.kernel.length,
                      boot.kernel_low.start);
    main_options(NULL);
    struct handover *handover = (void *)boot.low.handover.start;
    *handover = (struct handover){.boot = boot};
    address_space_build(handover);
    u64 entry = KERNEL_BASE + ((u64)kernel_high_entry - (u64)kernel_image);
    kernel_leave_low(WINDOW + boot.low.handover.start, handover->root, SLOTS + SLOT_SIZE, entry);
}

void __attribute__((noreturn)) kernel_high(struct handover *handover) {
    window_base = WINDOW; // before anything reaches for physical memory
    tables_allow = handover->tables_allow;
    boot = handover->boot;
    // GDT, IDT, TSS, control registers: from here on our own handlers report faults.
    cpu_init(0);
    boot.tsc[STAGE_KERNEL_HIGH] = tsc();
    main_log();
    paddr file = {boot.kernel.start};
    u64 code = panic_set_symbols(window(file), boot.kernel.length, KERNEL_BASE);
    main_options(main_ignored);
    memory_take_over(handover);

    static struct acpi_info acpi;
    acpi_init((paddr){boot.rsdp}, &acpi);
    power_init(&acpi);
    keyboard_init(&acpi);
    interrupts_init(&acpi);
    volatile u32 *hpet = NULL;
    if (acpi.hpet.at) hpet = window_map(acpi.hpet, PAGE_SIZE, WINDOW_DEVICE);
    time_init(hpet, acpi.pm_timer, &boot.pit);
    main_console();
    memory_end_boot(handover);
    paddr unused = paddr_add(file, sizeof(elf_header));
    memory_give(unused, paddr_add(unused, code));
    cpus_start(&acpi, &boot.low);
    if (cpus_expected() == 1) time_cpu_alone();
    calls_init();
    program_run(&boot, &calls_of_program);
}
