"""Every medium a PC can boot from, on every machine: the table of loader/README.md says of each how it
is read, and this keeps it true. How media are read: how many calls, how fast, what is left behind."""
import functools
import os
import re
import shutil
import time

import vm

MACHINES = {"pc": "max", "q35": "max", "isapc": "qemu64", "Bochs": "corei7_haswell_4770"}  # and the CPU
ROWS = {  # what the table calls a medium, what vm.MEDIA calls it, and on which machine the quick tests have it
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


def exists(machine, medium):
    return medium in IN_BOCHS if machine == "Bochs" else (machine, medium) in vm.MEDIA


@functools.cache
def cell(machine, medium):
    """Boots hello, and says how the loader came to read the image: "EDD 127 (7)", the BIOS calls in parentheses; "-"
    where there is no such thing."""
    if not exists(machine, medium):
        return "-"
    if machine == "Bochs":
        with vm.directory() as tmp:
            image = vm.images(tmp, vm.guest("hello"), ["two words"], medium=medium, name="hello")
            result = vm.bochs(image, cpu=MACHINES[machine], medium=IN_BOCHS[medium])
    else:
        result = vm.boot(vm.guest("hello"), ["two words"], medium=medium, machine=machine, cpu=MACHINES[machine], name="hello")
    result.expect(0, b"hello\narg hello\narg two words\n")
    return "{} {} ({})".format(*how_read(result.log))


def how_read(log):
    """EDD or CHS, sectors a call, BIOS calls."""
    said = re.search(r"KiB from drive [0-9a-f]+h \((EDD|CHS), (\d+) sectors a call, (\d+) BIOS calls\)", log)
    if not said:
        raise vm.Failed(f"the log does not say how the image was read: {vm.short(log)}")
    return said[1], int(said[2]), int(said[3])


def promised():
    """The table of loader/README.md: {(machine, row): cell}."""
    lines = [[word.strip() for word in line.strip("|").split("|")]
             for line in (vm.ROOT / "loader/README.md").read_text().splitlines() if line.startswith("|")]
    head = next((i for i, words in enumerate(lines) if words[0] == "medium" and "isapc" in words), None)
    if head is None:
        raise vm.Failed("loader/README.md has no table of media")
    rows = lines[head + 2:head + 2 + len(ROWS)]
    return {(machine, words[0]): word for words in rows for machine, word in zip(lines[head][1:], words[1:])}


def as_promised(machine, row):
    """All but the number of calls, which changes with the size of the image: that is for the whole matrix to see."""
    wanted = promised().get((machine, row), "no such row or column")
    vm.expect(f"{row} on {machine} and in the table", cell(machine, ROWS[row][0]).split(" (")[0], wanted.split(" (")[0])


def matrix():
    """Writes the table to out/matrix.md. loader/README.md has it, but for the numbers of calls, which
    change with the image."""
    lines = [["medium", *MACHINES]]
    lines += [[row, *(cell(machine, medium) for machine in MACHINES)] for row, (medium, _) in ROWS.items()]
    lines = [f"| {' | '.join(words)} |\n" for words in lines]
    (vm.OUT / "matrix.md").write_text("".join([lines[0], "|---" * (1 + len(MACHINES)) + "|\n", *lines[1:]]))
    files = vm.OUT / "matrix.md", vm.ROOT / "loader/README.md"
    how, text = (re.sub(r" \(\d+\)", "", file.read_text()) for file in files)
    vm.expect("out/matrix.md is in loader/README.md, but for the numbers of calls", how in text, True)


def boots_in_bochs(medium, cpu):
    with vm.directory() as tmp:
        image = vm.images(tmp, vm.guest("hello"), ["in Bochs"], medium=medium, name="hello")
        result = vm.bochs(image, cpu=cpu, medium=IN_BOCHS[medium]).expect(0, b"hello\narg hello\narg in Bochs\n")
    rates = [int(rate) for rate in re.findall(r"KiB, (\d+) KiB/s", result.log)]
    vm.expect(f"progress {rates}, 5 tracks of 9 KiB a second", medium != "floppy" or
              len(rates) >= 3 and all(38 <= rate <= 48 for rate in rates), True)


def damaged_cd():
    """A sector of the image cannot be read; the image ends too soon; a byte is wrong."""
    with vm.directory() as tmp:
        image = vm.images(tmp, vm.guest("hello"), medium="cd ide", name="hello")
        sector = image.stat().st_size // 2048 - 8
        rules = tmp / "rules"
        rules.write_text(f'[inject-error]\nevent = "read_aio"\nerrno = "5"\nsector = "{4 * sector}"\nonce = "off"\n')
        vm.qemu(f"blkdebug:{rules}:{image}", medium="cd ahci").expect_unfit(
            rf"cannot read sector {sector} of drive e0h \(status [0-9a-f]+h\)")
        contents = bytearray(image.read_bytes())
        contents[2048 * sector] ^= 1
        image.write_bytes(contents)
        vm.qemu(image, medium="cd ide").expect_unfit("the image is damaged: its program")
        os.truncate(image, 2048 * sector)
        vm.qemu(image, medium="cd ide").expect_unfit("cannot read sector|damaged")


def large(megabytes, limit, **machine):
    """A program of so many MiB takes at most so many BIOS calls."""
    with vm.directory() as tmp:
        shutil.copy(vm.guest("hello"), tmp / "large")
        os.truncate(tmp / "large", megabytes << 20)
        result = vm.boot(tmp / "large", name="large", memory="1G", **machine).expect(0, b"hello\narg large\n")
    calls = how_read(result.log)[2]
    if calls > limit:
        raise vm.Failed(f"{calls} BIOS calls for {megabytes} MiB")


def text_screen(machine):
    cells = machine.physical(0xB8000, 80 * 25 * 2)[::2].decode("latin1")
    return [cells[row * 80:row * 80 + 80].rstrip() for row in range(25)]


def progress():
    """A disk that answers eight times a second: every second a line with the rate, on the screen and in the log."""
    with vm.directory() as tmp:
        shutil.copy(vm.guest("hello"), tmp / "large")
        os.truncate(tmp / "large", 2 << 20)
        image = vm.mkimage(tmp / "disk.img", tmp / "large", input=None)
        rate = 8 * 127 / 2
        with vm.Running(image, medium="ahci", extra=["-vga", "std", "-set", "drive.d.throttling.iops-total=8"]) as machine:
            vm.wait_for(machine.tmp / "log", b"KiB/s\n", machine.process)
            machine.connect()
            first = machine.log().splitlines()[0]
            end = time.monotonic() + vm.HANG
            while first not in text_screen(machine):  # a line is in the log before it is on the screen
                if time.monotonic() > end or machine.process.poll() is not None:
                    raise vm.Failed(f"the screen does not show {first!r}")
            machine.process.wait(vm.HANG)
            lines = [line for line in machine.log().splitlines() if "KiB/s" in line]
        said = [re.fullmatch(r"vmos: loader: read (\d+) of (\d+) KiB, (\d+) KiB/s", line) for line in lines]
        vm.expect("lines of progress", len(said) >= 3 and None not in said, True)
        done = [int(match[1]) for match in said]
        vm.expect(f"progress {done}", done == sorted(set(done)) and done[-1] <= int(said[0][2]), True)
        for match in said[1:]:
            if not 0.7 * rate <= int(match[3]) <= 1.3 * rate:
                raise vm.Failed(f"{match[3]} KiB/s, not about {rate:.0f}: {lines}")


def floppy_motor():
    """On while the loader reads, off while the program runs."""
    def motors(machine):
        return int(machine.monitor("i/b 0x3f2").split("=")[1], 16) >> 4
    with vm.directory() as tmp:
        image = vm.images(tmp, vm.guest("tty"), medium="floppy", input=None)
        with vm.Running(image, medium="floppy", machine="q35",
                        extra=["-set", "drive.d.throttling.iops-total=300"]) as machine:
            while not (machine.tmp / "qmp").exists():
                time.sleep(0.01)
            machine.connect()
            end = time.monotonic() + vm.HANG
            while motors(machine) != 1:
                vm.expect("the motor never ran", time.monotonic() > end, False)
            vm.wait_for(machine.com1, b"isatty", machine.process)
            vm.expect("motors", motors(machine), 0)


def tests():
    yield "progress", progress
    yield "floppy motor", floppy_motor
    yield "damaged CD", damaged_cd
    for medium in "usb", "ahci", "virtio":
        yield f"16 MiB from {medium}", lambda m=medium: large(16, 300, machine="q35", medium=m)
    for row, (_, machine) in ROWS.items():
        if machine:
            yield f"{row} on {machine}", lambda t=machine, r=row: as_promised(t, r)
    for medium in "ide", "cd ide":
        yield f"bochs {medium} without 1 GiB pages", lambda m=medium: boots_in_bochs(m, "corei7_sandy_bridge_2600k")


def more_tests():
    """The table comes last, so that it finds what the other tests have seen."""
    yield "256 MiB program", lambda: large(256, 4200)
    yield "bochs floppy without 1 GiB pages", lambda: boots_in_bochs("floppy", "corei7_sandy_bridge_2600k")
    for row, (medium, quick) in ROWS.items():
        for machine in MACHINES:
            if machine != quick and exists(machine, medium):
                yield f"{row} on {machine}", lambda t=machine, r=row: as_promised(t, r)
    yield "matrix", matrix
