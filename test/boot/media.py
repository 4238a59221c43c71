"""Every medium a PC can boot from, on every machine: the README's table says of each how it is read, and this keeps it
true. How media are read: how many calls, how fast, what is left behind."""
import functools
import os
import re
import shutil
import struct
import time

import vm

MACHINES = {"pc": "max", "q35": "max", "isapc": "qemu64", "Bochs": "corei7_haswell_4770"}  # and the CPU
ROWS = {  # what the README calls a medium, what vm.MEDIA calls it, and on which machine the quick tests have it
    "disk, IDE": ("ide", "isapc"),
    "disk, AHCI": ("ahci", "q35"),
    "disk, NVMe": ("nvme", "q35"),
    "disk, virtio-blk": ("virtio", "pc"),
    "disk, virtio-scsi": ("virtio-scsi", "pc"),
    "disk, SCSI: LSI 53C895A": ("lsi", "pc"),
    "disk, SCSI: MegaRAID": ("megasas", "q35"),
    "SD card": ("sd", "q35"),
    "USB stick, xHCI": ("usb", "q35"),
    "USB stick, EHCI": ("usb ehci", "pc"),
    "USB stick, OHCI": ("usb ohci", None),
    "USB stick, UHCI": ("usb uhci", None),
    "floppy image on a USB stick": ("usb floppy", "pc"),
    "floppy": ("floppy", "pc"),
    "CD, IDE": ("cd ide", "pc"),
    "CD, AHCI": ("cd ahci", "q35"),
    "CD, USB": ("cd usb", "q35"),
    "CD, SCSI": ("cd scsi", "pc"),
}
IN_BOCHS = {"ide": "disk", "floppy": "floppy", "cd ide": "cdrom"}


@functools.cache
def cell(machine, medium):
    """Boots hello, and says how the loader came to read the image: "EDD 127 (7)", the BIOS calls in parentheses; "-"
    where there is no such thing."""
    if machine == "Bochs" and medium in IN_BOCHS:
        with vm.directory() as tmp:
            image = vm.images(tmp, vm.guest("hello"), ["two words"], medium=medium, name="hello")
            result = vm.bochs(image, cpu=MACHINES[machine], medium=IN_BOCHS[medium])
    elif (machine, medium) in vm.MEDIA:
        result = vm.boot(vm.guest("hello"), ["two words"], medium=medium, machine=machine, cpu=MACHINES[machine], name="hello")
    else:
        return "-"
    result.expect(0, b"hello\narg hello\narg two words\n")
    return "{} {} ({})".format(*how_read(result.log))


def how_read(log):
    """EDD or CHS, sectors a call, BIOS calls."""
    said = re.search(r"KiB from drive [0-9a-f]+h \((EDD|CHS), (\d+) sectors a call, (\d+) BIOS calls\)", log)
    if not said:
        raise vm.Failed(f"the log does not say how the image was read: {vm.short(log)}")
    return said[1], int(said[2]), int(said[3])


def promised():
    """The README's table: {(machine, row): cell}."""
    lines = [[word.strip() for word in line.strip("|").split("|")]
             for line in (vm.ROOT / "README.md").read_text().splitlines() if line.startswith("|")]
    head = next((i for i, words in enumerate(lines) if words[0] == "medium" and "isapc" in words), None)
    if head is None:
        raise vm.Failed("the README has no table of media")
    rows = lines[head + 2:head + 2 + len(ROWS)]
    return {(machine, words[0]): word for words in rows for machine, word in zip(lines[head][1:], words[1:])}


def as_promised(machine, row):
    """All but the number of calls, which changes with the size of the image."""
    wanted = promised().get((machine, row), "no such row or column")
    vm.expect(f"{row} on {machine} and in the README", cell(machine, ROWS[row][0]).split(" (")[0], wanted.split(" (")[0])


def matrix():
    """Writes the table to out/matrix.md, as the README has it."""
    lines = [["medium", *MACHINES], ["---"] * (1 + len(MACHINES))]
    lines += [[row, *(cell(machine, medium) for machine in MACHINES)] for row, (medium, _) in ROWS.items()]
    (vm.OUT / "matrix.md").write_text("".join(f"| {' | '.join(words)} |\n" for words in lines))
    for row in ROWS:
        for machine in MACHINES:
            as_promised(machine, row)


def boots_in_bochs(medium, cpu):
    with vm.directory() as tmp:
        image = vm.images(tmp, vm.guest("hello"), ["in Bochs"], medium=medium, name="hello")
        vm.bochs(image, cpu=cpu, medium=IN_BOCHS[medium]).expect(0, b"hello\narg hello\narg in Bochs\n")


def large(megabytes, limit, **machine):
    """A program of so many MiB takes at most so many BIOS calls."""
    with vm.directory() as tmp:
        shutil.copy(vm.guest("hello"), tmp / "large")
        os.truncate(tmp / "large", megabytes << 20)
        result = vm.boot(tmp / "large", name="large", memory="1G", **machine).expect(0, b"hello\narg large\n")
    calls = how_read(result.log)[2]
    if calls > limit:
        raise vm.Failed(f"{calls} BIOS calls for {megabytes} MiB")


def tests():
    for medium in "usb", "ahci", "virtio":
        yield f"16 MiB from {medium}", lambda m=medium: large(16, 300, machine="q35", medium=m)
    for row, (_, machine) in ROWS.items():
        if machine:
            yield f"{row} on {machine}", lambda t=machine, r=row: as_promised(t, r)
    for medium in IN_BOCHS:
        yield f"bochs {medium} without 1 GiB pages", lambda m=medium: boots_in_bochs(m, "corei7_sandy_bridge_2600k")


def more_tests():
    """The table comes last, so that it finds what the other tests have seen."""
    yield "256 MiB program", lambda: large(256, 4200)
    for row, (medium, quick) in ROWS.items():
        for machine in MACHINES:
            if machine != quick:
                yield f"{row} on {machine}", lambda t=machine, r=row: as_promised(t, r)
    yield "matrix", matrix
