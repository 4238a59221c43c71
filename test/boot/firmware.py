"""The whole system on firmware that misbehaves: firmware.asm stands between the BIOS and the MBR and does what a case
says. Each ends in one of three ways: the program runs to its end, a sentence, or the MBR's letter. boot/firmware.md
lists what real machines did."""
import importlib
import re
import struct
import sys
import time

import memmap
import vm

SOURCE = vm.ROOT / "test/boot/firmware.asm"
DOCUMENT = vm.ROOT / "boot/firmware.md"
SECTOR = 512
MAP = int(re.search(r"(?m)^MAP +equ (\d+)", SOURCE.read_text())[1])
SECTORS = int(re.search(r"(?m)^SECTORS +equ (\d+)", SOURCE.read_text())[1])
SAID = b"hello\narg hello\narg two words\n"
VGA = ["-vga", "std"]
GIB = 1 << 30
SPARSE = ["-object", "memory-backend-ram,id=m0,size=6G,reserve=off"]


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
    """What the firmware does, and what comes of it: status 0, an error that says something, or a letter. trace: what is
    found in what the firmware was asked, so that the fault was there. kept: KiB from which on memory is the firmware's."""

    def __init__(self, *, says=None, letter=None, trace="", com1=SAID, change=None, log=None, kept=620, machine="pc",
                 cpu="max", memory="256M", extra=(), hang=vm.HANG, **firmware):
        self.says, self.letter, self.trace, self.com1, self.log, self.kept = says, letter, trace, com1, log, kept
        self.change, self.firmware = change, firmware
        self.machine = dict(machine=machine, cpu=cpu, memory=memory, hang=hang)
        self.extra = extra

    def run(self):
        with vm.directory() as tmp:
            image = vm.mkimage(tmp / "disk.img", vm.guest("hello"), ["two words"], name="hello")
            if self.change:
                data = bytearray(image.read_bytes())
                self.change(data)
                image.write_bytes(data)
            extra = [*self.extra, "-drive", f"file={image},format=raw,if=virtio,index=1", "-chardev",
                     f"file,id=t,path={tmp}/trace", "-device", "isa-debugcon,iobase=0x403,chardev=t"]
            result = vm.qemu(shim(tmp / "first.img", **self.firmware), extra=extra, until=self.letter, **self.machine)
            trace = vm.read(tmp / "trace").decode()
        if self.letter:
            vm.expect("COM1 and log", (result.com1, result.log), (self.letter, ""))
        elif self.says:
            result.expect_unfit(self.says)
        else:
            result.expect(0, self.com1)
            for start, count, size in re.findall(r"memory: 0x\w+ (0x\w+) (\d+) (\w\w)\n", result.log):
                end = int(start, 16) + int(count) * {"4K": 4096, "2M": 2 << 20, "1G": GIB}[size]
                if int(start, 16) < 1 << 20 and end > self.kept << 10:
                    raise vm.Failed(f"{start} to {end:#x} is given out; the firmware keeps what lies above {self.kept} KiB")
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
    "nothing wrong": Case(trace="^m+ealge+$"),
    "registers trashed": Case(trash=3, extra=VGA),
    "flags trashed, IF off, DF on": Case(trash=3, flags_keep=~IF & 0xFFFF, flags_set=ALL_FLAGS | DF, extra=VGA),
    "IF on after each call": Case(trash=3, flags_set=IF, timer=200),  # 6 kHz
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
    "corrected errors": Case(fault=1, fault_status=0x11, fail_from=2, fail_count=999, trace="^m+ealgE+$"),
    "DL 00 for a hard disk": Case(start_dl=0, trace="x.*e"),
    "DL FF, CS 07C0": Case(start_dl=0xFF, start_cs=0x7C0),
    "drive 81h": Case(start_dl=0x81, drive=0x81, log="drive 81h"),
    "LBA 0 shifted": Case(lba_shift=1, letter=b"L"),
    "BPB and table rewritten": Case(pokes={0x15: 0xF0, 0x1C: 1, 0x1D: 2, 0x1E: 3, 0x1F: 4, 0x24: 0x29, 0x1B8: 7, 0x1BE: 0, 0x1C2: 7},
                                    change=lambda data: (windows(data), every_field(data))),
    "A20 off, and off again after each read": Case(a20_off=3, a20_call=1, trace="a"),
    "memory ends at 512 KiB, EBDA of 64 KiB": Case(memory_kib=512, ebda=0x9000, kept=512),
    "EBDA of 64 KiB": Case(memory_kib=620, ebda=0x9000, kept=576),
    "graphics mode at the start": Case(video_mode=6, machine="pc,smm=off", extra=VGA, trace="v.*v"),  # SeaBIOS in SMM and this mode share 0xa0000
    "map without end": Case(map=LOW + HIGH, map_mode=2, letter=b"E", trace="^m{615}t?$"),
    "map ends by CF, 24 bytes, changed fields only": Case(map=LOW + HIGH, map_mode=1 | 4 | 8, trace="^m{4}e"),
}


MORE = {  # and ./build.sh test all
    **{f"EDD of at most {count} sectors{text}": Case(edd_most=count, over=over, trace="E")
       for count in (2, 16, 64) for over, text in ((0, ""), (1, ", CF behind them"))},
    "EDD of 16 sectors, fewer come": Case(edd_most=16, over=2, letter=b"L"),
    "EDD fails for odd numbers": Case(size_mask=1, trace="E"),
    "EDD fails from 64 sectors on": Case(size_mask=64, trace="E"),
    "EDD absent, one sector by CHS": Case(edd=0, chs_most=1, trace="C"),
    "EDD absent, nine sectors by CHS": Case(edd=0, chs_most=9, over=1, trace="C"),
    "EDD absent, geometry with CF": Case(edd=0, geometry_carry=1, trace="g"),
    "geometry of no sectors": Case(spt_told=0),
    "one sector by EDD, no geometry": Case(spt_told=0, edd_most=1, trace="E"),
    "superfloppy whose geometry lies": Case(spt=90, spt_told=26, fail_every=3),
    "AH=48h says sectors of 0 bytes": Case(sector_size=0, trace="^[^kp]*$"),
    "floppy by CHS": Case(start_dl=0, drive=0, edd=0, spt=18, spt_told=18, heads=2, fail_every=7, log="drive 00h .CHS"),
    "floppy without geometry": Case(start_dl=0, drive=0, edd=0, spt=18, spt_told=0, heads=2),
    **{f"read {first} fails" + (f" {count} times" if count > 1 else ""): Case(fail_from=first, fail_count=count, trace="E")
       for first in range(1, 6) for count in (1, 3)},  # there are five
    **{f"every read but each second fails with {status:02X}h": Case(fail_every=2, fault_status=status)
       for status in (0x01, 0x06, 0x10, 0x20, 0x40, 0x80, 0xAA)},
    "an error stays until the reset": Case(fail_every=4, sticky=1, trace="Er"),
    "an error stays until the reset, by CHS": Case(edd=0, fail_every=20, sticky=1, trace="Cr"),
    "half a read, then an error": Case(fail_every=2, fault=3),
    "reads stop working": Case(fail_from=4, fail_count=9999, com1=b"", says="cannot read sector .* .status 04h"),
    "reads never work": Case(fail_count=9999, letter=b"D", trace="^m+([Er]{16}|(gCr){8})+t?$"),
    "nothing arrives in the loader": Case(fault=4, fail_count=9999, letter=b"L"),
    "nothing arrives behind it": Case(fault=4, fail_from=2, fail_count=1, com1=b"", says="no header"),
    "nothing arrives in the kernel": Case(fault=4, fail_from=3, fail_count=1, com1=b"", says="CRC"),
    "registers trashed, by CHS": Case(edd=0, trash=3, flags_set=ALL_FLAGS | DF, extra=VGA),
    "slow reads": Case(slow=10, log=r"read \d+ of \d+ KiB, \d+ KiB/s\n"),
    "slow reads, screen and BIOS switch A20 off": Case(slow=10, a20_off=7, a20_call=1, extra=VGA, log="KiB/s"),
    **{f"DL {number:02X} with {drive:02X}h": Case(start_dl=number, drive=drive, log=f"drive {drive:02x}h")
       for number, drive in ((0x7F, 0x80), (0x90, 0x80), (0x01, 0x80), (0x8F, 0x8F))},
    **{f"{name} at the start": Case(start_flags=flags) for name, flags in (("IF off", 2), ("DF", 0x602), ("every flag", 0x7ED7))},
    "signature of Windows": Case(change=windows),
    "table of nonsense": Case(change=rewritten_table),
    "LBA 0 shifted by a track": Case(lba_shift=63, letter=b"L"),
    "setting a video mode hangs": Case(mode_hangs=1, extra=VGA, trace="^[^v]*$"),
    "A20 by the BIOS": Case(a20_off=1, trace="a"),
    "A20 by the BIOS, off after each read": Case(a20_off=3, trace="a"),
    "A20 by the keyboard controller": Case(a20_off=3, a20_call=2),
    "CPUID cut off at leaf 3": Case(cpu="max,level=3"),
    "no-execute switched off": Case(cpu="max,nx=off"),
    "memory ends at 400 KiB": Case(memory_kib=400, map=[(0, 0x64000, 1), (0x64000, 0x9C000, 2)] + HIGH),
    "memory where vmos boots is reserved": Case(map=[(0, 0x2F000, 1), (0x2F000, 0x71000, 2)] + HIGH, com1=b"", says="keeps memory at 0x2f000"),
    "no memory above 1 MiB": Case(map=LOW, com1=b"", says="above 1 MiB"),
    "memory above 4 GiB only": Case(map=LOW + [(4 * GIB, GIB, 1)], com1=b"", says="below 4 GiB is 620 KiB"),
    "map that lost its signature": Case(map=LOW + HIGH, map_mode=16, letter=b"E"),
    "map of 614 entries": Case(map=LOW + HIGH + [(GIB + (n << 20), 4096, 2) for n in range(611)]),
    "map of 615 entries": Case(map=LOW + HIGH + [(GIB + (n << 20), 4096, 2) for n in range(612)], letter=b"E"),
    **{f"map {path.stem}": Case(map=memmap.read(path), memory="6G", machine="pc,memory-backend=m0", extra=SPARSE,
                                **({"com1": b"", "says": "keeps memory at 0x1000"} if path.stem[:2] == "01" else {}))
       for path in sorted((vm.ROOT / "test/maps/hostile").glob("*.e820"))},
}


def screen_of(machine):
    """Its text, without the blanks at the ends of lines."""
    memory = machine.physical(0xB8000, 80 * 25 * 2)[::2].decode("cp437")
    return "\n".join(memory[at:at + 80].rstrip(" \0") for at in range(0, len(memory), 80))


def on_the_screen(wanted, until, **firmware):
    """What MBR and loader say reaches the screen although int 10h loses every register."""
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", vm.guest("nap"))
        extra = [*VGA, "-drive", f"file={image},format=raw,if=virtio,index=1"]
        with vm.Running(shim(tmp / "first.img", trash=3, flags_set=ALL_FLAGS, **firmware), extra=extra) as machine:
            machine.wait(until)
            time.sleep(0.2)  # the letter goes to COM1 first
            screen = screen_of(machine)
            if not re.search(wanted, screen):
                raise vm.Failed(f"the screen shows {screen!r}, not {wanted!r}")


def in_bochs(**firmware):
    """Bochs checks what QEMU does not: segments, reserved bits, the real state behind long mode."""
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", vm.guest("hello"), ["two words"], name="hello")
        first = shim(tmp / "first.img", **firmware)
        with open(first, "ab") as disk:
            disk.truncate(16 * 63 * SECTOR)
        vm.bochs(image, first=first, cpu="corei7_sandy_bridge_2600k").expect(0, SAID)


def document():
    """Every failure is in it, and whatever test or file it names exists."""
    text = DOCUMENT.read_text()
    vm.expect("numbers of failures", [int(number) for number in re.findall(r"(?m)^\| (\d+) \|", text)], list(range(1, 44)))
    sys.path.append(str(vm.ROOT / "test"))
    names = {name for name, _ in importlib.import_module("run").collect(True)}
    spans = [span for span in re.findall(r"`([^`]+)`", text) if "/" in span and not span.startswith("./")]
    vm.expect("more than 43 names", len(spans) > 43, True)
    vm.expect("names of nothing", [span for span in spans if span not in names and not (vm.ROOT / span).exists()], [])


def tests():
    yield "the document", document
    for name, case in BASIC.items():
        yield name, case.run
    yield "letter on the screen, registers trashed", lambda: on_the_screen("(?m)^L|L$", b"L", lba_shift=1)


def more_tests():
    for name, case in MORE.items():
        yield name, case.run
    yield "progress on the screen, registers trashed", lambda: on_the_screen(
        r"vmos: loader: read \d+ of \d+ KiB, \d+ KiB/s\nvmos: loader: ", b"asleep", slow=10)
    yield "registers and flags trashed, in Bochs", lambda: in_bochs(trash=3, flags_set=ALL_FLAGS | DF, edd_most=16)
    yield "A20 off after each read, in Bochs", lambda: in_bochs(a20_off=3, a20_call=1)
    yield "EDD absent, IF off, in Bochs", lambda: in_bochs(edd=0, flags_keep=~IF & 0xFFFF, trash=3)
