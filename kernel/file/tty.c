// The line discipline (file.h): what Linux's n_tty does, as far as a person at a serial line
// notices. Pure: echo and output leave through a function, signals come back as a result.
#include "kernel/file/file.h"

#include <asm/signal.h>

#define TTY_END   0x100        // its lower byte is what it reads as without lines
#define TENTH     100000000ull // of a second, in ns: what VTIME counts
#define CTRL(key) (0x1f & (key))
#define DEL       0x7f

void tty_init(struct tty *tty, void (*put)(const void *bytes, size_t count)) {
    // clang-format off
    static const struct termios settings = {
        // No OPOST | ONLCR, unlike Linux: the line is byte-transparent, and the terminal at its
        // other end translates.
        .c_iflag = ICRNL | IUTF8,
        .c_cflag = B115200 | CS8 | CREAD | HUPCL | CLOCAL,
        .c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
        .c_cc = {[VINTR] = CTRL('C'), [VQUIT] = CTRL('\\'), [VSUSP] = CTRL('Z'), [VEOF] = CTRL('D'),
                 [VMIN] = 1, [VERASE] = DEL, [VKILL] = CTRL('U'), [VWERASE] = CTRL('W')}};
    // clang-format on
    tty->settings = settings;
    tty->put = put;
    tty->read = tty->ready = tty->write = 0; // nothing else of the ring is ever read
}

static bool tty_is_set(const struct tty *tty, tcflag_t flag) {
    return tty->settings.c_lflag & flag;
}

// Whether byte is the control character; 0 means that there is none.
static bool tty_is_key(const struct tty *tty, u8 byte, int key) {
    return byte && tty->settings.c_cc[key] == byte;
}

void tty_output(const struct tty *tty, const u8 *bytes, size_t count) {
    bool translate = tty->settings.c_oflag & OPOST && tty->settings.c_oflag & ONLCR;
    for (size_t part; count > 0; bytes += part, count -= part) {
        for (part = 0; part < count && !(translate && bytes[part] == '\n');) part++;
        if (part) {
            tty->put(bytes, part);
        } else {
            tty->put("\r\n", 2);
            part = 1;
        }
    }
}

static bool tty_shown_as_pair(const struct tty *tty, u16 byte) {
    if (!tty_is_set(tty, ECHOCTL) || byte == '\n' || byte == '\t') return false;
    return byte < ' ' || byte == DEL;
}

static void tty_echo(const struct tty *tty, u8 byte) {
    if (!tty_is_set(tty, ECHO)) return;
    u8 pair[2] = {'^', byte ^ 0x40};
    if (tty_shown_as_pair(tty, byte))
        tty_output(tty, pair, 2);
    else
        tty_output(tty, &byte, 1);
}

// One place stays free for what ends a line, else a full line could never be read.
static void tty_push(struct tty *tty, u16 byte, bool ends_line) {
    u32 most = TTY_RING - 1;
    if (ends_line) most = TTY_RING;
    if (tty->write - tty->read >= most) {
        tty->put("\a", 1);
        return;
    }
    tty->ring[tty->write++ % TTY_RING] = byte;
    if (ends_line || !tty_is_set(tty, ICANON)) tty->ready = tty->write;
    if (byte != TTY_END) tty_echo(tty, (u8)byte);
}

// Takes the last character of the line back, also from the screen: in UTF-8 all its bytes, which
// are shown as one.
static void tty_erase(struct tty *tty) {
    u16 byte;
    do {
        byte = tty->ring[--tty->write % TTY_RING];
    } while (tty->settings.c_iflag & IUTF8 && (byte & 0xc0) == 0x80 && tty->write != tty->ready);
    if (!tty_is_set(tty, ECHO)) return;
    tty->put("\b \b", 3);
    if (tty_shown_as_pair(tty, byte)) tty->put("\b \b", 3);
}

static bool tty_can_erase(const struct tty *tty) { return tty->write != tty->ready; }
static bool tty_at_space(const struct tty *tty) {
    return tty->ring[(tty->write - 1) % TTY_RING] == ' ';
}

static void tty_edit(struct tty *tty, u8 byte) {
    if (tty_is_key(tty, byte, VERASE) || byte == '\b' || byte == DEL) {
        if (tty_can_erase(tty)) tty_erase(tty);
    } else if (tty_is_key(tty, byte, VKILL)) {
        while (tty_can_erase(tty)) tty_erase(tty);
    } else if (tty_is_key(tty, byte, VWERASE)) {
        while (tty_can_erase(tty) && tty_at_space(tty)) tty_erase(tty);
        while (tty_can_erase(tty) && !tty_at_space(tty)) tty_erase(tty);
    } else if (tty_is_key(tty, byte, VEOF)) {
        tty_push(tty, TTY_END, true);
    } else {
        tty_push(tty, byte, byte == '\n' || tty_is_key(tty, byte, VEOL));
    }
}

int tty_input(struct tty *tty, u8 byte) {
    static const struct {
        int key, signal;
    } signals[] = {{VINTR, SIGINT}, {VQUIT, SIGQUIT}, {VSUSP, SIGTSTP}};
    if (byte == '\r' && tty->settings.c_iflag & ICRNL) byte = '\n';
    for (size_t i = 0; tty_is_set(tty, ISIG) && i < ARRAY_SIZE(signals); i++) {
        if (!tty_is_key(tty, byte, signals[i].key)) continue;
        tty_echo(tty, byte);
        if (!tty_is_set(tty, NOFLSH)) tty->read = tty->ready = tty->write;
        return signals[i].signal;
    }
    if (tty_is_set(tty, ICANON))
        tty_edit(tty, byte);
    else
        tty_push(tty, byte, false);
    return 0;
}

void tty_set(struct tty *tty, const struct termios *settings, bool flush) {
    tty->settings = *settings;
    if (flush) tty->read = tty->write;
    if (flush || !tty_is_set(tty, ICANON))
        tty->ready = tty->write; // without lines, what was typed can be read at once
}

// With VMIN and without VTIME so many bytes are wanted at once; in all other cases one is enough.
bool tty_readable(const struct tty *tty) {
    u32 minimum = 1;
    if (!tty_is_set(tty, ICANON) && !tty->settings.c_cc[VTIME])
        minimum = MAX(tty->settings.c_cc[VMIN], 1u);
    return tty->ready - tty->read >= minimum;
}

u32 tty_waiting(const struct tty *tty) {
    u32 count = 0;
    for (u32 at = tty->read; at != tty->ready; at++)
        if (tty->ring[at % TTY_RING] != TTY_END) count++;
    if (tty_is_set(tty, ICANON)) return count;
    return tty->ready - tty->read;
}

// What a read waits for is settled when it begins, also if the settings change meanwhile
// (termios(3)): with VMIN for so many bytes, and with VTIME too for the next one no longer than
// that; with VTIME alone for one byte, that long at most; with neither for nothing; in canonical
// mode for a line.
static void tty_begin(const struct tty *tty, struct tty_reader *reader, u64 now) {
    u64 time = tty->settings.c_cc[VTIME] * TENTH;
    reader->begun = true;
    reader->deadline = ~0ull;
    if (tty_is_set(tty, ICANON)) return;
    reader->minimum = MAX(tty->settings.c_cc[VMIN], 1u);
    if (tty->settings.c_cc[VMIN])
        reader->between = time;
    else
        reader->deadline = now + time;
}

// A line ends after a newline, or at a ^D, which belongs to the line before it and is an end of
// file only on its own. Without lines a ^D was typed before the mode changed: it is a zero.
static size_t tty_take(struct tty *tty, u8 *to, size_t bytes) {
    bool lines = tty_is_set(tty, ICANON);
    size_t count = 0;
    while (tty->read != tty->ready) {
        u16 byte = tty->ring[tty->read % TTY_RING];
        bool is_end = lines && byte == TTY_END;
        if (!is_end && count == bytes) break;
        tty->read++;
        if (is_end) break;
        to[count++] = (u8)byte;
        bool ends_line = byte == '\n' || tty_is_key(tty, (u8)byte, VEOL);
        if (lines && ends_line) break;
    }
    return count;
}

size_t tty_read(struct tty *tty, struct tty_reader *reader, u8 *to, size_t bytes, u64 now) {
    if (!reader->begun) tty_begin(tty, reader, now);
    if (tty->read == tty->ready) {
        reader->over = reader->deadline <= now;
        return 0;
    }
    size_t count = tty_take(tty, to, bytes);
    reader->done += count;
    reader->over = reader->done >= reader->minimum || count == bytes;
    if (reader->between) reader->deadline = now + reader->between;
    return count;
}
