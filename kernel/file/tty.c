// See tty.h. What Linux's n_tty does, as far as a person at a serial line notices.
#include "kernel/file/tty.h"

#include <asm/signal.h>
#include "kernel/lib/string.h"

#define TTY_END   0x100
#define CTRL(key) ((key)-0x40)
#define DEL       0x7f

void tty_init(struct tty *tty, void (*put)(const void *bytes, size_t count)) {
    static const struct termios settings = {
        // No OPOST | ONLCR, unlike Linux: the line is byte-transparent, and the terminal at its other end translates.
        .c_iflag = ICRNL | IUTF8,
        .c_cflag = B115200 | CS8 | CREAD | HUPCL | CLOCAL,
        .c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
        .c_cc = {[VINTR] = CTRL('C'),
                 [VQUIT] = CTRL('\\'),
                 [VERASE] = DEL,
                 [VKILL] = CTRL('U'),
                 [VEOF] = CTRL('D'),
                 [VMIN] = 1,
                 [VSUSP] = CTRL('Z'),
                 [VWERASE] = CTRL('W')}};
    memset(tty, 0, sizeof *tty);
    tty->settings = settings;
    tty->put = put;
}

static bool is_set(const struct tty *tty, tcflag_t flag) { return tty->settings.c_lflag & flag; }

// Whether byte is the control character; 0 means that there is none.
static bool is_key(const struct tty *tty, u8 byte, int key) { return byte && tty->settings.c_cc[key] == byte; }

void tty_output(const struct tty *tty, const u8 *bytes, size_t count) {
    bool translate = tty->settings.c_oflag & OPOST && tty->settings.c_oflag & ONLCR;
    size_t start = 0;
    for (size_t i = 0; translate && i < count; i++) {
        if (bytes[i] != '\n') continue;
        tty->put(bytes + start, i - start);
        tty->put("\r\n", 2);
        start = i + 1;
    }
    if (count > start) tty->put(bytes + start, count - start);
}

static bool shown_as_pair(const struct tty *tty, u16 byte) {
    return is_set(tty, ECHOCTL) && (byte < ' ' || byte == DEL) && byte != '\n' && byte != '\t';
}

static void echo(const struct tty *tty, u8 byte) {
    if (!is_set(tty, ECHO)) return;
    u8 pair[2] = {'^', byte ^ 0x40};
    tty_output(tty, shown_as_pair(tty, byte) ? pair : &byte, shown_as_pair(tty, byte) ? 2 : 1);
}

// One place stays free for what ends a line, else a full line could never be read.
static void push(struct tty *tty, u16 byte, bool ends_line) {
    if (tty->write - tty->read + (ends_line ? 0 : 1) >= TTY_RING) {
        tty->put("\a", 1);
        return;
    }
    tty->ring[tty->write++ % TTY_RING] = byte;
    if (ends_line || !is_set(tty, ICANON)) tty->ready = tty->write;
    if (byte != TTY_END) echo(tty, (u8)byte);
}

// Takes the last character of the line back, also from the screen: in UTF-8 all its bytes, which are shown as one.
static void erase(struct tty *tty) {
    u16 byte;
    do {
        byte = tty->ring[--tty->write % TTY_RING];
    } while (tty->settings.c_iflag & IUTF8 && (byte & 0xc0) == 0x80 && tty->write != tty->ready);
    if (!is_set(tty, ECHO)) return;
    for (int i = shown_as_pair(tty, byte) ? 2 : 1; i > 0; i--) tty->put("\b \b", 3);
}

// Erases as long as the last byte is a space, or is none.
static void erase_while(struct tty *tty, bool space) {
    while (tty->write != tty->ready && (tty->ring[(tty->write - 1) % TTY_RING] == ' ') == space) erase(tty);
}

static void edit(struct tty *tty, u8 byte) {
    if (is_key(tty, byte, VERASE) || byte == '\b' || byte == DEL) {
        if (tty->write != tty->ready) erase(tty);
    } else if (is_key(tty, byte, VKILL)) {
        while (tty->write != tty->ready) erase(tty);
    } else if (is_key(tty, byte, VWERASE)) {
        erase_while(tty, true);
        erase_while(tty, false);
    } else if (is_key(tty, byte, VEOF)) {
        push(tty, TTY_END, true);
    } else {
        push(tty, byte, byte == '\n' || is_key(tty, byte, VEOL));
    }
}

static int signal_of(const struct tty *tty, u8 byte) {
    if (!is_set(tty, ISIG)) return 0;
    return is_key(tty, byte, VINTR)   ? SIGINT
           : is_key(tty, byte, VQUIT) ? SIGQUIT
           : is_key(tty, byte, VSUSP) ? SIGTSTP
                                      : 0;
}

int tty_input(struct tty *tty, u8 byte) {
    if (byte == '\r' && tty->settings.c_iflag & ICRNL) byte = '\n';
    int signal = signal_of(tty, byte);
    if (signal) {
        echo(tty, byte);
        if (!is_set(tty, NOFLSH)) tty->read = tty->ready = tty->write;
    } else if (is_set(tty, ICANON)) {
        edit(tty, byte);
    } else {
        push(tty, byte, false);
    }
    return signal;
}

void tty_set(struct tty *tty, const struct termios *settings, bool flush) {
    tty->settings = *settings;
    if (flush) tty->read = tty->write;
    if (flush || !is_set(tty, ICANON)) tty->ready = tty->write; // without lines, what was typed can be read at once
}

// Ends after a newline, or at a ^D, which belongs to the line before it and is an end of file only on its own.
static s64 read_line(struct tty *tty, u8 *to, size_t bytes) {
    size_t count = 0;
    while (tty->read != tty->ready) {
        u16 byte = tty->ring[tty->read % TTY_RING];
        if (byte != TTY_END && count == bytes) break;
        tty->read++;
        if (byte == TTY_END) break;
        to[count++] = (u8)byte;
        if (byte == '\n' || is_key(tty, (u8)byte, VEOL)) break;
    }
    return (s64)count;
}

u32 tty_readable(const struct tty *tty) {
    u32 count = tty->ready - tty->read;
    return is_set(tty, ICANON) || count >= tty->settings.c_cc[VMIN] ? count : 0;
}

s64 tty_read(struct tty *tty, u8 *to, size_t bytes) {
    u32 available = tty->ready - tty->read, wanted = tty->settings.c_cc[VMIN];
    if (!bytes) return 0;
    if (is_set(tty, ICANON)) return available ? read_line(tty, to, bytes) : TTY_WAIT;
    if (wanted > bytes) wanted = (u32)bytes;
    if (available < wanted) return TTY_WAIT;
    size_t count = 0;
    while (count < bytes && tty->read != tty->ready) {
        u16 byte = tty->ring[tty->read++ % TTY_RING];
        if (byte != TTY_END) to[count++] = (u8)byte; // an end typed before the mode changed
    }
    return (s64)count;
}
