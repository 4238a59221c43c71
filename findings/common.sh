# shellcheck shell=sh
# For the scripts beside this one, which read it: a temporary folder, pinned packages in it, and comparing.
set -eu
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT

# fetch NAME=VERSION...: unpacks Debian packages into $tmp/root, by apt as it is set up here; nothing is installed.
fetch() {
    mkdir -p "$tmp/debs" "$tmp/root"
    (cd "$tmp/debs" && apt-get download "$@") >/dev/null 2>"$tmp/apt" || {
        cat "$tmp/apt" >&2
        echo "apt does not offer $*: add Debian 12 to its sources" >&2
        exit 125
    }
    for deb in "$tmp"/debs/*.deb; do dpkg -x "$deb" "$tmp/root"; done
}

# runs PROGRAM: its libraries must be here; they come with the package of the same name, of any version.
runs() {
    missing=$(ldd "$1" | awk '/not found/ { print $1 }')
    [ -z "$missing" ] || { echo "$1 wants libraries that are not here: $missing" >&2; exit 125; }
}

# expect WHAT SEEN WANTED
expect() {
    echo "$1: $2"
    [ "$2" = "$3" ] || { echo "CHANGED: $1 was: $3" >&2; exit 1; }
}

# A boot sector that writes B to COM1 and ends QEMU, by isa-debug-exit at 0xf4, with 33; in a file of $2 sectors.
boot_sector() {
    printf '\272\370\003\260\102\356\260\020\346\364\364\353\375' >"$1" # mov dx,3f8h; mov al,'B'; out dx,al; mov al,16; out 0f4h,al; hlt
    truncate -s 510 "$1"
    printf '\125\252' >>"$1"
    truncate -s $(($2 * 512)) "$1"
}

# boots OPTION...: whether that sector came to run within 20 s.
boots() {
    status=0
    QEMU_MODULE_DIR=$(echo "$tmp"/root/usr/lib/*/qemu) timeout 20 "$tmp/root/usr/bin/qemu-system-x86_64" -L "$tmp/root/usr/share/qemu" -L "$tmp/root/usr/share/seabios" \
        -accel tcg -nodefaults -no-user-config -display none -serial "file:$tmp/com1" "$@" </dev/null 2>"$tmp/qemu" || status=$?
    case $status-$(cat "$tmp/com1") in 33-B) echo boots ;; 124-) echo "does not boot" ;; *) echo "status $status, $(cat "$tmp/qemu")" ;; esac
}
