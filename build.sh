#!/bin/sh
# Everything one does with vmos, one short function per command; "./build.sh help" lists them. All products go to out/.
set -eu
[ -e /proc/$$/fd/0 ] || exec </dev/null # standard input was closed, and files opened below would take its place

caller=$PWD # names of programs are relative to where the user stands
cd "$(dirname "$(readlink -f "$0")")"

usage() {
    echo "build.sh: $1 (./build.sh help lists the commands)" >&2
    exit 2
}

fail() {
    echo "build.sh: $1" >&2
    exit 125
}

. tools/sh/packages.sh
. tools/sh/compile.sh
. tools/sh/image.sh
. tools/sh/run.sh
. tools/sh/debug.sh
. tools/sh/stick.sh
. tools/sh/symbols.sh
. tools/sh/bench.sh
. tools/sh/check.sh

# What vmos would do with the memory map in a file; its names are relative to where the user stands.
memmap() {
    need build
    build
    tree=$PWD
    cd "$caller"
    exec "$tree/out/memmap" --kernel "$tree/out/kernel.strip" "$@"
}

# How much stack the kernel's functions and chains of calls need, at most, by gcc's own call graph.
stack() {
    need build
    build
    # shellcheck disable=SC2046 # lists of names
    out/stackuse tools/stackuse.txt $(objects_of $(find kernel -name '*.c') | sed 's/$/.ci/')
}

# The table of system calls: prints it, or (page) writes it into its page, where all lines that begin with | are it.
calls() {
    need build
    build
    case ${1-} in
    '') exec out/calls ;;
    page) ;;
    *) usage "calls, or calls page" ;;
    esac
    page=kernel/call/README.md
    out/calls page >out/calls.md
    awk '!/^\|/ { print; next } !done++ { while ((getline line <"out/calls.md") > 0) print line }' $page >out/page.md
    cmp -s out/page.md $page || cat out/page.md >$page
}

tests() {
    # All at once, also what a test's own build.sh would install: two of them would want apt at the same time.
    need build run bochs debug check test busybox lua sqlite3
    for word; do
        case $word in all | releases*) need releases ;; esac
    done
    build
    exec python3 test/run.py "$@"
}

# Prints two counts: lines that hold something, comments included, and all lines.
lines_of_code() {
    find boot loader kernel tools vdso \( -name '*.[ch]' -o -name '*.asm' \) -exec cat {} + |
        awk 'NF { held++ } END { print held " lines of C and assembly without tests, " NR " with blank ones" }'
}

help() {
    cat <<END
./build.sh run [OPTION]... [PROGRAM [ARG...]]      boot PROGRAM (else the demo) in QEMU. stdout: what it prints; log:
                                        out/run.log. Status: the program's, 128+n for signal n, 125 when vmos or QEMU
                                        failed, 2 for wrong usage, 130 after Ctrl-C. QEMU_OPTS: more words for QEMU
                                        OPTION: --env K=V, for PROGRAM's environment; --set WORD, one of the image's
                                        command line (tools/README.md): mem=N cpus=N quiet timeline after=WHAT ...
./build.sh program busybox | lua | sqlite3         make one of Debian's programs, static, as out/programs/NAME
./build.sh image [OPTION]... PROGRAM [ARG...]      write out/vmos.img, out/vmos.iso and, when it fits, out/vmos-floppy.img
./build.sh bochs [OPTION]... [PROGRAM [ARG...]]    the same as run, in Bochs; its COM1 is shown at the end
./build.sh debug [OPTION]... [PROGRAM [ARG...]]    gdb on QEMU, stopped at the boot sector, with all symbols;
                                        tools/README.md has a walk; what the program prints is shown at the end
./build.sh debug wait [the same]        QEMU alone, with the program's terminal; it says how to start gdb elsewhere
./build.sh debug bochs [the same]       the same in the debugger of Bochs
./build.sh memmap FILE [--image FILE] [--mem N] [--no-1g] [--bare]   how vmos would lay out a machine's memory (tools/README.md)
./build.sh usb [--fixed] DEVICE [IMAGE]            write out/vmos.img, or IMAGE, to a stick: asks, writes, reads back
./build.sh verify IMAGE|DEVICE                     check what was written, and say what a BIOS would do with it
./build.sh words IMAGE|DEVICE [+WORD|-KEY]... [-- ARG0 [ARG...]]   print the words of an image's command line, or change them
./build.sh bench                                   all of these, and out/bench.md, which holds their tables
./build.sh bench boot                              vmos next to Debian's cloud kernel and the firmware alone; stages; CPUs
./build.sh bench calls                             system calls, faults, switches: instructions, vmos and Linux
./build.sh bench stages [PROGRAM [ARG...]]         instructions and BIOS calls per stage, up to PROGRAM's main
./build.sh bench cpus [COUNT...]                   instructions that each of 1 and COUNT CPUs takes until it has checked in
./build.sh bench frames                            the frame allocator: ns, and units of one lock xadd
./build.sh calls [page]                            the table of system calls: full, partial and what is missing, ignored,
                                        absent; page: writes it into kernel/call/README.md
./build.sh stack                                   the functions that use most stack; the deepest chains of calls
./build.sh test [all] [NAME...]                    the tests, or those whose name contains a NAME; all: with the long ones
./build.sh check                                   formatting, static analysis, forbidden instructions
./build.sh build | clean | help
$(lines_of_code)
END
}

command=${1-help}
[ $# = 0 ] || shift
case $command in
run | image | program | debug | bench | memmap | calls | stack | verify | words | usb | check | help) "$command" "$@" ;;
object | analyze | plugin_longest | usb_refusal | usb_write) "$command" "$@" ;; # for this script itself, and for tests
bochs) bochs_run "$@" ;;
test) tests "$@" ;;
build) need build && build ;;
clean) rm -rf out ;;
*) usage "unknown command $command" ;;
esac
