// COM1, the program's terminal: bytes go out and come in as they are. What the port does not take
// at once waits in a ring, which its interrupt empties. Nobody waits in here but before interrupts
// are on, in a panic and at the end.
#include "kernel/device/devices.h"
#include "kernel/cpu/cpus.h"
#include "kernel/cpu/lock.h"
#include "kernel/cpu/trap.h"
#include "kernel/device/uart.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"

#define COM1_LINE 4
#define RING      16384 // a power of two
#define RESERVE   2048  // of it, for echoes and the log, which cannot wait
#define ROOMY     4096  // bytes in it, or fewer: who waits for room is woken
// Whoever reads the program's output at the other end of an emulator's port may pause for a while;
// nothing is lost for about an hour, then the port is taken for dead.
#define WAIT_LONG UINT32_MAX
#define WAIT_LOG  20000u // reads of the port
#define DEAD_NS   3600000000000ull
#define LOOK_NS   20000000 // an interrupt that comes is there long before
#define TIMER_NS  1000000  // instead of interrupts: 16 bytes at 115200 baud take longer
#define MISSED    3        // looks at which an interrupt had not come, and none had ever

static size_t burst; // 0: there is no port
static void (*input)(u8 byte);
static void (*room)(void);
static int early = -1; // a byte that came before, a ^C perhaps: turning the FIFOs on would drop it

static struct lock lock = {.rank = LOCK_SERIAL}; // of all below, and of what is written to the port
static u8 ring[RING];
static u32 head, tail;                     // free-running: [tail, head) is to leave
static u8 enabled;                         // what the port has in IER
static bool waits_for_room, waits_for_end; // somebody
static bool started;                       // interrupts are on
static bool by_timer;                      // they do not come
static unsigned interrupts, missed;        // of the transmitter: that came, or should have
static u64 progress_ns;                    // when the watch last saw bytes leave; 0: nothing waits
static u32 progress_tail;

bool serial_init(void) {
    u8 status = inb(COM1_PORT + UART_LSR);
    if (status != 0xff && status & LSR_READY) early = inb(COM1_PORT + UART_DATA);
    outb(COM1_PORT + UART_FCR, FCR_ON_AND_CLEAR);
    burst = uart_init(COM1_PORT);
    return burst != 0;
}

// The CPU that ends the machine takes no locks: others have stopped where they were.
static bool serial_alone(void) { return cpus_stopping() && !stop_wanted(); }

static void serial_take(void) {
    if (!serial_alone()) lock_take(&lock);
}

// ---- the transmitter, under the lock ----

// Gives the port what it takes at once. Returns how many bytes that was.
static size_t serial_send(const u8 *bytes, size_t count) {
    size_t sent = 0;
    while (sent < count && inb(COM1_PORT + UART_LSR) & LSR_THRE) {
        size_t part = MIN(burst, count - sent);
        outsb(COM1_PORT, bytes + sent, part);
        sent += part;
    }
    return sent;
}

static void serial_pump(void) {
    while (head != tail) {
        u32 at = tail % RING;
        u32 part = MIN(head - tail, RING - at);
        u32 sent = (u32)serial_send(ring + at, part);
        tail += sent;
        if (sent < part) return;
    }
}

static void serial_append(const u8 *bytes, size_t count) {
    for (size_t part; count > 0; bytes += part, count -= part) {
        part = MIN(count, RING - head % RING);
        memcpy(ring + head % RING, bytes, part);
        head += (u32)part;
    }
}

static bool serial_is_wanted(void) {
    return (waits_for_room && head - tail <= ROOMY) || (waits_for_end && head == tail);
}

// The transmitter interrupts as long as there is something to send, and once more when somebody is
// to be told.
static void serial_enable(void) {
    bool sends = burst && (head != tail || serial_is_wanted());
    u8 wanted = 0;
    if (input) wanted |= IER_RECEIVED;
    if (sends) wanted |= IER_EMPTY;
    if (!started || wanted == enabled) return;
    enabled = wanted;
    outb(COM1_PORT + UART_IER, enabled);
}

// ---- output ----

static void serial_out(const u8 *bytes, size_t count) {
    serial_pump();
    if (head == tail) {
        size_t sent = serial_send(bytes, count);
        bytes += sent;
        count -= sent;
    }
    serial_append(bytes, MIN(count, RING - (head - tail)));
    serial_enable();
}

static u64 serial_look_ns(void) {
    if (by_timer) return TIMER_NS * burst / UART_FIFO;
    return LOOK_NS;
}

static void serial_give(void) {
    bool waits = enabled & IER_EMPTY;
    lock_give(&lock);
    if (waits) watch_by(time_now_ns() + serial_look_ns());
}

void serial_write(const void *bytes, size_t count) {
    if (!burst) return;
    serial_take();
    serial_out(bytes, count);
    serial_give();
}

bool serial_has_room(size_t bytes) {
    if (!burst) return true;
    serial_take();
    bool has = head - tail + bytes <= RING - RESERVE;
    if (!has) waits_for_room = true;
    serial_give();
    return has;
}

bool serial_is_empty(void) {
    serial_take();
    bool is = !burst || (head == tail && inb(COM1_PORT + UART_LSR) & LSR_THRE);
    if (!is) waits_for_end = true;
    serial_give();
    return is;
}

u32 serial_waiting(void) {
    return __atomic_load_n(&head, __ATOMIC_RELAXED) - __atomic_load_n(&tail, __ATOMIC_RELAXED);
}

// Without interrupts: what is in the ring, then what is given. False, and the ring is given up,
// when the port took nothing for so many reads.
static bool serial_poll(const u8 *bytes, size_t count, u32 tries) {
    for (u32 left = tries; burst && head != tail && left > 0; left--) {
        u32 before = tail;
        serial_pump();
        if (tail != before) left = tries;
    }
    bool sent = head == tail;
    tail = head;
    return sent && burst && uart_write(COM1_PORT, bytes, count, burst, tries);
}

// A line of the log, where it shares the port, behind what the program wrote before. It must never
// stop the machine: a port that takes nothing loses it.
void serial_log(const char *text, size_t bytes) {
    if (!burst) return;
    serial_take();
    if (serial_alone()) {
        serial_poll((const u8 *)text, bytes, UART_WAIT_SHORT);
    } else {
        for (u32 tries = WAIT_LOG; RING - (head - tail) < bytes && tries > 0; tries--)
            serial_pump();
        if (RING - (head - tail) >= bytes) serial_out((const u8 *)text, bytes);
    }
    bool waits = enabled & IER_EMPTY;
    lock_give(&lock);
    if (waits) watch_by(1); // at once, since the clock's lock is not to be taken under the log's
}

// Works whatever state the port is in, before serial_init() too. What the program wrote comes
// first; the report begins on a line of its own.
void serial_panic(const char *text, size_t bytes) {
    static bool began, dead;
    if (dead || logwire_is_com1()) return;
    if (!began) burst = uart_init(COM1_PORT);
    if (!began) dead = !serial_poll((const u8 *)"\n", 1, UART_WAIT_SHORT);
    began = true;
    dead = dead || !serial_poll((const u8 *)text, bytes, UART_WAIT_SHORT);
}

void serial_flush(bool patiently) {
    u32 tries = patiently ? WAIT_LONG : UART_WAIT_SHORT;
    serial_take();
    if (serial_poll(NULL, 0, tries)) uart_wait(COM1_PORT, LSR_IDLE, UART_WAIT_SHORT);
    lock_give(&lock);
}

// ---- interrupts ----

static void serial_tell(void) {
    serial_take();
    bool wanted = serial_is_wanted();
    if (wanted) waits_for_room = waits_for_end = false;
    serial_enable();
    serial_give();
    if (wanted) room();
}

// Takes what is there; a port that is always ready must leave time for the rest.
static void serial_receive(void) {
    for (int i = 0; input && i < 4 * UART_FIFO; i++) {
        u8 status = inb(COM1_PORT + UART_LSR);
        if (status & LSR_OVERRUN)
            log_error("COM1: input came faster than it was taken; at least one byte is lost");
        if (!(status & LSR_READY)) return;
        input(inb(COM1_PORT + UART_DATA));
    }
}

// Reading IIR ends the transmitter's interrupt, so it comes before the look at the transmitter. In
// the end all interrupts go off and on, so that the line, of which the PIC sees only edges, rises
// anew for what is left.
static void serial_interrupted(void) {
    u8 cause = inb(COM1_PORT + UART_IIR);
    serial_receive();
    serial_take();
    if ((cause & IIR_CAUSE) == IIR_EMPTY) {
        interrupts++;
        by_timer = false;
    }
    serial_pump();
    serial_enable();
    outb(COM1_PORT + UART_IER, 0);
    outb(COM1_PORT + UART_IER, enabled);
    serial_give();
    serial_tell();
}

// ---- the watch ----

static void serial_dies(void) {
    serial_take();
    burst = 0;
    tail = head;
    lock_give(&lock);
    log_error("COM1 takes no more bytes: the program's output from here on is lost");
    room();
}

// Should an interrupt be lost, this goes on; should none ever come, this takes its place.
static u64 serial_look(u64 now) {
    serial_take();
    u32 before = tail;
    serial_pump();
    if (tail != before && !interrupts) missed++;
    if (tail != progress_tail || !progress_ns) progress_ns = now;
    progress_tail = tail;
    bool is_dead = head != tail && now - progress_ns > DEAD_NS;
    bool turns = missed >= MISSED && !by_timer;
    if (turns) by_timer = true;
    serial_enable();
    bool waits = enabled & IER_EMPTY;
    if (!waits) progress_ns = 0;
    lock_give(&lock);
    if (turns) log("COM1 does not interrupt when it can take bytes: a timer looks after it");
    serial_tell();
    if (is_dead) serial_dies();
    if (!waits) return UINT64_MAX;
    return now + serial_look_ns();
}

bool serial_begin(void (*got)(u8 byte), void (*has_room)(void)) {
    if (!burst) return false;
    room = has_room;
    input = got;
    if (input && early >= 0) input((u8)early);
    interrupt_set(COM1_LINE, serial_interrupted);
    watch_add(serial_look);
    if (logwire_is_com1()) log_set_sink(LOG_WIRE, serial_log);
    serial_take();
    started = true;
    serial_enable();
    serial_give();
    return true;
}
