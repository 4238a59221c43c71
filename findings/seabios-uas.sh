#!/bin/sh
# SeaBIOS 1.16.2-1 in QEMU 1:7.2+dfsg-7+deb12u18: a disk on USB attached SCSI boots behind EHCI and not behind xHCI.
#
# Guess: SeaBIOS has a driver for UAS, so a usb-uas disk boots wherever a usb-storage disk does.
# Seen: behind qemu-xhci, where QEMU's usb-uas is a SuperSpeed device, SeaBIOS gives up on it ("Superspeed UAS devices not
#   supported (yet)" in its own log); behind usb-ehci the same disk boots, and usb-storage boots behind both.
# Why it matters: "UAS does not boot" and "UAS boots" are both true; which, the controller says.
. "$(dirname "$0")/common.sh"
fetch "qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3" "qemu-system-common=1:7.2+dfsg-7+deb12u18+b3" \
    "qemu-system-data=1:7.2+dfsg-7+deb12u18" "seabios=1.16.2-1"
runs "$tmp/root/usr/bin/qemu-system-x86_64"
boot_sector "$tmp/disk" 2048
try() {
    boots -device isa-debug-exit,iobase=0xf4,iosize=4 -drive "file=$tmp/disk,format=raw,if=none,id=d" "$@"
}
expect "UAS behind qemu-xhci" \
    "$(try -device qemu-xhci,id=u -device usb-uas,id=s,bus=u.0 -device scsi-hd,drive=d,bus=s.0)" "does not boot"
expect "UAS behind usb-ehci" \
    "$(try -device usb-ehci,id=u -device usb-uas,id=s,bus=u.0 -device scsi-hd,drive=d,bus=s.0)" "boots"
expect "usb-storage behind qemu-xhci" "$(try -device qemu-xhci,id=u -device usb-storage,drive=d,bus=u.0)" "boots"
