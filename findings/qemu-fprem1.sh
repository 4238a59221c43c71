#!/bin/sh
# QEMU 1:7.2+dfsg-7+deb12u18 (TCG): FPREM1 gives the right remainder, but not the quotient's bits.
#
# Guess: FPREM1 is FPREM with the quotient rounded to nearest, so C0, C3 and C1 hold the quotient's lowest three bits
#   (Intel SDM 2A, FPREM1), as QEMU has them for FPREM.
# Seen: 5 / 3 leaves the remainder -1, so the quotient was 2, but its bits read 0; so for 7 / 2, 9 / 3 and 10 / 4.
# Why it matters: remquo() of C libraries for x86 is made of this instruction; argument reduction by it takes the wrong
#   octant, and a test suite fails in the emulator only.
. "$(dirname "$0")/common.sh"
fetch "qemu-user-static=1:7.2+dfsg-7+deb12u18+b3"
cat >"$tmp/p.c" <<'END'
#include <stdio.h>
static void one(int by, long double x, long double y) {
    unsigned short status;
    long double rest;
    if (by) __asm__ volatile("fprem1\n\tfnstsw %1" : "=t"(rest), "=a"(status) : "0"(x), "u"(y));
    else __asm__ volatile("fprem\n\tfnstsw %1" : "=t"(rest), "=a"(status) : "0"(x), "u"(y));
    printf("%g/%g=%d rest %g; ", (double)x, (double)y, (status >> 8 & 1) << 2 | (status >> 14 & 1) << 1 | (status >> 9 & 1),
           (double)rest);
}
int main(int argc, char **argv) {
    (void)argv;
    one(argc > 1, 5, 3), one(argc > 1, 7, 2), one(argc > 1, 9, 3), one(argc > 1, 10, 4);
    return 0;
}
END
gcc -static -O1 "$tmp/p.c" -o "$tmp/p"
qemu=$tmp/root/usr/bin/qemu-x86_64-static
expect "FPREM in QEMU" "$("$qemu" "$tmp/p")" "5/3=1 rest 2; 7/2=3 rest 1; 9/3=3 rest 0; 10/4=2 rest 2; "
expect "FPREM1 in QEMU" "$("$qemu" "$tmp/p" 1)" "5/3=0 rest -1; 7/2=0 rest -1; 9/3=0 rest 0; 10/4=0 rest 2; "
case $(uname -m) in
x86_64) expect "FPREM1 on this CPU" "$("$tmp/p" 1)" "5/3=2 rest -1; 7/2=4 rest -1; 9/3=3 rest 0; 10/4=2 rest 2; " ;;
esac
