# An image in QEMU or Bochs, once, as a command that ends with the program's status. Read by build.sh.

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
        echo "build.sh: the boot sector stopped with the letter $(cat "$dir/first"); boot/README.md has what it means" >&2
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
