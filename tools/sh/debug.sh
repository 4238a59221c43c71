# The debuggers. Read by build.sh.

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
    echo "Commands of ours: help user-defined; a walk through the boot: tools/README.md, Debugging" >&2
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
    echo "Symbols: mbr.X, loader.X, low.X, X, program.X; a walk through the boot: tools/README.md, Debugging" >&2
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
