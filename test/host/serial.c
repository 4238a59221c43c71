// kernel/device/serial.c on a simulated UART at an edge-triggered interrupt line: however much
// comes at once, every byte arrives, and what goes out is what was given, in its order, whoever
// reads it pauses or interrupts are lost.
#include <stdlib.h>
#include <string.h>

// The real instructions make way for the simulated port.
#define inb   real_inb
#define outb  real_outb
#define outsb real_outsb
#define log   vmos_log // the C library has another
#include "kernel/cpu/cpus.h"
#include "kernel/cpu/lock.h"
#include "kernel/cpu/x86.h"
#undef inb
#undef outb
#undef outsb
#include "test/check.h"

static u8 scratch, enabled_there, line;
static unsigned waiting, given; // bytes that come in: bytes of a counter
static unsigned fifo, depth;    // bytes in the transmitter, and how many fit
static bool empty_pending;      // it has become empty, or was when its interrupt was enabled
static bool edge;               // the PIC has seen one
static bool absent, mute;       // no port; its interrupt goes nowhere
static u64 reads;               // of the port
static bool ending, is_com1;
static void transmit(void);

static void update_line(void) {
    u8 level = (enabled_there & 1 && waiting > 0) || (enabled_there & 2 && empty_pending);
    if (level && !line && !mute) edge = true;
    line = level;
}

static u8 inb(u16 port) {
    if (absent) return 0xff;
    u8 value = 0;
    reads++;
    switch (port - 0x3f8) {
    case 0:
        CHECK(waiting > 0);
        waiting--;
        value = (u8)given++;
        break;
    case 2:
        value = depth > 1 ? 0xc1 : 1;
        if (enabled_there & 1 && waiting)
            value = (value & 0xf0) | 4;
        else if (enabled_there & 2 && empty_pending)
            value = (value & 0xf0) | 2, empty_pending = false;
        break;
    case 5:
        if (ending) transmit();
        value = (fifo ? 0 : 0x60) | (waiting > 0);
        break;
    case 7: value = scratch; break;
    default: CHECK(!"a register nobody needs");
    }
    update_line();
    return value;
}

static void outb(u16 port, u8 value) {
    static u8 control;
    if (port == 0x3fb) control = value;
    if (port == 0x3ff) scratch = value;
    if (port == 0x3f9 && !(control & 0x80)) {
        if (value & ~enabled_there & 2 && !fifo) empty_pending = true;
        enabled_there = value;
    }
    update_line();
}

static u8 sent[1 << 20];
static size_t sent_bytes;
static bool paused; // whoever reads it
static void outsb(u16 port, const void *bytes, size_t count) {
    CHECK(port == 0x3f8 && !fifo && count <= depth && sent_bytes + count <= sizeof sent);
    memcpy(sent + sent_bytes, bytes, count);
    sent_bytes += count;
    fifo = (unsigned)count;
    empty_pending = false;
    update_line();
}

static void transmit(void) {
    if (paused || !fifo) return;
    fifo = 0;
    empty_pending = true;
    update_line();
}

static u64 now = 1, due = UINT64_MAX;
static u64 (*looks_after)(u64 now);
static unsigned logged, errors;
static bool locked;
void cpu_serve(void) {}
bool cpus_stopping(void) { return ending; }
bool stop_wanted(void) { return false; }
u64 time_now_ns(void) { return now; }
void watch_add(u64 (*look)(u64 now)) { looks_after = look; }
void watch_by(u64 when) { due = when < due ? when : due; }
void lock_take(struct lock *lock) {
    CHECK(!lock->taken && !locked);
    lock->taken = locked = true;
}
bool logwire_is_com1(void) { return is_com1; }
static log_sink sink;
void log_set_sink(enum log_sinks which, log_sink write) { sink = which == LOG_WIRE ? write : NULL; }
void vmos_log(const char *fmt, ...) { (void)fmt, logged++; }
void log_error(const char *fmt, ...) { (void)fmt, errors++; }

static void (*on_interrupt)(void);
void interrupt_set(unsigned number, void (*handler)(void)) {
    CHECK(number == 4);
    on_interrupt = handler;
}

static unsigned rooms;
#define lock_give(lock) (locked = false, (lock_give)(lock))
#include "kernel/device/serial.c"
#undef lock_give

static unsigned arrived;
static void got(u8 byte) {
    CHECK(byte == (u8)arrived++ && !locked);
    if (arrived % 64 == 0) serial_write("", 0); // an echo takes the lock
}
static void has_room(void) {
    CHECK(!locked);
    rooms++;
}

static void interrupts_come(void) {
    while (edge) {
        edge = false;
        on_interrupt();
    }
}

static u8 bytes[400000];
static size_t wanted; // bytes of these, so far
static void write_next(size_t count) {
    serial_write(bytes + wanted, count);
    wanted += count;
}
static bool all_right(void) { return sent_bytes <= wanted && memcmp(sent, bytes, sent_bytes) == 0; }

static void start_with(unsigned fits) {
    depth = fits;
    fifo = enabled_there = line = 0;
    sent_bytes = wanted = 0;
    head = tail = interrupts = missed = rooms = logged = errors = 0;
    started = by_timer = waits_for_room = waits_for_end = paused = mute = edge = ending = false;
    enabled = 0;
    due = UINT64_MAX;
    CHECK(serial_init() && burst == fits && serial_begin(got, has_room));
}

// The watch is called when its time has come.
static void time_passes(u64 ns) {
    for (u64 end = now + ns; due <= end;) {
        now = due > now ? due : now;
        due = UINT64_MAX;
        u64 next = looks_after(now);
        CHECK(next > now);
        watch_by(next);
        transmit();
        interrupts_come();
    }
    now += ns;
}

static void reading(void) {
    start_with(16);
    waiting = 3; // typed before anybody listens
    update_line();
    for (unsigned burst_of = 1; burst_of < 2000; burst_of += 7) {
        interrupts_come();
        CHECK(waiting == 0 && arrived == given);
        waiting = burst_of;
        update_line();
    }
    interrupts_come();
}

// Random pieces, with a transmitter that takes its time, input in between, and pauses. No write
// looks at the port more often than it sends.
static void writing(unsigned fits) {
    start_with(fits);
    srand(fits);
    while (wanted < sizeof bytes - 8192) {
        size_t count = (size_t)rand() % 4096;
        paused = wanted % 5 == 0;
        u64 before = reads;
        if (serial_has_room(count)) write_next(count);
        CHECK(reads - before <= 2 + (wanted - sent_bytes + count) / fits + count / fits);
        CHECK(all_right() && head - tail <= RING);
        if (rand() % 3 == 0) waiting += (unsigned)rand() % 20, update_line();
        for (int i = rand() % 300; i > 0; i--) transmit(), interrupts_come();
    }
    paused = false;
    while (sent_bytes < wanted) {
        size_t before = sent_bytes;
        transmit();
        interrupts_come();
        CHECK(sent_bytes > before);
    }
    CHECK(all_right() && waiting == 0 && arrived == given && !(enabled_there & 2));
}

static void stalled(void) {
    start_with(16);
    paused = true;
    fifo = 1; // the transmitter is busy for as long as nobody reads
    while (serial_has_room(8192)) write_next(4096);
    CHECK(head - tail > 4096 && !rooms && due != UINT64_MAX);
    CHECK(serial_has_room(4096) == (head - tail + 4096 <= RING - RESERVE) && !serial_is_empty());
    time_passes(3000000000000); // 50 minutes
    CHECK(!sent_bytes && !errors && !rooms && serial_waiting() == wanted);
    paused = false;
    transmit();
    interrupts_come();
    CHECK(sent_bytes == 16);
    while (head - tail > ROOMY) transmit(), interrupts_come();
    CHECK(rooms == 1); // once, when there is room
    while (fifo) transmit(), interrupts_come();
    CHECK(rooms == 1 && sent_bytes == wanted && all_right() && serial_is_empty() &&
          due != UINT64_MAX);
    time_passes(LOOK_NS);
    CHECK(due == UINT64_MAX); // nothing to look after
    write_next(5000);
    CHECK(!serial_is_empty());
    while (fifo) transmit(), interrupts_come();
    CHECK(rooms >= 2 && serial_is_empty());
    paused = true;
    write_next(5000);
    time_passes(DEAD_NS + 2 * LOOK_NS);
    CHECK(errors == 1 && serial_has_room(1 << 20) && serial_is_empty());
}

// An interrupt that is lost costs one look; when none ever comes, a timer takes its place, which is
// said once.
static void lost(void) {
    start_with(16);
    fifo = 1;
    write_next(8000);
    transmit();
    interrupts_come();
    for (int i = 0; i < 10; i++) {
        transmit();
        edge = false;
        size_t before = sent_bytes;
        time_passes(LOOK_NS);
        CHECK(sent_bytes > before);
    }
    CHECK(all_right() && !logged);
    start_with(16);
    mute = true;
    fifo = 1;
    write_next(10000);
    CHECK(!serial_has_room(8192));
    transmit();
    time_passes(3 * LOOK_NS);
    CHECK(logged == 1);
    time_passes(650 * TIMER_NS);
    CHECK(sent_bytes == wanted && all_right() && logged == 1 && rooms == 1 && due == UINT64_MAX);
}

static void ends(void) {
    is_com1 = true; // the log's wire: its lines come in order
    start_with(16);
    CHECK(sink == serial_log);
    fifo = 1;
    write_next(1000);
    serial_log((const char *)bytes + wanted, 100);
    wanted += 100;
    CHECK(sent_bytes == 0);
    serial_panic("no", 2); // it has the report already
    while (fifo) transmit(), interrupts_come();
    CHECK(sent_bytes == wanted && all_right());
    paused = true; // a full ring loses lines, and does not wait for ever
    fifo = 1;
    for (int i = 0; i < 200; i++) serial_log((const char *)bytes, 100);
    CHECK(head - tail <= RING && head - tail > RING - 100);
    ending = true;
    serial_flush(false); // nor do they who end the machine
    CHECK(head == tail);
    is_com1 = false; // else a report begins on a line of its own, behind what was written
    start_with(16);
    fifo = 1;
    write_next(40);
    ending = true;
    serial_panic("ab", 2);
    serial_panic("c", 1);
    CHECK(sent_bytes == 44 && memcmp(sent, bytes, 40) == 0 && memcmp(sent + 40, "\nabc", 4) == 0);
}

int main(void) {
    for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = (u8)(i * 7 + i / 256);
    absent = true;
    CHECK(!serial_init() && !serial_begin(got, has_room));
    serial_write(bytes, sizeof(bytes));
    serial_log("x", 1);
    CHECK(!sent_bytes && !on_interrupt && serial_has_room(1 << 30) && serial_is_empty());
    absent = false;
    reading();
    writing(16);
    writing(1);
    stalled();
    lost();
    ends();
    return check_done("serial");
}
