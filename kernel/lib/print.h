// Formatting, with formats that the compiler checks.
#pragma once

#include <stdarg.h>
#include "kernel/lib/types.h"

int format(char *to, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);
int vformat(char *to, size_t size, const char *fmt, va_list args);
