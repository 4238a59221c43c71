"""Broken images, media and programs: each gets its one line and status 125, never a silent hang or a reset."""
import contextlib
import struct

import gdb
import vm

SECTOR = 512
PARTS = ["kernel", "program", "input", "command"]


def crc32c(data):
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


class Image:
    """An image's bytes and where its parts lie (boot/image.h)."""

    def __init__(self, path):
        self.path = path
        self.bytes = bytearray(path.read_bytes())
        self.loader_bytes, = struct.unpack_from("<I", self.bytes, SECTOR + 8)
        self.header = SECTOR + self.loader_bytes
        vm.expect("the header's magic", bytes(self.bytes[self.header:self.header + 8]), b"vmosIMG\0")

    def entry(self, kind):
        return self.header + 32 + 24 * PARTS.index(kind)

    def part(self, kind):
        offset, length = struct.unpack_from("<QQ", self.bytes, self.entry(kind))
        return self.header + offset, length

    def replace_program(self, data):
        """Puts data in the program's place, with its CRC right, as no mkimage of ours would."""
        start, length = self.part("program")
        vm.expect("room for the program", len(data) <= length, True)
        self.bytes[start:start + len(data)] = data
        struct.pack_into("<QI", self.bytes, self.entry("program") + 8, len(data), crc32c(data))
        struct.pack_into("<I", self.bytes, self.header + 12, 0)
        crc = crc32c(self.bytes[self.header:self.header + SECTOR])
        struct.pack_into("<I", self.bytes, self.header + 12, crc)

    def boot(self, **machine):
        self.path.write_bytes(self.bytes)
        return vm.qemu(self.path, **machine)


@contextlib.contextmanager
def image(program=None, **more):
    with vm.directory() as tmp:
        yield Image(vm.mkimage(tmp / "disk.img", program or vm.guest("hello"), input=b"some input" * 100, **more))


def flipped(place, pattern):
    with image() as broken:
        start, length = {"loader": (2 * SECTOR, broken.loader_bytes - SECTOR), "header": (broken.header, 160)}.get(
            place) or broken.part(place)
        broken.bytes[start + length // 2] ^= 0x10
        broken.boot().expect_unfit(pattern)


def flipped_in_every_header_byte():
    """Every fifth byte of the header, each time another bit."""
    with image() as broken:
        for at in range(0, 160, 5):
            broken.bytes[broken.header + at] ^= 1 << at % 8
            broken.boot().expect_unfit("image")
            broken.bytes[broken.header + at] ^= 1 << at % 8


def truncated(place):
    """From IDE: SeaBIOS does not even start from a small virtio disk (findings/seabios-virtio-disk.sh)."""
    with image() as broken:
        start, length = broken.part(place)
        del broken.bytes[start + length // 2:]
        broken.boot(medium="ide").expect_unfit("sector|damaged")


def stops_in_the_boot_sector(letter, image, **machine):
    """It gives its letter, and waits for Ctrl-Alt-Del."""
    result = vm.qemu(image, until=letter, **machine)
    vm.expect("COM1", result.com1, letter)
    vm.expect("log", result.log, "")


def no_loader():
    with image() as broken:
        broken.bytes[2 * SECTOR:] = bytes(len(broken.bytes) - 2 * SECTOR)
        broken.path.write_bytes(broken.bytes)
        stops_in_the_boot_sector(b"L", broken.path)


def blkdebug(path, sector):
    """What QEMU opens instead of path, so that reading the sector fails."""
    rules = path.with_suffix(".rules")
    rules.write_text(f'[inject-error]\nevent = "read_aio"\nerrno = "5"\nsector = "{sector}"\nonce = "off"\n')
    return f"blkdebug:{rules}:{path}"


def read_error(kind):
    with image() as whole:
        if kind == "loader":
            stops_in_the_boot_sector(b"D", blkdebug(whole.path, 3))
            return
        start, length = whole.part(kind)
        vm.qemu(blkdebug(whole.path, (start + length // 2) // SECTOR)).expect_unfit("sector")


def refused(data, pattern):
    """mkimage says no, in one line."""
    with vm.directory() as tmp:
        (tmp / "program").write_bytes(data)
        try:
            vm.mkimage(tmp / "disk.img", tmp / "program")
        except vm.Failed as failure:
            vm.expect_in("what mkimage said", pattern, str(failure))
            vm.expect("an image was written", (tmp / "disk.img").exists(), False)
        else:
            raise vm.Failed("mkimage took it")


def forced(data, pattern):
    """The same in the image all the same: the kernel says no."""
    with vm.directory() as tmp:
        room = tmp / "room"
        room.write_bytes(vm.guest("hello").read_bytes() + bytes(len(data)))
        with image(room) as broken:
            broken.replace_program(data)
            broken.boot().expect_unfit(pattern)


def patched(offset, value):
    data = bytearray(vm.guest("hello").read_bytes())
    data[offset:offset + len(value)] = value
    return bytes(data)


def i386():
    """Class 1 and machine 3: Linux looks at the machine alone."""
    return patched(4, b"\x01" + vm.guest("hello").read_bytes()[5:18] + b"\x03\0")


def dynamic():
    return vm.compile_guest("test/guest/hello.c", "gcc", "-pie").read_bytes()


ELVES = {  # what is wrong: how to make it, what must be said about it
    "another machine": (lambda: patched(18, b"\xb7\0"), "another processor"),
    "32-bit": (i386, "32-bit"),
    "dynamic": (dynamic, "dynamic"),
    "no ELF": (lambda: b"#!/bin/sh\necho no\n" * 10, "ELF"),
}


def too_big(memory):
    """A program file larger than memory."""
    with vm.directory() as tmp:
        big = tmp / "big"
        big.write_bytes(vm.guest("hello").read_bytes())
        with open(big, "r+b") as file:
            file.truncate(40 << 20)
        with image(big) as whole:
            whole.boot(memory=memory).expect_unfit("KiB")


LOW_PARTS = ["ap_start", "ap_root", "firmware", "loader", "handover"]  # struct boot_low, the last of boot_info


def boot_info(changes, last, wanted, program="hello", args=()):
    """What the loader says is changed before the kernel looks at it; 2 CPUs. changes: version, or parts of low memory."""
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", vm.guest(program), args)
        with gdb.Stopped(image, extra=["-smp", "2"]) as machine:
            machine.gdb.run_to(gdb.address("kernel_entry") + 0x100000 - gdb.KERNEL_BASE)
            info = machine.gdb["rdi"]
            size, = struct.unpack("<I", machine.gdb.read(info + 12, 4))
            for name, value in changes.items():
                if name == "version":
                    machine.gdb.write(info + 8, struct.pack("<I", value))
                else:
                    place = info + size - 16 * (len(LOW_PARTS) - LOW_PARTS.index(name))
                    machine.gdb.write(place, struct.pack("<QQ", *value))
            machine.gdb.go()
            machine.process.wait(vm.HANG)
            log = machine.log()
    vm.expect_in("the log", wanted, log)
    vm.expect("last line", log.splitlines()[-1], last)


BOOT_INFOS = {
    "of another version": ({"version": 3}, "vmos: exit 125", "version 3, "),
    "CPUs would start in the BIOS's memory": (
        {"ap_start": (0x9F000, 0x1000)}, "vmos: exit 125",
        "vmos! boot_info of the loader: page where other CPUs start, 0x1000 bytes at 0x9f000, is not usable memory from here on: 0x9f000"),
    "no page for other CPUs": ({"ap_start": (0, 0)}, "vmos: exit 0", "vmos! cpus: 1 are left off: "),
    "CPUs start elsewhere": ({"ap_start": (0x9E000, 0x1000), "ap_root": (0x3456000, 0x1000)}, "vmos: exit 0",
                             "vmos: cpus: 2 of 2 run\n", "cpus", ["2"]),
}


def tests():
    for place, pattern in [("loader", "loader"), ("header", "image"), ("kernel", "kernel"), ("program", "program"),
                           ("input", "input"), ("command", "command")]:
        yield f"flipped byte in the {place}", lambda p=place, t=pattern: flipped(p, t)
    yield "flipped bits over the header", flipped_in_every_header_byte
    for place in "kernel", "program", "command":
        yield f"truncated in the {place}", lambda p=place: truncated(p)
    yield "no loader behind the boot sector", no_loader
    for kind in "loader", "kernel", "program":
        yield f"read error in the {kind}", lambda k=kind: read_error(k)
    for name, (make, pattern) in ELVES.items():
        yield f"{name} refused", lambda m=make, p=pattern: refused(m(), p)
        yield f"{name} forced", lambda m=make, p=pattern: forced(m(), p)
    for name, case in BOOT_INFOS.items():
        yield f"boot_info, {name}", lambda c=case: boot_info(*c)
    yield "program bigger than memory", lambda: too_big("32M")
