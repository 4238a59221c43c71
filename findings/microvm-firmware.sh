#!/bin/sh
# QEMU 1:7.2+dfsg-7+deb12u18 of Debian: its bios-microvm.bin is qboot, which boots no disk; that of the package seabios is
# SeaBIOS.
#
# Guess: bios-microvm.bin is the build of SeaBIOS for this machine, as in QEMU's own pc-bios/ (roms/config.seabios-microvm),
#   and boots from a virtio-blk-device.
# Seen: in qemu-system-data the name is a link to qboot.rom; the machine waits for ever and says nothing. With the file of
#   the same name from /usr/share/seabios it boots.
# Why it matters: a disk image looks as if it could not boot on microvm; give the whole path.
. "$(dirname "$0")/common.sh"
fetch "qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3" "qemu-system-common=1:7.2+dfsg-7+deb12u18+b3" \
    "qemu-system-data=1:7.2+dfsg-7+deb12u18" "seabios=1.16.2-1"
runs "$tmp/root/usr/bin/qemu-system-x86_64"
expect "bios-microvm.bin of qemu-system-data is a link to" "$(readlink "$tmp/root/usr/share/qemu/bios-microvm.bin")" qboot.rom
boot_sector "$tmp/disk" 2048
try() {
    boots -M microvm -device isa-debug-exit,iobase=0xf4,iosize=4 -device virtio-blk-device,drive=d \
        -drive "file=$tmp/disk,format=raw,if=none,id=d" "$@"
}
expect "without -bios" "$(try)" "does not boot"
expect "with SeaBIOS's" "$(try -bios "$tmp/root/usr/share/seabios/bios-microvm.bin")" "boots"
