// Formatting. Beside printf's own ways: %p prints 16 digits and no 0x, a NULL %s prints "null", a
// precision counts for strings alone, and what is not known here (%f, %o, %n and others) is printed
// as it stands.
#include "kernel/lib/print.h"

#include "kernel/lib/string.h"

#define DIGITS 20 // of 2^64 - 1 in decimal, the longest number

struct printer {
    char *to;
    size_t room;   // before the NUL
    size_t length; // of the whole text so far, with what found no room
    va_list args;
};

// What stands between a '%' and its letter.
struct conversion {
    bool left, zeros, prefix; // '-', '0', '#'
    int width, precision;     // precision is -1 when there is none
    int bytes;                // that count of a number
};

static void print_put(struct printer *p, const char *text, size_t bytes) {
    if (p->length < p->room) {
        size_t left = p->room - p->length;
        memcpy(p->to + p->length, text, MIN(bytes, left));
    }
    p->length += bytes;
}

static void print_fill(struct printer *p, const char *with, int count) {
    for (; count > 0; count--) print_put(p, with, 1);
}

// A field: its prefix (none, "-" or "0x") and its text, with blanks before or behind them or zeros
// between.
static void print_field(struct printer *p, const struct conversion *c, const char *prefix,
                        const char *text, size_t bytes) {
    size_t prefix_bytes = strlen(prefix);
    int missing = c->width - (int)(prefix_bytes + bytes);
    if (!c->left && !c->zeros) print_fill(p, " ", missing);
    print_put(p, prefix, prefix_bytes);
    if (!c->left && c->zeros) print_fill(p, "0", missing);
    print_put(p, text, bytes);
    if (c->left) print_fill(p, " ", missing);
}

static void print_digits(struct printer *p, const struct conversion *c, const char *prefix,
                         u64 number, unsigned base, const char *figures) {
    char digits[DIGITS];
    char *first = digits + DIGITS;
    do {
        *--first = figures[number % base];
        number /= base;
    } while (number);
    print_field(p, c, prefix, first, (size_t)(digits + DIGITS - first));
}

// The next argument, of which as many bytes count as the conversion says.
static u64 print_argument(struct printer *p, const struct conversion *c, bool is_signed) {
    int unused = 64 - 8 * c->bytes;
    u64 number;
    if (c->bytes == sizeof(u64))
        number = va_arg(p->args, u64);
    else
        number = va_arg(p->args, unsigned);
    number <<= unused;
    if (is_signed) return (u64)((s64)number >> unused);
    return number >> unused;
}

static void print_string(struct printer *p, struct conversion *c) {
    const char *text = va_arg(p->args, const char *);
    if (!text) text = "null";
    c->zeros = false;
    size_t most = SIZE_MAX;
    if (c->precision >= 0) most = (size_t)c->precision;
    print_field(p, c, "", text, strnlen(text, most));
}

static void print_decimal(struct printer *p, const struct conversion *c, bool is_signed) {
    u64 number = print_argument(p, c, is_signed);
    const char *sign = "";
    if (is_signed && (s64)number < 0) {
        sign = "-";
        number = -number;
    }
    print_digits(p, c, sign, number, 10, "0123456789");
}

static void print_hexadecimal(struct printer *p, const struct conversion *c, const char *figures) {
    u64 number = print_argument(p, c, false);
    const char *prefix = "";
    if (c->prefix && number) prefix = "0x";
    print_digits(p, c, prefix, number, 16, figures);
}

// Reads a width or a precision: digits or '*'. Returns what stands behind it.
static const char *print_read_count(struct printer *p, const char *fmt, int *count) {
    *count = 0;
    if (*fmt == '*') {
        *count = va_arg(p->args, int);
        return fmt + 1;
    }
    for (; *fmt >= '0' && *fmt <= '9'; fmt++) *count = *count * 10 + (*fmt - '0');
    return fmt;
}

// Reads what stands between '%' and the letter; returns where the letter is.
static const char *print_read_conversion(struct printer *p, const char *fmt, struct conversion *c) {
    *c = (struct conversion){.precision = -1, .bytes = sizeof(int)};
    for (;; fmt++) {
        if (*fmt == '-')
            c->left = true;
        else if (*fmt == '0')
            c->zeros = true;
        else if (*fmt == '#')
            c->prefix = true;
        else
            break;
    }
    fmt = print_read_count(p, fmt, &c->width);
    if (*fmt == '.') fmt = print_read_count(p, fmt + 1, &c->precision);
    for (; *fmt == 'h'; fmt++) c->bytes /= 2;
    for (; *fmt == 'l' || *fmt == 'z'; fmt++) c->bytes = sizeof(u64);
    return fmt;
}

// Prints the conversion behind a '%'; returns what follows it.
static const char *print_convert(struct printer *p, const char *fmt) {
    struct conversion c;
    const char *letter = print_read_conversion(p, fmt, &c);
    switch (*letter) {
    case 's': print_string(p, &c); break;
    case 'd':
    case 'i': print_decimal(p, &c, true); break;
    case 'u': print_decimal(p, &c, false); break;
    case 'x': print_hexadecimal(p, &c, "0123456789abcdef"); break;
    case 'X': print_hexadecimal(p, &c, "0123456789ABCDEF"); break;
    case 'p':
        c = (struct conversion){.zeros = true, .width = 16, .bytes = sizeof(u64)};
        print_hexadecimal(p, &c, "0123456789abcdef");
        break;
    case 'c': {
        char character = (char)va_arg(p->args, int);
        print_field(p, &c, "", &character, 1);
        break;
    }
    case '%': print_put(p, "%", 1); break;
    default: print_put(p, "%", 1); return fmt;
    }
    return letter + 1;
}

// Like vsnprintf: writes at most size bytes including the NUL, and returns the length the whole
// text would have.
int vformat(char *to, size_t size, const char *fmt, va_list args) {
    struct printer p = {.to = to};
    if (size) p.room = size - 1;
    va_copy(p.args, args);
    while (*fmt) {
        const char *end = fmt;
        while (*end && *end != '%') end++;
        print_put(&p, fmt, (size_t)(end - fmt));
        fmt = end;
        if (*end) fmt = print_convert(&p, end + 1);
    }
    va_end(p.args);
    if (size) to[MIN(p.length, p.room)] = '\0';
    return (int)p.length;
}

int format(char *to, size_t size, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    int length = vformat(to, size, fmt, args);
    va_end(args);
    return length;
}
