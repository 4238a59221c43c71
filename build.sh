#!/bin/sh
# Everything one does with vmos, one short function per command; "./build.sh help" lists them. All products go to out/.
set -eu
[ -e /proc/$$/fd/0 ] || exec </dev/null # standard input was closed, and files opened below would take its place

caller=$PWD # names of programs are relative to where the user stands
cd "$(dirname "$(readlink -f "$0")")"

flags="-std=gnu11 -O2 -g -I. -Wall -Wextra -Wshadow -Wvla"
# No vector registers, since they hold the program's state; no red zone, since an interrupt would write over it; the stack
# aligned to 8 bytes, since only vector registers want more.
freestanding="-ffreestanding -fpie -fvisibility=hidden -mno-red-zone -mgeneral-regs-only -fno-stack-protector
    -fcf-protection=none -fno-asynchronous-unwind-tables -fno-omit-frame-pointer -ffunction-sections
    -mpreferred-stack-boundary=3"

usage() {
    echo "build.sh: $1 (./build.sh help lists the commands)" >&2
    exit 2
}

fail() {
    echo "build.sh: $1" >&2
    exit 125
}

# The versions of tools that the tree was written for: those of Debian 12. Whatever they say is an error. What another
# version alone says is shown and fails nothing, so that a new release of a tool breaks no build.
versions="
gcc 12.
nasm 2.16.01
clang-format 14.
shellcheck 0.9.
cppcheck 2.10
"

# named TOOL: whether its version is that one.
named() {
    version=$(echo "$versions" | sed -n "s/^$1 //p" | sed 's/[.]/[.]/g')
    "$1" --version | grep -Eq "(^| )$version([0-9]+[.]?)*\$"
}

# The flags of warnings, for this script and those it starts.
warnings() {
    gcc_warnings=
    nasm_warnings=
    ! named gcc || gcc_warnings=-Werror
    ! named nasm || nasm_warnings="-Wall -Werror" # later versions have warnings about relocations in -Wall
    export gcc_warnings nasm_warnings
}

# ---- packages -------------------------------------------------------------------------------------------------------

# What each package is there for, and the command, the files or the header by which one sees that it is. The compiler
# is asked for headers, since releases have them in different places.
packages="
build gcc gcc
build ld binutils
build nasm nasm
build musl-gcc musl-tools
build <stdio.h> libc6-dev
build <bsd/sys/tree.h> libbsd-dev
run qemu-system-x86_64 qemu-system-x86
bochs bochs bochs
bochs /usr/share/bochs/BIOS-bochs-latest bochsbios
bochs /usr/share/vgabios/vgabios.bin vgabios
bochs /usr/lib/*/bochs/plugins/libbx_term_gui.so bochs-term
check clang-format clang-format
check shellcheck shellcheck
check cppcheck cppcheck
test busybox busybox-static
test clang clang
test /usr/lib/llvm-*/lib/clang/*/lib/*/libclang_rt.fuzzer*.a libclang-rt-dev
test g++ g++
test /usr/lib/*/liblzma.a liblzma-dev
test /usr/lib/*/libjemalloc.a libjemalloc-dev
busybox busybox busybox-static
lua /usr/include/lua5.4/lua.h liblua5.4-dev
sqlite3 /usr/include/sqlite3.h libsqlite3-dev
debug gdb gdb
test python3 python3
test /sbin/losetup mount
test /sbin/mkfs.ext4 e2fsprogs
bench python3 python3
releases /usr/sbin/debootstrap debootstrap
"

# need PURPOSE...: installs what is missing for these. A machine that has everything sees no apt, no sudo, no network.
need() {
    missing=$(echo "$packages" | while read -r purpose what package; do
        case " $* " in *" ${purpose:-none} "*) ;; *) continue ;; esac
        # shellcheck disable=SC2086 # a pattern
        case $what in
        /*) ls $what >/dev/null 2>&1 || echo "$package" ;;
        "<"*) echo "#include $what" | gcc -E - >/dev/null 2>&1 || echo "$package" ;;
        *) command -v "$what" >/dev/null || echo "$package" ;;
        esac
    done)
    [ -n "$missing" ] || return 0
    missing=$(echo "$missing" | tr '\n' ' ')
    command -v apt-get >/dev/null || fail "these Debian packages are missing, and there is no apt-get: $missing"
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    echo "build.sh: installing what is missing: $missing" >&2
    # shellcheck disable=SC2086 # lists of words
    { $sudo apt-get update && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        -o DPkg::Lock::Timeout=300 $missing; } >&2 </dev/null || fail "apt-get could not install: $missing"
}

# ---- building -------------------------------------------------------------------------------------------------------

object_of() {
    echo "out/obj/$(echo "$1" | tr / .).o" # traps.c and traps.asm are two
}

# A number of boot/layout.h.
layout() {
    awk -v name="$1" '$2 == name { print $3 }' boot/layout.h
}

assemble() {
    # shellcheck disable=SC2086 # a list of flags
    nasm $nasm_warnings -Iout/ "$@"
}

# Compiles one source of the loader or the kernel; called by compile(), one process per source.
object() {
    object=$(object_of "$1")
    # Small, but for what runs for every byte, system call or switch. Loops in memcpy must not become calls of it.
    case $1 in
    kernel/lib/string.c) extra=-fno-tree-loop-distribute-patterns ;;
    kernel/lib/crc32c.c) extra= ;;
    kernel/cpu/traps.c | kernel/program/program.c | kernel/program/scheduler.c) extra=-Os ;;
    kernel/memory/frames.c | kernel/program/sorted.c | kernel/program/queue.c | kernel/program/futex.c) extra=-Os ;;
    *) extra=-Oz ;;
    esac
    # shellcheck disable=SC2086 # lists of flags
    case $1 in
    *.c) gcc $flags $gcc_warnings $freestanding $extra -fcallgraph-info=su -c "$1" -o "$object.new" ;;
    *.asm) assemble -f elf64 -g "$1" -o "$object.new" ;;
    esac
    mv "$object.new" "$object"
}

# Compiles, in parallel, the sources that have no object.
compile() {
    for source; do
        [ -e "$(object_of "$source")" ] || echo "$source"
    done | xargs -r -P "$(nproc)" -n 1 ./build.sh object
}

# Removes the objects that no longer fit their sources: all of them when a header or this script changed.
outdate() {
    case "$1 " in
    *.h* | *font.txt* | *vdso/* | *build.sh*) rm -rf out/obj ;;
    *) for source in $1; do rm -f "$(object_of "$source")"; done ;;
    esac
    mkdir -p out/obj
}

link_loader() {
    gcc -E -P -x c -I. loader/loader.ld -o out/loader.ld # for the numbers of boot/layout.h
    objects=$(for source in "$@"; do object_of "$source"; done)
    # shellcheck disable=SC2086 # a list of names
    ld --gc-sections -z noexecstack --build-id=none -T out/loader.ld $objects -o out/loader.elf -Map out/loader.map
    objcopy -O binary out/loader.elf out/loader.bin
    sectors=-DLOADER_SECTORS=$(($(wc -c <out/loader.bin) / 512))
    assemble -f bin "$sectors" -l out/start.lst boot/start.asm -o out/start.bin
    assemble -f bin "$sectors" -DCD -l out/start-cd.lst boot/start.asm -o out/start-cd.bin
    # The first with symbols, for debuggers; "org" is a directive of flat files only, and the place for the label "mbr".
    assemble -f elf64 -g "$sectors" --before '%macro org 1' --before 'mbr:' --before '%endmacro' \
        boot/start.asm -o out/start.o
    ld -Ttext="$(layout MBR)" -e "$(layout MBR)" out/start.o -o out/start.elf
}

link_vdso() {
    nasm -f elf64 -Wall -Werror vdso/vdso.asm -o out/vdso.o
    ld -shared -s -soname=linux-vdso.so.1 --hash-style=both --build-id=none -z noexecstack -T vdso/vdso.ld out/vdso.o \
        -o out/vdso.so
}

# The table of kernel/lib/names.h, for NASM. Names with a dot in front are NASM's inner labels, which tell nobody where
# they are.
names_of_kernel() {
    nm -n out/kernel.elf | awk '$3 == "kernel_text_end" { end = $1; next }
        $2 ~ /[tT]/ && $3 !~ /^\./ { start[count] = $1; name[count++] = $3 }
        END {
            start[count] = end
            print "dd", count ", 0x" start[0]
            for (i = 0; i < count; i++) print "dw 0x" start[i + 1] " - 0x" start[i]
            for (i = 0; i < count; i++) print "db \"" name[i] "\", 0"
        }'
}

link_kernel() {
    objects=$(for source in "$@"; do object_of "$source"; done)
    # shellcheck disable=SC2086 # a list of names
    ld --gc-sections -pie --no-dynamic-linker -z text -z noexecstack -z pack-relative-relocs --build-id=none \
        -T kernel/kernel.ld $objects -o out/kernel.elf -Map out/kernel.map
    names_of_kernel >out/names.asm
    assemble -f bin out/names.asm -o out/kernel.names
    objcopy --strip-all --add-section .names=out/kernel.names out/kernel.elf out/kernel.strip
}

# The loader comes first, since start.asm wants to know its length.
build_all() {
    warnings
    sed -n 's|//|;|; s|^#define|%define|p' boot/layout.h >out/layout.inc
    # The names of all system calls in the order of their numbers, as C strings; "" where there is none.
    echo '#include <asm/unistd_64.h>' | gcc -E -dM - | awk '
        /^#define __NR_/ { name[$3] = substr($2, 6); if ($3 > last) last = $3 + 0 }
        END { for (i = 0; i <= last; i++) printf "\"%s\\0\"\n", name[i] }' >out/names.inc
    # The font's pictures, side by side and 16 rows each, as one C initializer of 16 bytes each.
    awk 'length($1) != 8 || $1 !~ /^[#.]*$/ { next }
        { for (i = 1; i <= NF; i++) {
              for (bits = x = 0; x < 8; x++) bits = bits * 2 + (substr($i, x + 1, 1) == "#")
              glyph[i] = glyph[i] bits "," } }
        ++rows % 16 == 0 { for (i = 1; i in glyph; i++) { print "{" glyph[i] "},"; delete glyph[i] } }
        ' kernel/device/font.txt >out/font.inc
    link_vdso
    loader=$(find loader kernel/lib -name '*.c' -o -path 'loader/*.asm' | sort)
    loader="$loader kernel/cpu/reference.c kernel/device/logwire.c kernel/device/emulator.c kernel/memory/e820.c"
    kernel=$(find kernel -name '*.c' -o -name '*.asm' | sort)
    # shellcheck disable=SC2086 # lists of names and flags
    {
        # shellcheck disable=SC2046
        compile $(printf '%s\n' $loader $kernel | sort -u)
        link_loader $loader
        link_kernel $kernel
        parts="tools/medium.c tools/table.c tools/iso.c loader/image.c kernel/lib/crc32c.c kernel/lib/elf.c
            kernel/lib/options.c"
        for tool in mkimage verify words; do
            gcc $flags $gcc_warnings tools/$tool.c $parts -o out/$tool
        done
        gcc $flags $gcc_warnings tools/memmap.c kernel/memory/plan.c kernel/memory/e820.c kernel/memory/mtrr.c kernel/memory/linear.c \
            $parts -o out/memmap
        gcc $flags $gcc_warnings -fno-builtin-log tools/stackuse.c -o out/stackuse # the kernel has a log() of its own
    }
    musl-gcc -static -std=gnu11 -O2 -Wall -Wextra $gcc_warnings tools/demo.c -o out/demo
}

# Builds what changed since the last build that came to its end. Two builds in one tree wait for each other.
build() {
    { mkdir -p out && touch out/.lock; } || fail "cannot write to $PWD/out"
    exec 9>out/.lock
    flock 9
    changed="boot/layout.h"
    [ ! -e out/.built ] || changed=$(find boot loader kernel tools vdso build.sh -newer out/.built \
        \( -type d -o -name '*.[ch]' -o -name '*.asm' -o -name '*.ld' -o -name font.txt -o -name build.sh \))
    if [ -n "$changed" ]; then
        trap 'exit 125' EXIT # vmos failed, whatever the compiler's status
        touch out/.building
        outdate "$changed"
        build_all
        mv out/.building out/.built
        trap - EXIT
    fi
    exec 9>&-
}

# ---- images and runs ------------------------------------------------------------------------------------------------

# How many of the words in front belong to options, "--env K=V" and "--set WORD"; ends with 2 on any other option and on
# a bad PROGRAM.
check_words() {
    words=0
    option=
    for word; do
        case $option=$word in
        --env=*?=* | --set=[!-]*) option= ;;
        --env=*) usage "--env wants NAME=VALUE, not '$word'" ;;
        --set=*) usage "--set wants a word for the command line, not '$word'" ;;
        =--env | =--set) option=$word ;;
        =--) words=$((words + 1)); break ;;
        =-*) usage "unknown option $word" ;;
        *) break ;;
        esac
        words=$((words + 1))
    done
    [ -z "$option" ] || usage "$option wants a value"
    shift "$words"
    [ $# = 0 ] || { [ -f "$(path_of "$1")" ] && [ -r "$(path_of "$1")" ]; } || usage "$1 is not a readable file"
}

path_of() {
    case $1 in /*) echo "$1" ;; *) echo "$caller/$1" ;; esac
}

# image_of "MKIMAGE OPTION..." [--env K=V]... [--set WORD]... [--] [PROGRAM [ARG...]]: calls mkimage; the demo stands in for
# no PROGRAM. Ends with 2 when mkimage refuses a word.
image_of() {
    options=$1
    shift
    check_words "$@"
    if [ $# = "$words" ]; then
        program=out/demo
        set -- "$@" demo
    else
        program=$(eval "path_of \"\${$((words + 1))}\"")
    fi
    # By a pipe: as many words as exec lets in here are too many with ours. mkimage reads them all before it refuses any.
    # shellcheck disable=SC2086 # a list of words
    printf '%s\0' "$@" | out/mkimage --stdin --mbr out/start.bin --loader out/loader.bin \
        --kernel out/kernel.strip --program "$program" $options || exit $(($? == 2 ? 2 : 125))
}

image() {
    [ $# -gt 0 ] || usage "image wants a PROGRAM"
    check_words "$@"
    need build
    build
    rm -f out/vmos.img out/vmos-floppy.img out/vmos.iso
    image_of "--disk out/vmos.img --floppy out/vmos-floppy.img --cd out/vmos.iso --cd-mbr out/start-cd.bin" "$@"
    ls -l out/vmos*.i??
}

# program NAME: one of Debian's programs, static, as out/programs/NAME. The linker's warnings about dlopen and the like are
# shown only when it fails: no library is loaded in vmos.
program() {
    mkdir -p out/programs
    case ${1-} in
    busybox) libraries= ;;
    lua) libraries="-llua5.4 -lm -ldl" ;;
    sqlite3) libraries="-lsqlite3 -lm -ldl -lpthread" ;;
    *) usage "program knows: busybox, lua, sqlite3" ;;
    esac
    need build "$1"
    if [ "$1" = busybox ]; then
        cp "$(command -v busybox)" out/programs/busybox
    else
        # shellcheck disable=SC2086 # lists of flags
        gcc $flags -static "programs/$1.c" $libraries -o "out/programs/$1" 2>"out/programs/$1.log" || {
            cat "out/programs/$1.log" >&2
            fail "$1 could not be linked"
        }
    fi
    echo "out/programs/$1"
}

# What every QEMU run has in common. The words of QEMU_OPTS come last, so that they can override.
qemu_with() {
    set -f
    # shellcheck disable=SC2086 # a list of words
    exec ${apart-} qemu-system-x86_64 -accel tcg -M pc -cpu max -m 256M -nodefaults -no-user-config -display none -no-reboot \
        -device isa-debug-exit,iobase=0xf4,iosize=4 "$@" ${QEMU_OPTS-}
}

# Ends QEMU ($1) when nothing was logged ($2) for a minute: the boot sector, which has no log, stopped or hangs.
watch_boot() {
    seconds=0
    while [ "$seconds" -lt 60 ]; do
        sleep 1 2>/dev/null
        [ ! -s "$2" ] && kill -0 "$1" 2>/dev/null || return 0
        seconds=$((seconds + 1))
    done
    kill "$1" && echo "build.sh: nothing in the log for 60 s: the boot sector stopped" >&2
}

# Passes on what COM1 says. What comes before the log has its first line is the boot sector's letter: no output of the
# program, and the end.
pass_on() {
    dd bs=1 count=1 of="$dir/first" 2>/dev/null
    if [ -s "$dir/first" ] && [ ! -s "$dir/log" ]; then
        kill -KILL "$qemu"
        echo "build.sh: the boot sector stopped with the letter $(cat "$dir/first"); README.md has what it means" >&2
        return 125
    fi
    cat "$dir/first" - || {
        lost=$?
        kill -KILL "$qemu"
        [ "$lost" = 141 ] && return 141
        return 125
    }
}

# The status a run ended with, from QEMU's status ($1) and the log ($2): the log must have said it as its last line, and
# QEMU must have been ended by isa-debug-exit (33) or by power-off (0). A triple fault gives 0 as well, but no line.
verdict() {
    last=$(tail -n 1 "$2")
    number=${last#vmos: exit }
    case $1-$last in
    33-"vmos: exit "* | 0-"vmos: exit "*) [ "$number" -le 255 ] 2>/dev/null && exit "$number" ;;
    esac
    fail "${3-QEMU (status $1)} ended before vmos did; the last line of out/run.log is: ${last:-(nothing)}"
}

# The files of a run are its own, so that runs in one tree do not meet; out/run.log is the log of the latest.
run() {
    check_words "$@"
    need build run
    build
    dir=$(mktemp -d out/run.XXXXXX) || exit 125
    qemu=
    terminal=
    [ ! -t 0 ] || terminal=$(stty -g)
    trap 'rm -rf "$dir"; [ -z "$terminal" ] || stty "$terminal"' EXIT
    trap 'interrupt 130' INT
    trap 'interrupt 143' TERM
    trap 'interrupt 129' HUP
    input=
    if [ ! -t 0 ]; then
        cat >"$dir/input" || fail "cannot keep standard input in $dir"
        input="--input $dir/input"
        [ ! -t 1 ] || input="$input --tty"
    fi
    image_of "--disk $dir/disk.img $input" "$@"
    boot
}

interrupt() {
    trap '' INT TERM HUP
    [ -z "$qemu" ] || kill "$qemu" 2>/dev/null || :
    exit "$1"
}

# Standard output goes through a pipe of our own: QEMU makes it non-blocking, which whoever shares it would notice, and
# does not end when nobody reads any more.
boot() {
    : >"$dir/log"
    ln -f "$dir/log" out/run.log
    mkfifo "$dir/stdout"
    exec 3<&0
    [ -t 0 ] || exec 3</dev/null
    qemu_with -drive "file=$dir/disk.img,format=raw,if=virtio" -debugcon "file:$dir/log" \
        -chardev stdio,id=com1,signal=off -serial chardev:com1 <&3 >"$dir/stdout" &
    qemu=$!
    (pass_on <"$dir/stdout") &
    copy=$!
    watch_boot "$qemu" "$dir/log" >/dev/null &
    watch=$!
    status=0
    wait "$qemu" 2>/dev/null || status=$? # the shell would say that it was killed
    kill "$watch" 2>/dev/null || :
    wait "$copy" || exit $?
    grep '^vmos! ' "$dir/log" >&2 || :
    verdict "$status" "$dir/log"
}

# Bochs writes port 0xe9 into the middle of its drawing of the screen: escape codes go, lines of the log stay.
bochs_run() {
    check_words "$@"
    need build bochs
    build
    mkdir -p out/bochs
    rm -f out/bochs/disk.img.lock
    : >out/bochs-com1.txt
    : >out/bochs/input
    [ -t 0 ] || cat >out/bochs/input
    image_of "--disk out/bochs/disk.img --input out/bochs/input" "$@"
    printf 'c\nq\n' >out/bochs/commands
    TERM=xterm bochs -q -f tools/bochsrc -rc out/bochs/commands </dev/null >out/bochs/screen 2>&1 || :
    bochs_log <out/bochs/screen >out/run.log
    cat out/bochs-com1.txt
    grep '^vmos! ' out/run.log >&2 || :
    verdict 0 out/run.log Bochs
}

bochs_log() {
    sed -n 's/\x1b\[[0-9;?]*[A-Za-z]//g; s/\x1b[()][A-Z0-9]//g; s/\r//g; s/^.*\(vmos[:!] \)/\1/p'
}

# ---- debuggers ------------------------------------------------------------------------------------------------------

# debug [bochs | wait]: the program's standard input is empty but for "wait", where it is the terminal. What belongs to
# one debugger is in a directory of its own.
debug() {
    with=${1-}
    case $with in bochs | wait) shift ;; *) with=gdb ;; esac
    check_words "$@"
    if [ "$with" = bochs ]; then need build bochs; else need build run debug; fi
    build
    if [ "$with" = wait ]; then
        dir=out/debug
        input=
    else
        mkdir -p out
        dir=$(mktemp -d out/debug.XXXXXX)
        input="--input $dir/input"
        qemu=
        trap 'debug_ends' EXIT
        trap : INT # Ctrl-C is the debugger's
        trap 'exit 129' HUP
        trap 'exit 143' TERM
    fi
    mkdir -p "$dir"
    rm -f "$dir/gdb" # of a QEMU that was killed: nobody listens there
    : >"$dir/input"
    : >"$dir/log"
    ln -f "$dir/log" out/run.log
    image_of "--disk $dir/disk.img $input" "$@"
    "debug_$with"
}

debug_ends() {
    [ -z "$qemu" ] || kill "$qemu" 2>/dev/null || :
    [ ! -s "$dir/com1" ] || { echo "COM1, where the program writes:" && cat "$dir/com1"; }
    rm -rf "$dir"
}

# A session of its own for QEMU: Ctrl-C on the terminal is for gdb alone.
debug_gdb() {
    gdb_script >"$dir/vmos.gdb"
    (apart=setsid qemu_debug -serial "file:$dir/com1") </dev/null &
    qemu=$!
    while [ ! -e "$dir/gdb" ] && kill -0 "$qemu" 2>/dev/null; do sleep 0.1; done
    kill -0 "$qemu" 2>/dev/null || fail "QEMU did not start"
    echo "Commands of ours: help user-defined; a walk through the boot: README.md, Debugging" >&2
    gdb -q -x "$dir/vmos.gdb" || :
}

debug_wait() {
    gdb_script >out/vmos.gdb
    echo "QEMU waits for gdb; in another terminal: cd '$PWD' && gdb -x out/vmos.gdb" \
        "(its \"monitor quit\" ends QEMU)" >&2
    qemu_debug -chardev stdio,id=com1,signal=off -serial chardev:com1
}

qemu_debug() {
    qemu_with -drive "file=$dir/disk.img,format=raw,if=virtio" -debugcon "file:$dir/log" -S \
        -gdb "unix:$dir/gdb,server=on,wait=off" "$@"
}

# The kernel's symbols twice: where the loader puts it (the lowest usable address above 1 MiB) and where it stays.
gdb_script() {
    cat <<END
set \$stage_mbr = $(layout MBR)
set \$stage_loader = $(layout LOADER)
set \$stage_low = 0x$(symbol out/kernel.elf kernel_entry 0x100000)
set \$stage_high = 0x$(high_symbol kernel_high)
set \$stage_load = 0x$(high_symbol program_load)
set \$stage_entry = $(entry_of "$program")
set \$directory = "$dir"
set confirm off
file out/start.elf
pipe add-symbol-file out/loader.elf | cat >/dev/null
pipe add-symbol-file out/kernel.elf -o 0x100000 | cat >/dev/null
pipe add-symbol-file out/kernel.elf -o $(layout KERNEL_BASE) | cat >/dev/null
pipe add-symbol-file "$program" -o $(base_of "$program") | cat >/dev/null
pipe target remote $dir/gdb | cat >/dev/null
source tools/vmos.gdb
stage mbr
END
    main=$(main_of_program)
    [ -z "$main" ] || echo "set \$stage_main = 0x$main"
}

# Bochs has one name space for symbols, so they get the stage's name in front; it takes a file's own number of bytes
# to add. Its text screen is drawn over the debugger's prompt, so the screen is another: a window where there is X and
# Debian's bochs-x, else the VNC server of Bochs, cut off from the network where the kernel allows that, since it asks
# for no password.
debug_bochs() {
    {
        bochs_symbols out/start.elf mbr.
        bochs_symbols out/loader.elf loader.
        bochs_symbols out/kernel.elf low. 0x100000
        bochs_symbols out/kernel.elf "" "$(layout KERNEL_BASE)"
        bochs_symbols "$program" program. "$(base_of "$program")"
        printf 'pb %s\nc\n' "$(layout MBR)"
    } >"$dir/commands"
    screen='rfb, options="timeout=0"'
    alone=
    if [ -n "${DISPLAY-}" ] && ls /usr/lib/*/bochs/plugins/libbx_x_gui.so >/dev/null 2>&1; then
        screen=x
    elif unshare -rn true 2>/dev/null; then
        alone="unshare -rn"
    else
        echo "Bochs shows its screen by VNC at port 5900, to everybody on the network: it asks for no password" >&2
    fi
    sed "s|^display_library:.*|display_library: $screen|; s|out/bochs-com1.txt|$dir/com1|; s|out/bochs/|$dir/|" \
        tools/bochsrc >"$dir/bochsrc"
    echo "Symbols: mbr.X, loader.X, low.X, X, program.X; a walk through the boot: README.md, Debugging" >&2
    debugger=
    ! bochs --help 2>&1 | grep -q -e ' -debugger ' || debugger=-debugger # from 3.0 on one has to ask for it
    # shellcheck disable=SC2086 # perhaps no word
    $alone bochs -q $debugger -f "$dir/bochsrc" -rc "$dir/commands" 2>"$dir/errors" || :
    grep -v '^[0-9]*[ei]\[' "$dir/errors" >&2 || : # without what it says of every plug-in it loads
}

# bochs_symbols FILE PREFIX [OFFSET]: the debugger's command that loads them.
bochs_symbols() {
    nm "$1" 2>/dev/null | awk -v prefix="$2" 'NF == 3 && $2 !~ /[aA]/ && $3 !~ /^_(_bss_start|edata|end)$/ {
        print $1, prefix $3 }' >"$dir/${2}symbols"
    echo "ldsym global \"$dir/${2}symbols\" ${3-0}"
}

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
    # shellcheck disable=SC2046 # a list of names
    out/stackuse tools/stackuse.txt $(find kernel -name '*.c' | while read -r source; do
        echo "$(object_of "$source").ci"
    done)
}

# ---- sticks ---------------------------------------------------------------------------------------------------------

refuse() {
    echo "build.sh: $1" >&2
    exit 1
}

# on MEDIUM COMMAND...: runs what opens the medium, as root when that is a device.
on() {
    sudo=
    [ ! -b "$1" ] || [ "$(id -u)" = 0 ] || sudo=sudo
    shift
    $sudo "$@"
}

verify() {
    [ $# = 1 ] || usage "verify wants an IMAGE or a DEVICE"
    need build
    build
    medium=$(path_of "$1")
    on "$medium" out/verify out/start.bin out/start-cd.bin "$medium"
}

words() {
    [ $# -gt 0 ] || usage "words wants an IMAGE or a DEVICE"
    need build
    build
    medium=$(path_of "$1")
    shift
    if [ $# = 0 ]; then
        on "$medium" out/words "$medium"
    else
        printf '%s\0' "$@" | on "$medium" out/words --stdin "$medium"
    fi
}

# usb_use ROOT DISK: lines "NAME WHERE" for a disk (its directory in /sys) and its partitions: where they are mounted, /
# before all, then what else uses them. By numbers, and by names, since file systems like btrfs have numbers of their own.
usb_use() {
    for part in "$2" "$2"/*/partition; do
        part=${part%/partition}
        [ ! -e "$part/dev" ] || awk -v name="${part##*/}" -v dev="$(cat "$part/dev")" '{
            for (i = 7; i < NF && $i != "-"; i++) { }
            if ($3 == dev || $(i + 2) == "/dev/" name) print name, $5 }' "$1/proc/self/mountinfo"
    done | sort -k 2
    for part in "$2" "$2"/*/partition; do
        part=${part%/partition}
        awk -v name="${part##*/}" '$1 == "/dev/" name { print name, "swap" }' "$1/proc/swaps"
        for holder in "$part"/holders/*; do
            [ ! -e "$holder" ] || echo "${part##*/} ${holder##*/}"
        done
    done
}

# usb_refusal ROOT NAME BYTES [--fixed]: why a disk shall not have an image of so many bytes written to it; nothing when
# it may. ROOT is where /sys and /proc are: empty but in tests.
usb_refusal() {
    disk=$(readlink -f "$1/sys/class/block/$2") || :
    whole=${disk%/*}
    if [ -e "$disk/partition" ]; then
        echo "$2 is a partition; the image goes to the whole disk, ${whole##*/}"
        return
    fi
    [ -e "$disk/size" ] || { echo "$2 is no disk that the kernel knows"; return; }
    size=$(($(cat "$disk/size") * 512))
    use=$(usb_use "$1" "$disk" | head -n 1)
    case $use in
    *" /") echo "this system runs from $2: / lies on ${use% *}" ;;
    *" /"*) printf '%s is mounted on %b; unmount it first\n' "${use%% *}" "${use#* }" ;; # a space there is \040
    ?*) echo "${use% *} is in use by ${use#* }" ;;
    *)
        if [ "$size" = 0 ]; then
            echo "there is no medium in $2"
        elif [ "$size" -lt "$3" ]; then
            echo "$2 is too small: it has $size bytes, and the image $3"
        elif [ "$(cat "$disk/queue/logical_block_size")" != 512 ]; then
            echo "$2 has sectors of $(cat "$disk/queue/logical_block_size") bytes; BIOSes start from sectors of 512"
        elif [ "$(cat "$disk/ro")" = 1 ]; then
            echo "$2 is write-protected"
        elif [ "$(cat "$disk/removable")" = 0 ] && [ "${4-}" != --fixed ]; then
            echo "$2 is not removable: a disk of this machine, or one on USB that does not say so; with --fixed it will do"
        fi
        ;;
    esac
}

# What a disk calls itself, and where it is plugged in.
usb_describe() {
    disk=$(readlink -f "/sys/class/block/$1")
    fixed="not removable"
    [ "$(cat "$disk/removable")" = 0 ] || fixed=removable
    case $disk in */usb*) fixed="$fixed, on USB" ;; esac
    # shellcheck disable=SC2046 # words, which they pad
    set -- $(cat "$disk/device/vendor" "$disk/device/model" 2>/dev/null)
    echo "${*:-no model}, $(($(cat "$disk/size") * 512 / 1000000)) MB, $fixed"
}

# Writes an image to a stick: nothing before the user said so, and nothing is believed that was not read back.
usb() {
    fixed=
    [ "${1-}" != --fixed ] || { fixed=--fixed; shift; }
    [ $# = 1 ] || [ $# = 2 ] || usage "usb wants [--fixed] DEVICE [IMAGE]"
    need build
    build
    device=$(readlink -f "$(path_of "$1")") || :
    [ -e "$device" ] || refuse "there is no $1"
    image=out/vmos.img
    [ $# = 1 ] || image=$(path_of "$2")
    [ -f "$image" ] || refuse "there is no image $image; ./build.sh image PROGRAM makes one"
    said=$(out/verify out/start.bin out/start-cd.bin "$image") || refuse "$image would not boot"
    case $said in *El*Torito*) refuse "$image is for a CD; a stick has no use for it" ;; esac
    [ "$device" != "$(readlink -f "$image")" ] || refuse "$1 is the image itself"
    bytes=$(wc -c <"$image")
    name=${device##*/}
    if [ -b "$device" ]; then
        name=$(stat -c '%t %T' "$device") # numbers, in hexadecimal: a node may be called after another disk
        name=$(readlink -f "/sys/dev/block/$((0x${name% *})):$((0x${name#* }))")
        name=${name##*/}
        refusal=$(usb_refusal "" "$name" "$bytes" $fixed)
        [ -z "$refusal" ] || refuse "$refusal"
    elif [ -f "$device" ]; then
        size=$(wc -c <"$device")
        [ "$size" -ge "$bytes" ] || refuse "$name is too small: it has $size bytes, and the image $bytes"
    else
        refuse "$1 is neither a disk nor a file"
    fi
    on "$device" out/verify --alone "$device" ./build.sh usb_write "$device" "$image" "$1" "$name"
}

# usb_write DEVICE IMAGE WHAT_THE_USER_CALLS_IT NAME: asks and writes. The device is open as file 3 from before the question
# to the end, so that nobody can mount it, and another that gets its name, or a file where it was, is not written to.
usb_write() {
    name=$4
    if [ -b "$1" ]; then about=$(usb_describe "$name"); else about="a file of $(wc -c <"$1") bytes"; fi
    echo "$1: $about"
    printf '%s' "What it holds will be lost. Type its name, $name, to have $2 written to it: "
    read -r answer || [ -n "$answer" ] || { echo; refuse "no answer: nothing was written"; }
    [ -t 0 ] || echo # a terminal has shown the end of the line
    case $answer in "$name" | "$3" | "$1" | yes) ;; *) refuse "that was not $name: nothing was written" ;; esac
    progress=none
    [ ! -t 2 ] || progress=progress
    dd if="$2" bs=1M conv=notrunc,fsync status=$progress >&3 ||
        refuse "$name could not be written; what it holds now is not whole"
    [ ! -b "$1" ] || PATH=$PATH:/sbin blockdev --flushbufs "$1" # so that cmp reads the medium, not memory
    cmp -n "$(wc -c <"$2")" "$2" "$1" || refuse "$name does not hold what was written to it: try another stick"
    out/verify out/start.bin out/start-cd.bin "$1"
}

# ---- counting -------------------------------------------------------------------------------------------------------

# The value of a symbol of a file, in hexadecimal, moved by $3; empty when there is none.
symbol() {
    value=$(nm "$1" 2>/dev/null | awk -v name="$2" '$3 == name { print $1; exit }')
    [ -z "$value" ] || printf '%x' $((0x$value + ${3-0}))
}

# Where a program's symbols count from: static-PIE programs are moved.
base_of() {
    readelf -h "$1" | awk '$1 == "Type:" { print $2 == "DYN" ? "0x555555554000" : 0 }'
}

# The program's first instruction.
entry_of() {
    printf '0x%x' $(($(readelf -h "$1" | awk '/Entry point/ { print $4 }') + $(base_of "$1")))
}

# symbol() for the kernel where it stays: KERNEL_BASE ends in 30 zero bits, and sh cannot count beyond 63.
high_symbol() {
    value=$(symbol out/kernel.elf "$1" 0xc0000000)
    [ -z "$value" ] || echo "fffffeff$value"
}

PLUGIN_KNOWN=7 # the newest version of QEMU's interface for plugins that tools/plugin.h knows

# plugin VERSION SOURCE FILE: compiles a plugin for that version.
plugin() {
    # shellcheck disable=SC2086 # a list of flags
    gcc $flags -fvisibility=hidden -shared -fPIC -DPLUGIN_API="$1" "$2" -o "$3"
}

# The interface does not stay compatible. QEMU refuses a plugin that wants a later version, and says which it has.
plugin_api() {
    plugin 999 tools/icnt.c out/bench/ask.$$
    newest=$(qemu-system-x86_64 -M none -display none -plugin out/bench/ask.$$ 2>&1 </dev/null |
        sed -n 's/.* only up to version \([0-9]*\)$/\1/p')
    rm -f out/bench/ask.$$
    [ -n "$newest" ] || fail "QEMU does not say which version of its interface for plugins it has"
    [ "$newest" -le "$PLUGIN_KNOWN" ] || newest=$PLUGIN_KNOWN
    echo "$newest"
}

bench_names="firmware MBR loader kernel-low kernel-high program-load to-main"

bench() {
    case ${1-all} in
    all | boot | calls)
        [ $# -le 1 ] || usage "bench ${1} takes no more words"
        bench_plugin
        need bench
        exec python3 test/bench/report.py "$@"
        ;;
    stages) shift && bench_stages "$@" ;;
    cpus) shift && bench_cpus "$@" ;;
    frames) bench_frames ;;
    *) usage "bench knows: boot, calls, stages [PROGRAM [ARG...]], cpus [COUNT...], frames" ;;
    esac
}

# The frame allocator on the host, compiled as for the kernel.
bench_frames() {
    need build
    mkdir -p out/bench
    # shellcheck disable=SC2086 # lists of flags
    gcc $flags $freestanding -c kernel/memory/frames.c -o out/bench/frames.o
    # shellcheck disable=SC2086
    gcc $flags -pthread test/bench/frames.c out/bench/frames.o -o out/bench/frames
    out/bench/frames
}

# plugin_longest FILE: the plugin of test/boot/longest.py, for that test.
plugin_longest() {
    mkdir -p out/bench
    api=$(plugin_api) || exit 125
    plugin "$api" test/boot/longest.c "$1"
}

bench_plugin() {
    need build run
    build
    mkdir -p out/bench
    api=$(plugin_api) || exit 125
    plugin "$api" tools/icnt.c out/bench/icnt.$$
    mv out/bench/icnt.$$ out/icnt.so # at once: somebody else may be counting
    bench_counts >out/bench/counts.$$
    mv out/bench/counts.$$ out/bench/counts
}

# What this QEMU counts, for the heads of tables: those of two releases cannot be compared. Asked by a boot sector: mov
# $1000, %cx; rep lodsb; hlt.
bench_counts() {
    { printf '\271\350\003\363\254\364' && head -c 504 /dev/zero && printf '\125\252'; } >out/bench/rep.$$
    truncate -s 1M out/bench/rep.$$ # SeaBIOS starts from no disk of one sector
    qemu-system-x86_64 -accel tcg,thread=single -M pc -nodefaults -display none \
        -plugin "out/icnt.so,at=7c03,at=7c05,cpus=1,out=out/bench/rep.$$.raw" \
        -drive "file=out/bench/rep.$$,format=raw,if=virtio" </dev/null || fail "QEMU does not run with the plugin"
    qemu-system-x86_64 --version | sed -n '1s/ emulator version//p' | tr -d '\n'
    awk '$1 == "7c03" && !first { first = $3 }
        $1 == "7c05" { print ($3 - first > 1) ? " counts each round of a rep." : " counts a rep once." }' out/bench/rep.$$.raw
    rm -f out/bench/rep.$$ out/bench/rep.$$.raw
}

# The plugin's words for stages that begin at these addresses.
stages_at() {
    for address; do
        [ -n "$address" ] || fail "the kernel or the program's main has no symbol to count up to"
        printf ',at=%s' "$address"
    done
}

# What the plugin wrote (standard input) in the order of the boot CPU's stages ($1): lines "ADDRESS INSTRUCTIONS CALLS
# PORTS", calls counted from the first stage on. Then "cpu NUMBER INSTRUCTIONS": from when the CPU was last at AP_START ($2),
# which the firmware's own start of it does not count for, until it came to its rest ($3) for the first time; of CPU 0
# from there until all had come.
arrivals() {
    awk -v stages="$1" -v begin="$2" -v rest="$3" '
        BEGIN { split(stages, stage, ",at="); next_one = 2 }
        $2 == 0 && $1 == stage[next_one] { if (next_one++ == 2) calls = $4; print $1, $3, $4 - calls, $5 }
        next_one > 2 && $2 && $1 == begin { began[$2] = $3 }
        $1 == rest && !($2 in took) { took[$2] = $3 - began[$2] }
        $1 == "end" { took[0] = $3 - took[0]; for (cpu in took) print "cpu", cpu, took[cpu] }'
}

main_of_program() {
    symbol "$program" main "$(base_of "$program")"
}

# Instructions and BIOS calls from reset to the first instruction of main, by stage, median of five boots.
bench_stages() {
    check_words "$@"
    bench_plugin
    if [ $# = 0 ]; then
        musl-gcc -static -O2 test/guest/hello.c -o out/hello
        set -- "$PWD/out/hello"
    fi
    image_of "--disk out/bench/disk.img --input /dev/null" "$@"
    stages=$(stages_at 7c00 8000 "$(symbol out/kernel.elf kernel_entry 0x100000)" "$(high_symbol kernel_high)" \
        "$(high_symbol program_load)" "$(main_of_program)") || exit 125
    for round in 1 2 3 4 5; do
        rm -f out/bench/log
        (qemu_with -accel tcg,thread=single -plugin "out/icnt.so$stages,out=out/bench/$round.raw" -serial null \
            -drive file=out/bench/disk.img,format=raw,if=virtio -debugcon file:out/bench/log) </dev/null || :
        arrivals "$stages" - - <"out/bench/$round.raw" >"out/bench/$round"
        [ "$(wc -l <"out/bench/$round")" = 6 ] || fail "a stage was not reached; see out/bench/log"
    done
    cat out/bench/counts
    bench_table out/bench/[1-5]
}

# What 1 CPU and these numbers of CPUs cost. The program sleeps, so that the boot CPU comes to rest and QEMU, which runs
# one CPU at a time, has time for the others.
bench_cpus() {
    bench_plugin
    echo 'unsigned sleep(unsigned); int main(void) { return (int)sleep(60); }' |
        musl-gcc -static -O2 -x c - -o out/asleep
    image_of "--disk out/bench/cpus.img --input /dev/null" "$PWD/out/asleep"
    stages=$(stages_at 7c00 "$(symbol out/kernel.elf kernel_entry 0x100000)" "$(main_of_program)") || exit 125
    begin=$(layout AP_START)
    begin=${begin#0x}
    idle=$(high_symbol cpu_idle)
    rm -f out/bench/cpus-* out/bench/cpus.log
    for count in 1 "$@"; do
        file=out/bench/cpus-$count
        (qemu_with -accel tcg,thread=single -smp "$count" -serial null -debugcon file:out/bench/cpus.log \
            -plugin "out/icnt.so$stages,at=$begin,at=$idle,cpus=$count,out=$file.raw" \
            -drive file=out/bench/cpus.img,format=raw,if=virtio) </dev/null || :
        arrivals "$stages" "$begin" "$idle" <"$file.raw" >"$file"
        [ "$(grep -c cpu "$file")" = "$count" ] || fail "not all of $count CPUs arrived; see out/bench/cpus.log"
    done
    cat out/bench/counts
    # shellcheck disable=SC2046 # a list of names
    bench_cpus_table $(printf 'out/bench/cpus-%s ' 1 "$@")
}

# What the plugin wrote for 1 CPU and then for others. The boot CPU's way from main to its rest is left out: there it
# waits for its clock. What it does for the others later counts.
bench_cpus_table() {
    awk '
        function row(  i, j, x) {
            if (!count) return
            kernel = main - low
            if (count == 1) alone = kernel + later
            for (i = 1; i < n; i++)
                for (j = i; j > 0 && list[j - 1] > list[j]; j--) { x = list[j]; list[j] = list[j - 1]; list[j - 1] = x }
            printf "%4d %14d %14d %10d", count, main, kernel, later
            if (n) printf " %10d %10d %10d %10d", (kernel + later - alone) / n, list[0], list[int(n / 2)], list[n - 1]
            print ""
        }
        BEGIN {
            printf "\n%4s %14s %14s %10s %10s %32s\n", "", "boot CPU,", "kernel", "", "more per", "others, from SIPI to check-in"
            printf "%4s %14s %14s %10s %10s %10s %10s %10s\n", "CPUs", "reset to main", "to main", "later",
                "other CPU", "least", "median", "most"
        }
        FNR == 1 { row(); count = n = 0 }
        FNR == 2 { low = $2 }
        FNR == 3 { main = $2 }
        $1 == "cpu" { count++; if ($2) list[n++] = $3; else later = $3 }
        END { row() }' "$@"
}

# Lines "ADDRESS INSTRUCTIONS CALLS PORTS", counted from reset, of several boots: differences, and the median of each.
bench_table() {
    awk -v names="$bench_names" '
        function median(of, stage,  i, j, n, x, list) {
            for (i in boots) list[n++] = of[i, stage]
            for (i = 1; i < n; i++)
                for (j = i; j > 0 && list[j - 1] > list[j]; j--) { x = list[j]; list[j] = list[j - 1]; list[j - 1] = x }
            return list[int(n / 2)]
        }
        FNR == 1 { before = calls = ports = 0; boots[FILENAME] }
        { took[FILENAME, FNR] = $2 - before; asked[FILENAME, FNR] = $3 - calls; used[FILENAME, FNR] = $4 - ports
          before = $2; calls = $3; ports = $4
          total[FILENAME, 0] = $2; all[FILENAME, 0] = $3; every[FILENAME, 0] = $4; if (FNR > stages) stages = FNR }
        END {
            split(names, name, " ")
            row = "%-14s %13d %11d %14d\n"
            printf "%-14s %13s %11s %14s\n", "stage", "instructions", "BIOS calls", "port accesses"
            for (s = 1; s <= stages; s++) printf row, name[s], median(took, s), median(asked, s), median(used, s)
            printf row, "reset to main", median(total, 0), median(all, 0), median(every, 0)
        }' "$@"
}

# ---- checking -------------------------------------------------------------------------------------------------------

# Vector registers and memory below the stack pointer in the loader and the kernel; lea only computes an address.
forbidden() {
    for file in out/loader.elf out/kernel.elf; do
        objdump -d --no-show-raw-insn "$file" | grep -E '%([xyz]?mm|k)[0-9]|-0x[0-9a-f]+\(%rsp[,)]' |
            grep -v 'lea ' | sed "s|^|$file: |"
    done
}

# The output goes to standard output: no tool that root runs should be given a device as its output file.
analyze() {
    # shellcheck disable=SC2086 # lists of flags
    case $1 in
    tools/*) gcc $flags $gcc_warnings -fno-builtin-log -fanalyzer -DPLUGIN_API=1 -fPIC -S "$1" -o - ;;
    *) gcc $flags $gcc_warnings $freestanding -fanalyzer -S "$1" -o - ;;
    esac >/dev/null
}

# asked TOOL: whether its opinion is wanted: other versions format thousands of lines in another way, or see what is not there.
asked() {
    named "$1" || { echo "check: not asked, since this is another version: $1" >&2; return 1; }
}

# found TOOL: what it said counts if it is the version that the tree names.
found() {
    if named "$1"; then bad=1; else echo "check: not counted, since this is another version: $1" >&2; fi
}

check() {
    need build check
    build
    warnings
    bad=0
    ! asked clang-format || find boot loader kernel tools test \( -name '*.[ch]' -o -name '*.cpp' \) -print0 |
        xargs -0 clang-format --dry-run -Werror || bad=1
    shellcheck build.sh || found shellcheck
    # cppcheck computes in 63 bits, so that the slots of layout.h are null pointers to it, and skips system headers.
    cppcheck -q --std=c11 --enable=warning,portability,performance --error-exitcode=1 -I. -j "$(nproc)" \
        -DPLUGIN_API=1 '-DRB_GENERATE_STATIC(tree, type, field, compare)=' --suppress=missingIncludeSystem \
        --suppress=nullPointerRedundantCheck:kernel/cpu/gdt.c --suppress=ctunullpointer:kernel/cpu/gdt.c \
        loader kernel tools || found cppcheck
    ! asked gcc || find loader kernel tools -name '*.c' -print0 | xargs -0 -P "$(nproc)" -n 1 ./build.sh analyze || bad=1
    instructions=$(forbidden)
    [ -z "$instructions" ] || { echo "instructions the kernel must not contain:"; echo "$instructions"; bad=1; }
    [ "$bad" = 0 ] || { echo "check: not clean" >&2; exit 1; }
    echo "check: clean"
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
                                        command line (README.md): mem=N cpus=N quiet timeline after=WHAT ...
./build.sh program busybox | lua | sqlite3         make one of Debian's programs, static, as out/programs/NAME
./build.sh image [OPTION]... PROGRAM [ARG...]      write out/vmos.img, out/vmos.iso and, when it fits, out/vmos-floppy.img
./build.sh bochs [OPTION]... [PROGRAM [ARG...]]    the same as run, in Bochs; its COM1 is shown at the end
./build.sh debug [OPTION]... [PROGRAM [ARG...]]    gdb on QEMU, stopped at the boot sector, with all symbols; README.md
                                        has a walk; what the program prints is shown at the end
./build.sh debug wait [the same]        QEMU alone, with the program's terminal; it says how to start gdb elsewhere
./build.sh debug bochs [the same]       the same in the debugger of Bochs
./build.sh memmap FILE [--image FILE] [--mem N] [--no-1g] [--bare]   how vmos would lay out a machine's memory (README.md)
./build.sh usb [--fixed] DEVICE [IMAGE]            write out/vmos.img, or IMAGE, to a stick: asks, writes, reads back
./build.sh verify IMAGE|DEVICE                     check what was written, and say what a BIOS would do with it
./build.sh words IMAGE|DEVICE [+WORD|-KEY]... [-- ARG0 [ARG...]]   print the words of an image's command line, or change them
./build.sh bench                                   all of these, and out/bench.md, which holds their tables
./build.sh bench boot                              vmos next to Debian's cloud kernel and the firmware alone; stages; CPUs
./build.sh bench calls                             system calls, faults, switches: instructions, vmos and Linux
./build.sh bench stages [PROGRAM [ARG...]]         instructions and BIOS calls per stage, up to PROGRAM's main
./build.sh bench cpus [COUNT...]                   instructions that each of 1 and COUNT CPUs takes until it has checked in
./build.sh bench frames                            the frame allocator: ns, and units of one lock xadd
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
run | image | program | debug | bench | memmap | stack | verify | words | usb | check | help) "$command" "$@" ;;
object | analyze | plugin_longest | usb_refusal | usb_write) "$command" "$@" ;; # for this script itself, and for tests
bochs) bochs_run "$@" ;;
test) tests "$@" ;;
build) need build && build ;;
clean) rm -rf out ;;
*) usage "unknown command $command" ;;
esac
