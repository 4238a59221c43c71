# Instructions, counted by a plugin of QEMU. Read by build.sh.

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
    gcc $flags $freestanding -c kernel/memory/frames_runs.c -o out/bench/frames_runs.o
    # shellcheck disable=SC2086
    gcc $flags -pthread test/bench/frames.c out/bench/frames.o out/bench/frames_runs.o -o out/bench/frames
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
