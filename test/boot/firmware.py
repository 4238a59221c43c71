"""The whole system on firmware that misbehaves: firmware.asm stands between the BIOS and the MBR and does what a case
says. Each ends in one of three ways: the program runs to its end, a sentence, or the MBR's letter. boot/firmware.md
lists what real machines did."""
import importlib
import re
import struct

import broken
import vm

SOURCE = vm.ROOT / "test/boot/firmware.asm"
DOCUMENT = vm.ROOT / "boot/firmware.md"
SECTOR = 512
MAP = int(re.search(r"(?m)^MAP +equ (\d+)", SOURCE.read_text())[1])
SECTORS = int(re.search(r"(?m)^SECTORS +equ (\d+)", SOURCE.read_text())[1])
SAID = b"hello\narg hello\narg two words\n"
VGA = ["-vga", "std"]


def words():
    """Where each word of firmware.asm lies, from nasm's own listing."""
    with vm.directory() as tmp:
        vm.run(["nasm", "-f", "bin", "-l", tmp / "list", "-o", tmp / "sector", SOURCE])
        listing = re.findall(r"(?m)^ *\d+ ([0-9A-F]{8}) \S+(?: \w+>)? +(\w+) +(?:times \d+ )?dw ", (tmp / "list").read_text())
        places = {name: int(place, 16) for place, name in listing}
        return {name: place for name, place in places.items() if place < SECTOR}, (tmp / "sector").read_bytes()


def shim(path, **case):
    """Writes the disk that is booted. pokes: {offset: byte} of the sector in memory; map: entries of the memory map."""
    places, code = words()
    code = bytearray(code.ljust(SECTORS * SECTOR, b"\0"))
    entries = case.pop("map", [])
    for number, poke in enumerate(case.pop("pokes", {}).items()):
        struct.pack_into("<2H", code, places["pokes"] + 4 * number, *poke)
    for number, entry in enumerate(entries):
        struct.pack_into("<QQI", code, MAP + 20 * number, *entry)
    for name, value in {"map_count": len(entries), **case}.items():
        struct.pack_into("<H", code, places[name], value)
    path.write_bytes(code.ljust(1024 * SECTOR, b"\0"))
    return path


class Case:
    """What the firmware does, and what comes of it. trace: all of what it was asked matches this; fault: and this is
    somewhere in it, so that the fault was there."""

    def __init__(self, *, says=None, letter=None, trace="", com1=SAID, program=None, args=("two words",), change=None,
                 machine="pc", cpu="max", memory="256M", extra=(), log=None, hang=15, **firmware):
        self.says, self.letter, self.trace, self.com1, self.log = says, letter, trace, com1, log
        self.program, self.args, self.change, self.firmware = program, args, change, firmware
        self.machine = dict(machine=machine, cpu=cpu, memory=memory, hang=hang)
        self.extra = extra

    def run(self):
        with vm.directory() as tmp:
            image = vm.mkimage(tmp / "disk.img", self.program or vm.guest("hello"), self.args, name="hello")
            if self.change:
                data = bytearray(image.read_bytes())
                self.change(data)
                image.write_bytes(data)
            extra = [*self.extra, "-drive", f"file={image},format=raw,if=virtio,index=1", "-chardev",
                     f"file,id=t,path={tmp}/trace", "-device", "isa-debugcon,iobase=0x403,chardev=t"]
            result = vm.qemu(shim(tmp / "first.img", **self.firmware), extra=extra, until=self.letter, **self.machine)
            trace = vm.read(tmp / "trace").decode()
            print(trace)
        if self.letter:
            vm.expect("COM1 and log", (result.com1, result.log), (self.letter, ""))
        elif self.says:
            result.expect_unfit(self.says)
        else:
            result.expect(0, self.com1)
        if self.log:
            vm.expect(f"{self.log!r} in the log: {result.log[-900:]}", bool(re.search(self.log, result.log)), True)
        if not re.search(self.trace, trace):
            raise vm.Failed(f"the firmware was asked {vm.short(trace)}, not like {self.trace!r}")
        return result, trace


def windows(data):
    """What Windows writes when it meets a disk: its signature, and a type in the table."""
    data[0x1B8:0x1BE] = b"\x12\x34\x56\x78\0\0"
    data[0x1BE + 4] = 7


def every_field(data):
    """What BIOSes write for a stick they took for a floppy, on the medium itself."""
    data[0x15], data[0x24] = 0xF0, 0x80
    data[0x1C:0x20] = b"\1\2\3\4"


def rewritten_table(data):
    data[0x1BE:0x1FE] = bytes(range(64))


ALL_FLAGS = 0x78D5 & ~1  # OF, SF, ZF, AF, PF, IOPL, NT
IF, DF = 0x200, 0x400
LOW = [(0, 0x9B000, 1), (0x9B000, 0x65000, 2)]
HIGH = [(0x100000, 0xFE00000, 1)]

BASIC = {  # ./build.sh test
    "nothing wrong": Case(trace="^m+ea?l?"),
    "registers trashed": Case(trash=3, extra=VGA),
    "flags trashed, IF off, DF on": Case(trash=3, flags_keep=~IF & 0xFFFF, flags_set=ALL_FLAGS | DF, extra=VGA),
    "IF on after each call": Case(trash=3, flags_set=IF),
    "EDD absent": Case(edd=0, spt=32, spt_told=32, heads=64, trace="E.*c"),
    "EDD promised, reads fail": Case(edd=2, trace="E.*c"),
    "EDD of one sector": Case(edd_most=1, trace="E+.*e"),
    "EDD of 64 sectors, the rest is not read": Case(edd_most=64, over=1, trace="E"),
    "EDD of 64 sectors, fewer come": Case(edd_most=64, over=2, trace="E"),
    "EDD of 64 sectors, fewer come secretly": Case(edd_most=64, over=3, trace="E", says="damaged"),
    "every third read fails": Case(fail_every=3, trace="E"),
    "a wrong bit in the loader": Case(fault=2, fail_count=1, com1=b"", says="loader has a wrong CRC"),
    "a wrong bit in the kernel": Case(fault=2, fail_from=3, fail_count=1, com1=b"", says="its kernel .*CRC"),
    "carry without error": Case(fault=1, fault_status=0, fail_count=999, trace="^m+E"),
    "corrected errors": Case(fault=1, fault_status=0x11, fail_from=2, fail_count=999, trace="^m+eaE"),
    "DL 00 for a hard disk": Case(start_dl=0, trace="x.*e"),
    "DL FF, CS 07C0": Case(start_dl=0xFF, start_cs=0x7C0),
    "drive 81h": Case(start_dl=0x81, drive=0x81, log="drive 81h"),
    "LBA 0 shifted": Case(lba_shift=1, letter=b"L"),
    "BPB and table rewritten": Case(pokes={0x15: 0xF0, 0x1C: 1, 0x1D: 2, 0x1E: 3, 0x1F: 4, 0x24: 0x29, 0x1B8: 7, 0x1BE: 0, 0x1C2: 7},
                                    change=lambda data: (windows(data), every_field(data))),
    "A20 off, and off again after each read": Case(a20_off=3, a20_call=1, trace="a"),
    "A20 by port 92h alone": Case(a20_off=3, a20_call=2, machine="pc,i8042=off", trace="a"),
    "memory ends at 512 KiB, EBDA of 64 KiB": Case(memory_kib=512, ebda=0x9000),
    "graphics mode at the start": Case(video_mode=6, machine="pc,smm=off", extra=VGA, trace="v.*v"),  # SeaBIOS in SMM and this mode share 0xa0000
    "map without end": Case(map=LOW + HIGH, map_mode=2, letter=b"E", trace="^m{615}$"),
    "map ends by CF, 24 bytes, changed fields only": Case(map=LOW + HIGH, map_mode=1 | 4 | 8, trace="^m{4}e"),
}


def tests():
    for name, case in BASIC.items():
        yield name, case.run
