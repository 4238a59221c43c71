#!/bin/sh
# SeaBIOS 1.16.2-1 in QEMU 1:7.2+dfsg-7+deb12u18: a virtio disk of less than 1,008 sectors is not started from.
#
# Guess: whatever has a boot sector boots: one sector is enough, and a floppy image of 1,440 KiB or less is a disk, too.
# Seen: 1,007 sectors do not boot as a virtio disk, 1,008 do; as an IDE disk one sector does. 1,008 is 16 heads times 63
#   sectors, one cylinder of the geometry that SeaBIOS takes for such a disk.
# Why it matters: a small test image that boots from IDE "does not work with virtio"; pad it to 504 KiB.
. "$(dirname "$0")/common.sh"
fetch "qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3" "qemu-system-common=1:7.2+dfsg-7+deb12u18+b3" \
    "qemu-system-data=1:7.2+dfsg-7+deb12u18" "seabios=1.16.2-1"
runs "$tmp/root/usr/bin/qemu-system-x86_64"
try() {
    boot_sector "$tmp/disk" "$2"
    boots -device isa-debug-exit,iobase=0xf4,iosize=4 -drive "file=$tmp/disk,format=raw,if=$1"
}
expect "virtio, 1,007 sectors" "$(try virtio 1007)" "does not boot"
expect "virtio, 1,008 sectors" "$(try virtio 1008)" "boots"
expect "IDE, 1 sector" "$(try ide 1)" "boots"
