# What is on a medium, and sticks. Read by build.sh.

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
