# Static checks. Read by build.sh.

# Vector registers and memory below the stack pointer in the loader and the kernel; lea only computes an address.
forbidden() {
    for file in out/loader.elf out/kernel.elf; do
        objdump -d --no-show-raw-insn "$file" | grep -E '%([xyz]?mm|k)[0-9]|-0x[0-9a-f]+\(%rsp[,)]' |
            grep -v 'lea ' | sed "s|^|$file: |"
    done
}

# A backtrace gives a function's name alone, so no two files of the kernel, nor of the loader, may define the same one.
ambiguous() {
    for file in out/loader.elf out/kernel.elf; do
        nm -l "$file" | awk -v file="$file" '$2 ~ /^[tT]$/ && $3 !~ /^\./ && $4 {
            sub(/\..*/, "", $3)
            sub(/:[0-9?]+$/, "", $4)
            if ($3 in place && place[$3] != $4) print file ": " $3 ", in " place[$3] " and " $4
            place[$3] = $4
        }' | sort -u
    done
}

# The rooms of kernel/, each of which may include headers of itself and of those before it.
rooms="lib cpu memory thread device space file process call"

# Includes of a later room, and of what is no room.
upward() {
    grep -Eo '^#include "kernel/[a-z0-9_]+/' kernel/*/*.[ch] | awk -v rooms="$rooms" '
        BEGIN { for (i = split(rooms, room, " "); i > 0; i--) rank[room[i]] = i }
        {
            split($0, part, ":")
            split(part[1], at, "/")
            split(part[2], to, "/")
            arrow = part[1] ":" to[2]
            if (!(at[2] in rank) || !(to[2] in rank)) print arrow ", which is no room"
            else if (rank[to[2]] > rank[at[2]] && !seen[arrow]++) print arrow ", which is a later room"
        }'
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
    ! asked clang-format || find boot loader kernel tools vdso test \( -name '*.[ch]' -o -name '*.cpp' \) -print0 |
        xargs -0 clang-format --dry-run -Werror || bad=1
    find boot loader kernel tools vdso -name '*.[ch]' -print0 | xargs -0 python3 tools/style.py || bad=1
    shellcheck -x -a build.sh || found shellcheck
    # cppcheck computes in 63 bits, so that the slots of layout.h are null pointers to it, and skips system headers.
    cppcheck -q --std=c11 --enable=warning,portability,performance --error-exitcode=1 -I. -j "$(nproc)" \
        -DPLUGIN_API=1 '-DRB_GENERATE_STATIC(tree, type, field, compare)=' --suppress=missingIncludeSystem \
        --suppress=nullPointerRedundantCheck:kernel/cpu/gdt.c --suppress=ctunullpointer:kernel/cpu/gdt.c \
        loader kernel tools vdso || found cppcheck
    ! asked gcc || find loader kernel tools vdso -name '*.c' -print0 | xargs -0 -P "$(nproc)" -n 1 ./build.sh analyze || bad=1
    instructions=$(forbidden)
    [ -z "$instructions" ] || { echo "instructions the kernel must not contain:"; echo "$instructions"; bad=1; }
    arrows=$(upward)
    [ -z "$arrows" ] || { echo "includes between rooms of the kernel:"; echo "$arrows"; bad=1; }
    names=$(ambiguous)
    [ -z "$names" ] || { echo "functions that have the name of another:"; echo "$names"; bad=1; }
    [ "$bad" = 0 ] || { echo "check: not clean" >&2; exit 1; }
    echo "check: clean"
}
