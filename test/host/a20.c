// flags: -O1 -fsanitize=undefined
// (ASan's own memory could lie where the second view goes.)
// loader/a20.c on a simulated PC: whichever of the switches works, A20 is on in the end, and what
// may reset the machine is left alone. The page of the loader's cell is mapped a second time 1 MiB
// above it while A20 is off.
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// The real instructions make way for the simulated ports.
#define inb  real_inb
#define outb real_outb
#include "kernel/cpu/x86.h"
#undef inb
#undef outb
#include "loader/loader.h"
#include "test/check.h"

#define PAGE       0x1000ul
#define SETTLED_IN 1000 // delays until a keyboard controller has done it

static enum { KBC_WORKS, KBC_LATE, KBC_DEAF, KBC_HANGS, KBC_NONE, KBC_CHATTERS } kbc;
static bool a20, port_92_works;
static u8 command, port_92;
static unsigned settling, kbc_writes, port_92_writes, polls;
static int file = -1;
static char *cell_page;
static jmp_buf failed;

static void map(void) {
    CHECK(mmap(cell_page + 0x100000, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file,
               a20 ? PAGE : 0) != MAP_FAILED);
}

static void a20_becomes(bool on) {
    if (a20 == on) return;
    a20 = on;
    map();
}

// The first time the cell's page becomes one of the file's, which can be mapped twice.
static void *simulated_memory(uintptr_t address) {
    char *page = (char *)((address - 0x100000) & -PAGE);
    if (file < 0) {
        static char copy[PAGE];
        memcpy(copy, page, PAGE);
        file = memfd_create("memory", 0);
        CHECK(!ftruncate(file, 2 * PAGE) && write(file, copy, PAGE) == PAGE);
        CHECK(mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) !=
              MAP_FAILED);
        cell_page = page;
        map();
    }
    return (void *)address;
}

static u8 inb(u16 port) {
    CHECK(++polls < 300000);
    if (port == 0x92) return port_92;
    if (kbc == KBC_NONE) return 0xff;
    if (port == 0x60) return 0;
    CHECK(port == 0x64);
    return kbc == KBC_HANGS ? 2 : kbc == KBC_CHATTERS ? 1 : 0;
}

static void outb(u16 port, u8 value) {
    switch (port) {
    case 0x80:
        if (settling && !--settling) a20_becomes(true);
        break;
    case 0x64:
        kbc_writes++;
        command = value;
        break;
    case 0x60:
        kbc_writes++;
        CHECK(command == 0xd1 &&
              value == 0xdf); // the output port; bit 0 would reset the CPU if it were 0
        if (kbc == KBC_WORKS || kbc == KBC_CHATTERS) a20_becomes(true);
        if (kbc == KBC_LATE) settling = SETTLED_IN;
        break;
    case 0x92:
        port_92_writes++;
        CHECK(!(value & 1)); // fast reset
        port_92 = value;
        if (port_92_works && value & 2) a20_becomes(true);
        break;
    default: CHECK(!"a port nobody needs");
    }
}

void fail(const char *fmt, ...) {
    CHECK(strstr(fmt, "A20"));
    longjmp(failed, 1);
}

#define low_memory simulated_memory
#include "loader/a20.c"

static bool enable(bool on, int controller, bool works, u8 value) {
    kbc = controller, port_92_works = works, port_92 = value;
    settling = kbc_writes = port_92_writes = polls = command = 0;
    if (file >= 0)
        a20_becomes(on);
    else
        a20 = on;
    if (setjmp(failed)) return false;
    a20_enable();
    CHECK(a20);
    return true;
}

int main(void) {
    CHECK(enable(true, KBC_WORKS, true, 0) && !kbc_writes && !port_92_writes); // nothing is touched
    CHECK(enable(false, KBC_WORKS, true, 0) && !port_92_writes);
    CHECK(enable(false, KBC_LATE, false, 0) && !port_92_writes);
    CHECK(enable(false, KBC_CHATTERS, false, 0) && !port_92_writes); // it has always a byte for us
    for (int controller = KBC_DEAF; controller <= KBC_NONE; controller++)
        for (int value = 0; value < 0x100; value += 0x11)
            CHECK(enable(false, controller, true, value & ~2) && port_92_writes == 1);
    CHECK(!enable(false, KBC_DEAF, false, 0) && port_92_writes == 1);
    CHECK(!enable(false, KBC_NONE, true, 2) && !port_92_writes &&
          !kbc_writes); // says that it is on: it is not written
    return check_done("a20");
}
