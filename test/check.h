// The whole test framework of the host tests: CHECK counts and names what failed, check_done ends
// main.
#pragma once

#include <stdio.h>

static int checks_failed, checks_made;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        checks_made++;                                                                             \
        if (!(condition)) {                                                                        \
            if (checks_failed++ < 10) /* the first few tell */                                     \
                fprintf(stderr, "%s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #condition);      \
        }                                                                                          \
    } while (0)

static inline int check_done(const char *name) {
    printf("%s: %d checks, %d failed\n", name, checks_made, checks_failed);
    return checks_failed || !checks_made;
}
