// Formatting by stb_sprintf, which needs about 1.2 KiB of stack and reads up to 3 bytes behind a string's end, but
// never into another page: it reads aligned words. Unlike printf, %p prints 16 digits and no 0x, a NULL %s prints
// "null", and there is no %f and the like.
#include "kernel/lib/print.h"

#include <limits.h>

#define STB_SPRINTF_IMPLEMENTATION
#define STB_SPRINTF_STATIC
#define STB_SPRINTF_NOFLOAT
#define STB_SPRINTF_NOUNALIGNED // the other way is undefined behaviour, and UBSan says so
#include <stb/stb_sprintf.h>

int vformat(char *to, size_t size, const char *fmt, va_list args) {
    if (!size) to = NULL; // with a buffer of no bytes stb_sprintf would write its NUL in front of it
    return stbsp_vsnprintf(to, size > INT_MAX ? INT_MAX : (int)size, fmt, args);
}

int format(char *to, size_t size, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    int length = vformat(to, size, fmt, args);
    va_end(args);
    return length;
}
