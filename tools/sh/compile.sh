# Makes the loader, the kernel and the tools of what changed. Read by build.sh.

flags="-std=gnu11 -O2 -g -I. -Wall -Wextra -Wshadow -Wvla"
# No vector registers, since they hold the program's state; no red zone, since an interrupt would write over it; the stack
# aligned to 8 bytes, since only vector registers want more.
freestanding="-ffreestanding -fpie -fvisibility=hidden -mno-red-zone -mgeneral-regs-only -fno-stack-protector
    -fcf-protection=none -fno-asynchronous-unwind-tables -fno-omit-frame-pointer -ffunction-sections
    -mpreferred-stack-boundary=3"

# The objects of sources; traps.c and traps.asm are two.
objects_of() {
    printf '%s\n' "$@" | sed 's|[/:]|.|g; s|.*|out/obj/&.o|'
}

# A number of boot/layout.h.
layout() {
    awk -v name="$1" '$2 == name { print $3 }' boot/layout.h
}

assemble() {
    # shellcheck disable=SC2086 # a list of flags
    nasm $nasm_warnings -Iout/ "$@"
}

# Compiles one source, of the loader and the kernel or (host:SOURCE) of a tool, and says in OBJECT.d what it was made of;
# called by compile(), one process per source.
object() {
    object=$(objects_of "$1")
    source=${1#host:}
    # Small, but for what runs for every byte, system call or switch. Loops in memcpy must not become calls of it.
    case $1 in
    host:*) extra=-fno-builtin-log ;; # the kernel has a log() of its own
    kernel/lib/string.c) extra="$freestanding -fno-tree-loop-distribute-patterns" ;;
    kernel/lib/crc32c.c | kernel/lib/chacha20.c | kernel/lib/blake2s.c) extra=$freestanding ;;
    kernel/cpu/traps.c | kernel/cpu/lock.c | kernel/call/call.c | kernel/process/program.c | kernel/thread/scheduler.c)
        extra="$freestanding -Os"
        ;;
    kernel/memory/frames.c | kernel/memory/frames_runs.c | kernel/lib/sorted.c | kernel/thread/queue.c)
        extra="$freestanding -Os" ;;
    kernel/process/futex.c | kernel/call/futex.c) extra="$freestanding -Os" ;;
    # Called by assembly that is nobody's frame, and nearly all that such a call takes.
    kernel/call/quick.c) extra="$freestanding -O2 -fomit-frame-pointer" ;;
    *) extra="$freestanding -Oz" ;;
    esac
    # shellcheck disable=SC2086 # lists of flags
    case $1 in
    *.c) gcc $flags $gcc_warnings $extra -MMD -MF "$object.d" -fcallgraph-info=su -c "$source" -o "$object.new" ;;
    *.asm) assemble -f elf64 -g -MD "$object.d" "$source" -o "$object.new" ;;
    esac
    mv "$object.new" "$object"
}

# Compiles, in parallel, the sources that have no object.
compile() {
    printf '%s\n' "$@" | sed 'h; s|[/:]|.|g; s|.*|out/obj/&.o|; G; s|\n| |' | while read -r object source; do
        [ -e "$object" ] || echo "$source"
    done | xargs -r -P "$(nproc)" -n 1 ./build.sh object
}

# Removes the objects of which a source changed or is gone: all of them when the way they are made did.
outdate() {
    case "$1 " in *tools/sh/compile.sh*) rm -rf out/obj ;; esac
    mkdir -p out/obj
    made=
    case $1 in *font.txt*) made=out/font.inc ;; esac
    case $1 in *layout.h*) made="$made out/layout.inc" ;; esac
    of=$(sed 's/^[^:]*://; s/\\$//' out/obj/*.d 2>/dev/null | tr -s ' \t' '\n' | sort -u)
    gone=$(for file in $of; do [ -e "$file" ] || echo "$file"; done)
    # shellcheck disable=SC2046 # a list of names
    awk -v changed="$1 $made $gone" '
        BEGIN { for (i = split(changed, list); i > 0; i--) is_changed[list[i]] }
        FNR == 1 { object = substr(FILENAME, 1, length(FILENAME) - 2) }
        { for (i = 1; i <= NF; i++) if ($i in is_changed) print object }' /dev/null $(ls out/obj/*.d 2>/dev/null) |
        sort -u | xargs -r rm -f
    case $1 in *tools/demo.c*) rm -f out/demo ;; esac
}

link_loader() {
    gcc -E -P -x c -I. loader/loader.ld -o out/loader.ld # for the numbers of boot/layout.h
    # shellcheck disable=SC2046 # a list of names
    ld --gc-sections -z noexecstack --build-id=none -T out/loader.ld $(objects_of "$@") -o out/loader.elf -Map out/loader.map
    objcopy -O binary out/loader.elf out/loader.bin
    sectors=-DLOADER_SECTORS=$(($(wc -c <out/loader.bin) / 512))
    assemble -f bin "$sectors" -l out/start.lst boot/start.asm -o out/start.bin
    assemble -f bin "$sectors" -DCD -l out/start-cd.lst boot/start.asm -o out/start-cd.bin
    # The first with symbols, for debuggers; "org" is a directive of flat files only, and the place for the label "mbr".
    assemble -f elf64 -g "$sectors" --before '%macro org 1' --before 'mbr:' --before '%endmacro' \
        boot/start.asm -o out/start.o
    ld -Ttext="$(layout MBR)" -e "$(layout MBR)" out/start.o -o out/start.elf
}

# The kernel's object that holds it is made anew when it became another one, whichever of its sources that comes from.
link_vdso() {
    # shellcheck disable=SC2086 # lists of flags
    gcc $flags $gcc_warnings $freestanding -fvisibility=default -fomit-frame-pointer -fno-jump-tables \
        -mred-zone -mpreferred-stack-boundary=4 -c vdso/vdso.c -o out/vdso.o
    ld -shared -s -Bsymbolic -soname=linux-vdso.so.1 --hash-style=both --build-id=none -z noexecstack -T vdso/vdso.ld \
        out/vdso.o -o out/vdso.new
    cmp -s out/vdso.new out/vdso.so || rm -f out/obj/kernel.process.vdso_image.asm.o
    mv out/vdso.new out/vdso.so
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
            for (i = 0; i < count; i++) {
                most = length(name[i]) - 1
                for (same = 0; same < most && substr(name[i], 1, same + 1) == substr(name[i - 1], 1, same + 1);) same++
                rest = same < most ? "\"" substr(name[i], same + 1, most - same) "\", " : ""
                print "db", same ", " rest "0x80 + \"" substr(name[i], most + 1) "\""
            }
        }'
}

# NASM's labels that begin with two dots are within a function, and not what a debugger or a backtrace is to show.
link_kernel() {
    # shellcheck disable=SC2046 # a list of names
    ld --gc-sections --discard-locals -pie --no-dynamic-linker -z text -z noexecstack -z pack-relative-relocs --build-id=none \
        -T kernel/kernel.ld $(objects_of "$@") -o out/kernel.elf -Map out/kernel.map
    names_of_kernel >out/names.asm
    assemble -f bin out/names.asm -o out/kernel.names
    objcopy --strip-all --add-section .names=out/kernel.names out/kernel.elf out/kernel.strip
}

# link_tool NAME SOURCE...: what a tool is made of beside its own source.
link_tool() {
    tool=$1
    shift
    # shellcheck disable=SC2046 # a list of names
    gcc $(objects_of "tools/$tool.c" "$@" | sed 's|out/obj/|&host.|') -o "out/$tool"
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
    parts="tools/medium.c tools/table.c tools/iso.c loader/image.c kernel/lib/crc32c.c kernel/lib/elf.c kernel/lib/options.c"
    plan="kernel/memory/plan.c kernel/memory/e820.c kernel/memory/mtrr.c kernel/memory/linear.c"
    tools="tools/mkimage.c tools/verify.c tools/words.c tools/memmap.c tools/stackuse.c tools/calls.c"
    # shellcheck disable=SC2086,SC2046 # lists of names
    {
        compile $(printf '%s\n' $loader $kernel | sort -u) $(printf 'host:%s\n' $parts $plan $tools)
        link_loader $loader
        link_kernel $kernel
        for tool in mkimage verify words; do link_tool $tool $parts; done
        link_tool memmap $parts $plan
        link_tool stackuse
        link_tool calls
    }
    [ -e out/demo ] ||
        musl-gcc -static -std=gnu11 -O2 -Wall -Wextra $gcc_warnings tools/demo.c -o out/demo
}

# Builds what changed since the last build that came to its end. Two builds in one tree wait for each other.
build() {
    { mkdir -p out && touch out/.lock; } || fail "cannot write to $PWD/out"
    exec 9>out/.lock
    flock 9
    : >out/.building # its time is before the look at what changed: what changes meanwhile is built the next time
    # By the time of the inode's change: a file that is moved back over its successor keeps the time it was written.
    changed="boot/layout.h"
    [ ! -e out/.built ] || changed=$(find boot loader kernel tools vdso -cnewer out/.built \
        \( -type d -o -name '*.[ch]' -o -name '*.asm' -o -name '*.ld' -o -name font.txt -o -name compile.sh \))
    if [ -n "$changed" ]; then
        trap 'exit 125' EXIT # vmos failed, whatever the compiler's status
        outdate "$changed"
        build_all
        mv out/.building out/.built
        trap - EXIT
    fi
    exec 9>&-
}
