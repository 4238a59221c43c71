"""An image where it lies: verify, words and usb, on files and on loop devices where root may make them."""
import contextlib
import os
import re
import shutil
import struct
import subprocess

import broken
import vm
from command import build_sh

SECTOR, UNIT, FLOPPY = 512, 16 * 63 * 512, 1474560
TABLE = 446


@contextlib.contextmanager
def image(program=None, args=("x",), *, floppy=False, **more):
    """A broken.Image of a hello with standard input, on a disk or on a floppy."""
    with vm.directory() as tmp:
        name = tmp / "floppy.img" if floppy else None
        disk = vm.mkimage(tmp / "disk.img", program or vm.guest("hello"), args, input=b"some input" * 100, floppy=name, name="hello",
                          **more)
        yield broken.Image(name or disk)


def checked(name):
    """A tool, made to end with an error of its own when it reaches beyond its memory."""
    out = vm.OUT / "test" / f"{name}-checked"
    with vm.compiling:
        if not out.exists() or out.stat().st_mtime <= (vm.OUT / name).stat().st_mtime:
            sources = ["tools/medium.c", "tools/table.c", "tools/iso.c", "loader/image.c", "kernel/lib/crc32c.c", "kernel/lib/elf.c",
                       "kernel/lib/options.c"]
            vm.run(["gcc", "-std=gnu11", "-g", "-O1", "-I.", "-fsanitize=address,undefined", "-fno-sanitize-recover", f"tools/{name}.c",
                    *sources, "-o", out])
    return out


def tool(name, *words, status=0, built=None, env=None, **more):
    done = subprocess.run([built or checked(name), *words], capture_output=True, text=True, timeout=vm.HANG,
                          env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0:exitcode=99", **(env or {})}, **more)
    if done.returncode != status:
        raise vm.Failed(f"{name} {words}: status {done.returncode}, expected {status}: {done.stdout} {done.stderr}")
    return done


def verify(path, **more):
    return tool("verify", vm.OUT / "start.bin", vm.OUT / "start-cd.bin", path, **more)


def refused(done, pattern):
    """One sentence on standard error."""
    if done.stderr.count("\n") != 1 or not re.search(pattern, done.stderr):
        raise vm.Failed(f"standard error {done.stderr!r}, expected one line that matches {pattern!r}")


# ---- verify ----

def good():
    with image() as disk, image(floppy=True) as floppy:
        said = build_sh(["verify", disk.path]).stdout.decode()
        for part in ("ends before sector", "the one of this tree", "disk signature 736f6d76", f"loader: {disk.loader_bytes} bytes",
                     "\nkernel: ", "\nprogram: ", "\nstandard input: 1000 bytes", "\ncommand line: 16 bytes", "no BIOS takes a stick for a ZIP",
                     "first 504 MiB of a disk read all of it", "drive 80h, by EDD", "are whole, as Bochs wants"):
            vm.expect_in("what verify says of a disk", part, said)
        vm.expect_in("of a floppy", "floppy: a BIOS boots it as drive 00h, by CHS, with 80/2/18", verify(floppy.path).stdout)
        disk.bytes[100] ^= 1
        disk.path.write_bytes(disk.bytes + bytes(512))
        said = verify(disk.path).stdout
        vm.expect_in("of another tree's boot sector", "of another build than this tree", said)
        vm.expect_in("of a size with a sector more", "not whole, so it is not for Bochs", said)


def flip(kind):
    def change(disk):
        start, length = disk.part(kind)
        disk.bytes[start + length // 2] ^= 0x10
    return change


def put(offset, data):
    def change(disk):
        disk.bytes[offset:offset + len(data)] = data
    return change


def cut(place):
    def change(disk):
        end = {"nothing": 0, "sector": 300, "loader": 5000, "header": disk.header + 100,
               "entry 2": struct.unpack_from("<I", disk.bytes, TABLE + 24)[0] * SECTOR}.get(place)
        del disk.bytes[sum(disk.part(place)) - 1 if end is None else end:]
    return change


def entry(number, flag=0, kind=0x83, first=900, count=10):
    return put(TABLE + 16 * (number - 1), struct.pack("<B3sB3sII", flag, b"\xfe\xff\xff", kind, b"\xfe\xff\xff", first, count))


def program_of(data):
    return lambda disk: disk.replace_program(data())


def kernel_memory(disk):
    memory, = struct.unpack_from("<Q", disk.bytes, disk.header + 24)
    struct.pack_into("<IQQ", disk.bytes, disk.header + 12, 0, *struct.unpack_from("<Q", disk.bytes, disk.header + 16), memory + 4096)
    struct.pack_into("<I", disk.bytes, disk.header + 12, broken.crc32c(disk.bytes[disk.header:disk.header + SECTOR]))


DAMAGE = {  # what is done to a disk image, and what verify must say
    "no boot signature": (put(510, b"\0\0"), "sector 0 ends in 00 00, not in 55 AA"),
    "no jump": (put(0, b"\xe9"), "begins with E9 .. 90, not with a jump, EB xx 90"),
    "no disk signature": (put(440, bytes(4)), "signature of 0"),
    "another system": (put(512, bytes(512)), "no image of vmos.* sector 1 has 00000000 at byte 4, not 534f4d56"),
    "length of the loader": (put(520, b"\0\0\0\1"), "loader has 16777216 bytes|cut off"),
    "end of the loader": (lambda disk: put(disk.header - 4, b"VEN!")(disk), "no loader magic in its last four bytes"),
    "loader": (put(6000, b"\xff\x11\x22"), "the loader is damaged: it has CRC-32C [0-9a-f]{8}, and should have [0-9a-f]{8}"),
    "no header": (lambda disk: put(disk.header, bytes(512))(disk), "the image has no header"),
    "header": (lambda disk: put(disk.header + 40, b"\x77")(disk), "the image has a damaged header"),
    "kernel memory": (kernel_memory, r"the kernel takes \d+ bytes of memory, and the header says \d+"),
    **{kind: (flip(kind), f"the {kind}.* is damaged: it has CRC-32C") for kind in ("kernel", "program")},
    "input": (flip("input"), "the standard input, 1000 bytes at byte .* is damaged"),
    "command": (flip("command"), "the command line, 16 bytes at byte .* is damaged"),
    "dynamic": (program_of(broken.dynamic), "the program is dynamically linked"),
    "no ELF": (program_of(lambda: b"#!/bin/sh\n"), "the program is "),
    "nothing": (cut("nothing"), "is cut off: it has 0 bytes, and its boot sector takes bytes 0 to 511"),
    "half a sector": (cut("sector"), "is cut off: it has 300 bytes, and its boot sector"),
    "half a loader": (cut("loader"), "is cut off: it has 5000 bytes, and its loader"),
    "half a header": (cut("header"), "is cut off: .* its header"),
    **{f"half a {kind}": (cut(kind), r"the medium is cut off: it has \d+ sectors, and image and partitions take \d+")
       for kind in ("kernel", "program", "input", "command", "entry 2")},
    "not active": (put(TABLE, b"\0"), "partition 1 .flag 00h, type 7fh.* should be flag 80h, type 7fh"),
    "another type": (put(TABLE + 4, b"\xee"), "partition 1 .flag 80h, type eeh"),
    "another length": (put(TABLE + 12, b"\1\2"), "partition 1 .* 513 sectors from 1,"),
    "another CHS": (put(TABLE + 7, b"\1"), "partition 1 .* CHS 000200 to 01....[)] should be .* CHS 000200 to 00....$"),
    "one partition": (put(TABLE + 16, bytes(16)), "partition 2 .flag 00h, type 00h.* should be .* type dah, 1 sectors"),
    "two active": (entry(3, flag=0x80), "partition 3 .flag 80h, type 83h, 10 sectors from 900.* should be empty, or not active"),
    "over the image": (entry(4, first=20), "partition 4 .* should be empty, or .* behind the image"),
    "over entry 2": (lambda disk: entry(3, first=struct.unpack_from("<I", disk.bytes, TABLE + 24)[0], count=1)(disk), "partition 3 .* behind the image"),
    "beyond the medium": (entry(3, count=109), "partition 3 .* should be empty, or .* on the medium"),
    "wraps": (entry(3, count=0xffffffff), "partition 3 .* should be empty, or .* on the medium"),
}


def all_damages():
    """The program has room for a larger one."""
    with vm.directory() as tmp:
        (tmp / "program").write_bytes(vm.guest("hello").read_bytes() + bytes(len(broken.dynamic())))
        with image(tmp / "program") as disk:
            whole = bytes(disk.bytes)
            for name, (change, pattern) in DAMAGE.items():
                disk.bytes[:] = whole
                change(disk)
                disk.path.write_bytes(disk.bytes)
                try:
                    refused(verify(disk.path, status=1), pattern)
                except vm.Failed as failure:
                    raise vm.Failed(f"{name}: {failure}") from None


def other_partitions():
    """Somebody else's, behind the image and not active, are no fault."""
    with image() as disk:
        end, = struct.unpack_from("<I", disk.bytes, TABLE + 24)
        entry(3, first=end + 1, count=1)(disk)
        entry(4, first=910, count=98)(disk)
        disk.path.write_bytes(disk.bytes)
        verify(disk.path)


def what_is_no_image():
    with vm.directory() as tmp:
        refused(verify(tmp, status=1), "Is a directory")
        refused(verify(tmp / "none", status=1), "cannot open .*none: No such file")
        refused(verify(vm.ROOT / "build.sh", status=1), "not in 55 AA")
        refused(verify("/dev/zero", status=1), "cut off|55 AA")
        tool("verify", status=2)
        tool("words", status=2)
        for words in ["verify"], ["verify", "a", "b"], ["words"], ["usb"], ["usb", "a", "b", "c"]:
            vm.expect("lines", build_sh(words, status=2).stderr.count(b"\n"), 1)


def cd():
    """The disk image in it, and what is before that."""
    with vm.directory() as tmp:
        vm.mkimage(tmp / "disk.img", vm.guest("hello"), ["x"], cd=tmp / "cd.iso")
        said = build_sh(["verify", tmp / "cd.iso"]).stdout.decode()
        for part in f"{(tmp / 'cd.iso').stat().st_size} bytes", "the one of this tree", "\nkernel: ", "El Torito, without emulation":
            vm.expect_in("what verify says of a CD", part, said)
        whole = (tmp / "cd.iso").read_bytes()
        kernel = 56 * 2048 + 100000
        for at, pattern in ((16 * 2048 + 80, "before the image"), (19 * 2048 + 40, "before the image"), (22 * 2048 + 80, "before the image"),
                            (24 * 2048 + 5000, "before the image"), (kernel, "the kernel.* is damaged"), (16 * 2048 + 2, "sector 0 ends in 00 00")):
            (tmp / "cd.iso").write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
            refused(verify(tmp / "cd.iso", status=1), pattern)
        (tmp / "cd.iso").write_bytes(whole[:-2048])
        refused(verify(tmp / "cd.iso", status=1), "cut off")
        (tmp / "cd.iso").write_bytes(whole)
        vm.expect("words", words(tmp / "cd.iso").stdout, words(tmp / "disk.img").stdout)
        refused(words(tmp / "cd.iso", "+quiet", status=1), "is a CD: its words are changed by making it anew")
        (tmp / "stick").write_bytes(whole * 2)
        vm.expect_in("what usb says", b"is for a CD", usb(tmp / "stick", tmp / "cd.iso", status=1).stderr)


# ---- words ----

def words(path, *changes, **more):
    return tool("words", path, *changes, **more)


def changed_words():
    """Every kind of change, and a file that is the one mkimage would have made."""
    with image(args=["a", "b"], env=["A=1", "B=2"]) as disk:
        vm.expect("words", build_sh(["words", disk.path]).stdout, b"env=A=1\nenv=B=2\narg=hello\narg=a\narg=b\n")
        said = words(disk.path, "+quiet", "+cpus=4", "+env=A=3=4", "+cpus=2", "+arg=c\nd", "-env=B").stdout
        vm.expect("words", said, "quiet\nenv=A=3=4\ncpus=2\narg=hello\narg=a\narg=b\narg=c\\x0ad\n")
        vm.expect("words read again", words(disk.path).stdout, said)
        verify(disk.path)
        said = words(disk.path, "-quiet", "-cpus", "+env=AB=", "+env=A=", "--", "new", "", "+x", "--").stdout
        vm.expect("words", said, "env=AB=\nenv=A=\narg=new\narg=\narg=+x\narg=--\n")
        words(disk.path, "-env")
        verify(disk.path)
        vm.expect("no words", words(disk.path, "--").stdout, "")
        verify(disk.path)
        words(disk.path, "+env=X=Y", "--", "hello", *(str(n) for n in range(200)))
        with image(args=[str(n) for n in range(200)], env=["X=Y"]) as made:
            vm.expect("mkimage's bytes", disk.path.read_bytes() == made.path.read_bytes(), True)
        words(disk.path, "--", "hello", "x")
        with image(args=["x"], env=["X=Y"]) as made:
            vm.expect("mkimage's bytes, shorter", disk.path.read_bytes() == made.path.read_bytes(), True)


def refused_words():
    """In one sentence, and nothing is written."""
    with image() as disk:
        before = disk.path.read_bytes()
        for change, status, pattern in (
                (["+vidoe=1x1"], 1, "vidoe=1x1 is not known"), (["+cpus=0"], 1, "cpus=0 wants a number above 0"),
                (["+video=wide"], 1, "video=wide wants text, WIDTHxHEIGHT"), (["+quiet=1"], 1, "quiet=1 is not known"),
                (["+"], 2, "is neither"), (["+env=A"], 1, "env=A is not env=NAME=VALUE"),
                (["+env==A"], 1, "env==A is not env=NAME"), (["+env="], 1, "is not env=NAME"),
                (["+quiet", "-mem"], 1, "no word mem"), (["-env=A"], 1, "no word env=A"), (["-"], 2, "is neither"),
                (["-qui"], 1, "no word qui"), (["quiet"], 2, "quiet is neither"), (["+quiet", ""], 2, "is neither")):
            refused(words(disk.path, *change, status=status), pattern)
        vm.expect("the image", disk.path.read_bytes() == before, True)
        flip("command")(disk)
        disk.path.write_bytes(disk.bytes)
        refused(words(disk.path, "+quiet", status=1), "the command line.* damaged")
        one_partition = DAMAGE["one partition"][0]
        disk.bytes[:] = before
        one_partition(disk)
        disk.path.write_bytes(disk.bytes)
        refused(words(disk.path, "+quiet", status=1), "partition 2")
        vm.expect("the image", disk.path.read_bytes() == bytes(disk.bytes), True)


def unknown_words():
    """Of another build: shown, named by verify, and left alone."""
    with image() as disk:
        start, length = disk.part("command")
        data = b"zoom=2\0arg=hello"
        vm.expect("room", len(data), length)
        disk.bytes[start:start + length] = data
        struct.pack_into("<I", disk.bytes, disk.entry("command") + 16, broken.crc32c(data))
        struct.pack_into("<I", disk.bytes, disk.header + 12, 0)
        struct.pack_into("<I", disk.bytes, disk.header + 12, broken.crc32c(disk.bytes[disk.header:disk.header + SECTOR]))
        disk.path.write_bytes(disk.bytes)
        vm.expect("words", words(disk.path).stdout, "zoom=2\narg=hello\n")
        vm.expect_in("what verify says", "command line: zoom=2 is not known, and is ignored", verify(disk.path).stdout)
        vm.expect("words", words(disk.path, "+quiet", "-zoom").stdout, "quiet\narg=hello\n")


def new_words_boot(floppy):
    """The machine has the new words: an environment, arguments, and as many CPUs as it may."""
    with image(floppy=floppy) as disk:
        words(disk.path, "+env=NEW=word", "+mem=64M", "--", "hello", "two words", "y" * 3000)
        result = vm.qemu(disk.path, medium="floppy" if floppy else "virtio")
        result.expect(0, b"hello\narg hello\narg two words\narg " + b"y" * 3000 + b"\nenv NEW=word\n")


def growth():
    """A file grows by whole cylinders; a floppy, a device and somebody's partition have an end."""
    with image() as disk:
        long = "z" * 100000
        while disk.path.stat().st_size == UNIT:
            words(disk.path, "+arg=" + long)
            verify(disk.path)
        vm.expect("bytes of the file", disk.path.stat().st_size, 2 * UNIT)
        vm.expect_in("a long word", long, words(disk.path).stdout)
        vm.qemu(disk.path).expect(0)
    with image(floppy=True) as floppy:
        end, = struct.unpack_from("<I", floppy.bytes, TABLE + 24)
        start, length = floppy.part("command")
        room = FLOPPY - SECTOR - start - length  # to the sector of entry 2
        fill = ["+arg=" + "f" * 100000] * (room // 100005)
        fill += ["+arg=" + "f" * (room % 100005 - 5)]
        words(floppy.path, *fill)
        verify(floppy.path)
        vm.qemu(floppy.path, medium="floppy").expect(0)
        full = floppy.path.read_bytes()
        refused(words(floppy.path, "+quiet", status=1), "do not fit on .*floppy.img: 512 bytes too many")
        vm.expect("the floppy", (floppy.path.read_bytes() == full, len(full)), (True, FLOPPY))
    with image() as disk:
        end, = struct.unpack_from("<I", disk.bytes, TABLE + 24)
        entry(3, first=end + 1, count=1)(disk)
        disk.path.write_bytes(disk.bytes)
        words(disk.path, "+quiet")
        before = disk.path.read_bytes()
        refused(words(disk.path, "+arg=" + "z" * 600, status=1), "do not fit: partition 3")
        vm.expect("the image", disk.path.read_bytes() == before, True)
    with image() as disk:
        limit = f'ulimit -f {UNIT // 512}; trap "" XFSZ; exec "$@"'
        done = subprocess.run(["sh", "-c", limit, "sh", vm.OUT / "words", disk.path, *["+arg=" + "z" * 100000] * 6],
                              capture_output=True, text=True)
        refused(done, "cannot extend .*File too large")
        vm.expect("the image", disk.path.read_bytes() == bytes(disk.bytes), True)


SNAPSHOTS = """
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int fsync(int fd) {
    static int number;
    char command[200];
    snprintf(command, sizeof command, "cp /proc/%d/fd/%d $SNAPSHOTS/%d", getpid(), fd, ++number);
    return system(command);
}
"""


def interrupted():
    """Half-written words never boot in silence: what is on the medium after every fsync but the last is refused."""
    with image() as disk, vm.directory() as tmp:
        (tmp / "fsync.c").write_text(SNAPSHOTS)
        vm.run(["gcc", "-shared", "-fPIC", tmp / "fsync.c", "-o", tmp / "fsync.so"])
        words(disk.path, "+quiet", "+env=LONG=" + "l" * 1000, built=vm.OUT / "words",
              env={"LD_PRELOAD": str(tmp / "fsync.so"), "SNAPSHOTS": str(tmp)})
        refused(verify(tmp / "1", status=1), "the command line.* is damaged")
        refused(verify(tmp / "2", status=1), "partition 1")
        vm.qemu(tmp / "1").expect_unfit("command line")
        verify(tmp / "3")
        vm.expect("a fourth", (tmp / "4").exists(), False)


# ---- usb ----

def usb(*words_, answer="yes\n", **more):
    return build_sh(["usb", *words_], input=answer.encode(), **more)


def usb_file():
    with image() as disk, vm.directory() as tmp:
        target = tmp / "stick"
        old = os.urandom(UNIT + 5000)
        target.write_bytes(old)
        for answer in "", "\n", "no\n", "stick2\n":
            done = usb(target, disk.path, answer=answer, status=1)
            vm.expect_in("what usb says", b"nothing was written", done.stderr)
            vm.expect("the target", target.read_bytes() == old, True)
        vm.expect_in("what usb says", f"stick: a file of {UNIT + 5000} bytes".encode(), done.stdout)
        for answer in "stick\n", "yes\n", f"{target}\n", "yes":
            target.write_bytes(old)
            done = usb(target, disk.path, answer=answer)
            vm.expect("the target", target.read_bytes() == bytes(disk.bytes) + old[-5000:], True)
        vm.expect_in("what verify says of it", b"drive 80h, by EDD", done.stdout)
        for name, path, pattern in ((tmp / "none", disk.path, b"there is no "), (target, tmp / "none", b"there is no image"),
                                    (disk.path, disk.path, b"is the image itself"), ("/dev/tty", disk.path, b"neither a disk nor a file"),
                                    (target, vm.ROOT / "build.sh", b"would not boot")):
            vm.expect_in("what usb says", pattern, usb(name, path, status=1).stderr)
        os.truncate(target, UNIT - 1)
        vm.expect_in("what usb says", b"stick is too small: it has 516095 bytes, and the image 516096", usb(target, disk.path, status=1).stderr)


def usb_other_stick():
    """The stick is pulled out during the question, and another gets its name."""
    with image() as disk, vm.directory() as tmp:
        target = tmp / "stick"
        for other in None, bytes(UNIT):
            target.write_bytes(bytes(UNIT))
            with subprocess.Popen([vm.ROOT / "build.sh", "usb", target, disk.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE) as asked:
                seen = b""
                while not seen.endswith(b"written to it: "):
                    seen += asked.stdout.read(1) or b"no question: written to it: "
                target.unlink()
                if other:
                    target.write_bytes(other)
                said = asked.communicate(b"yes\n", timeout=vm.HANG)[1]
            vm.expect("status", asked.returncode, 1)
            vm.expect_in("what usb says", b"stick does not hold what was written to it", said)
            vm.expect("what has the name now", target.read_bytes() if target.exists() else None, other)


def usb_bad_stick():
    """Writing fails; and a stick that takes everything and keeps it not, played by a dd."""
    with image() as disk, vm.directory() as tmp:
        target = tmp / "stick"
        target.write_bytes(bytes(UNIT))
        (tmp / "dd").write_text(f"#!/bin/sh\n{shutil.which('dd')} \"$@\" || exit\nprintf X | {shutil.which('dd')} of={target} bs=1 seek=300000 "
                                "conv=notrunc status=none\n")
        (tmp / "dd").chmod(0o755)
        done = usb(target, disk.path, status=1, env={"PATH": f"{tmp}:{os.environ['PATH']}"})
        vm.expect_in("what usb says", b"stick does not hold what was written", done.stderr)
        (tmp / "dd").write_text(f"#!/bin/sh\nulimit -f 100\ntrap '' XFSZ\nexec {shutil.which('dd')} \"$@\"\n")
        done = usb(target, disk.path, status=1, env={"PATH": f"{tmp}:{os.environ['PATH']}"})
        vm.expect_in("what usb says", b"stick could not be written", done.stderr)


class System:
    """A directory that looks like /, with what the kernel says of its disks."""

    def __init__(self, root):
        self.root = root
        (root / "proc/self").mkdir(parents=True)
        (root / "sys/class/block").mkdir(parents=True)
        self.mounts("")
        (root / "proc/swaps").write_text("Filename\tType\tSize\tUsed\tPriority\n")

    def mounts(self, lines):
        (self.root / "proc/self/mountinfo").write_text("21 1 0:20 / /proc rw - proc proc rw\n" + lines)

    def disk(self, name, number, parts=(), **values):
        where = self.root / "sys/devices/usb1" / name
        files = {"size": 4000, "removable": 1, "ro": 0, "dev": f"8:{number}", "queue/logical_block_size": 512, **values}
        for part, files in (("", files), *((part, {"partition": i + 1, "dev": f"8:{number + i + 1}"}) for i, part in enumerate(parts))):
            (where / part / "holders").mkdir(parents=True)
            (where / part / "queue").mkdir()
            for file, value in files.items():
                (where / part / file).write_text(f"{value}\n")
            (self.root / "sys/class/block" / (part or name)).symlink_to(where / part)
        return where

    def refusal(self, name, *more, size=2000 * SECTOR):
        return build_sh(["usb_refusal", self.root, name, str(size), *more]).stdout.decode()


def usb_refusals():
    with vm.directory() as tmp:
        system = System(tmp)
        sdb = system.disk("sdb", 16, ["sdb1", "sdb2"])
        system.disk("sdc", 32, removable=0)
        system.disk("sdd", 48, ro=1)
        system.disk("sde", 64, size=0)
        system.disk("sda", 0, ["sda1", "sda2"], removable=0)

        def says(wanted, name, *more, **size):
            vm.expect(f"refusal of {name}", system.refusal(name, *more, **size), wanted and wanted + "\n")
        says("", "sdb")
        says("", "sdb", size=4000 * SECTOR)
        says("sdb is too small: it has 2048000 bytes, and the image 2048001", "sdb", size=4000 * SECTOR + 1)
        says("sdb1 is a partition; the image goes to the whole disk, sdb", "sdb1", "--fixed")
        says("sdx is no disk that the kernel knows", "sdx")
        says("there is no medium in sde", "sde")
        says("sdd is write-protected", "sdd")
        says("sdc is not removable: a disk of this machine, or one on USB that does not say so; with --fixed it will do", "sdc")
        says("", "sdc", "--fixed")
        system.mounts("30 21 8:18 / /media/A\\040B rw,nosuid shared:9 - vfat /dev/sdb2 rw\n")
        says("sdb2 is mounted on /media/A B; unmount it first", "sdb", "--fixed")
        says("", "sdc", "--fixed")
        system.mounts("30 21 8:16 / /mnt rw - ext4 /dev/disk/by-label/x rw\n")
        says("sdb is mounted on /mnt; unmount it first", "sdb")
        system.mounts("30 21 0:40 /sub /mnt rw - btrfs /dev/sdb1 rw\n")
        says("sdb1 is mounted on /mnt; unmount it first", "sdb")
        system.mounts("30 21 8:1 / /boot/efi rw - vfat /dev/sda1 rw\n31 21 8:2 / / rw - ext4 /dev/root rw\n")
        says("this system runs from sda: / lies on sda2", "sda", "--fixed")
        says("", "sdb")
        system.mounts("")
        (tmp / "proc/swaps").write_text("Filename\tType\tSize\tUsed\tPriority\n/dev/sdb1                  partition\t100\t0\t-2\n")
        says("sdb1 is in use by swap", "sdb", "--fixed")
        (tmp / "proc/swaps").write_text("Filename\n")
        (sdb / "sdb2/holders/dm-0").symlink_to(tmp)
        says("sdb2 is in use by dm-0", "sdb", "--fixed")
        (sdb / "sdb2/holders/dm-0").unlink()
        (sdb / "holders/md127").symlink_to(tmp)
        says("sdb is in use by md127", "sdb", "--fixed")


@contextlib.contextmanager
def loop(path, *options):
    done = subprocess.run(["losetup", "--find", "--show", *options, path], capture_output=True, text=True)
    if done.returncode:
        raise vm.Skipped(f"no loop devices: {done.stderr.strip()}")
    device = done.stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device])


def device():
    """The real thing: refused when mounted, used as swap, held by somebody, or not removable; else written and verified."""
    with image() as disk, vm.directory() as tmp:
        old = os.urandom(2 * UNIT)
        (tmp / "stick").write_bytes(old)
        with loop(tmp / "stick") as name:
            said = usb(name, disk.path, status=1).stderr
            vm.expect_in("what usb says", b"is not removable", said)
            os.mknod(tmp / "null", 0o60600, os.stat(name).st_rdev)
            said = usb(tmp / "null", disk.path, status=1).stderr
            vm.expect_in("what usb says of another name", f"{name[5:]} is not removable".encode(), said)
            said = usb("--fixed", name, disk.path, answer="", status=1)
            vm.expect_in("what usb says", b"MB, not removable\n", said.stdout)
            vm.expect("the stick", (tmp / "stick").read_bytes() == old, True)
            vm.expect_in("what usb says", b"drive 80h", usb("--fixed", name, disk.path, answer=f"{name}\n").stdout)
            vm.expect("the stick", (tmp / "stick").read_bytes() == bytes(disk.bytes) + old[UNIT:], True)
            vm.expect("words", build_sh(["words", name, "+quiet", "-arg", "+arg=z"]).stdout, b"quiet\narg=z\n")
            build_sh(["verify", name])
            refused(words(name, *["+arg=" + "z" * 100000] * 11, status=1), "do not fit on /dev/loop.*: [0-9]+ bytes too many")
            verify(name)
            held = os.open(name, os.O_RDONLY | os.O_EXCL)
            vm.expect_in("what usb says", b"cannot have /dev/loop", usb("--fixed", name, disk.path, status=1).stderr)
            refused(words(name, "+quiet", status=1), "Device or resource busy")
            verify(name)
            os.close(held)
            vm.run(["mkfs.ext4", "-q", name])
            (tmp / "mount").mkdir()
            vm.run(["mount", name, tmp / "mount"])
            try:
                said = usb("--fixed", name, disk.path, status=1).stderr
                vm.expect_in("what usb says", f"is mounted on {tmp}/mount; unmount it first".encode(), said)
            finally:
                vm.run(["umount", tmp / "mount"])
        vm.run(["mount", "-t", "tmpfs", "-o", f"size={UNIT - 8192}", "none", tmp / "mount"])
        try:  # a full file system: the image's end is a hole
            vm.run(["cp", "--sparse=always", disk.path, tmp / "mount/disk.img"])
            with open(tmp / "mount/fill", "wb") as fill, contextlib.suppress(OSError):
                fill.write(bytes(UNIT))
            refused(words(tmp / "mount/disk.img", "+arg=" + "z" * 60000, status=1), "cannot extend .*No space left")
            vm.expect("the image", (tmp / "mount/disk.img").read_bytes() == disk.path.read_bytes(), True)
        finally:
            vm.run(["umount", tmp / "mount"])
        with loop(tmp / "stick", "--sector-size", "4096") as name:
            vm.expect_in("what usb says", b"has sectors of 4096 bytes", usb("--fixed", name, disk.path, status=1).stderr)
        root = os.stat("/").st_dev
        try:
            name = os.path.basename(os.readlink(f"/sys/dev/block/{os.major(root)}:{os.minor(root)}"))
        except OSError:
            raise vm.Skipped("/ lies on no disk")
        if not os.path.exists(f"/sys/class/block/{name}/partition"):
            # a changed root has no line of its own there, and the disk is refused because it cannot be had alone
            fields = [line.split() for line in open("/proc/self/mountinfo")]
            known = any(field[2] == f"{os.major(root)}:{os.minor(root)}" and field[4] == "/" for field in fields)
            vm.expect_in("what usb says", b"this system runs from" if known else b"nothing was written",
                         usb("--fixed", f"/dev/{name}", disk.path, status=1).stderr)


def tests():
    for function in (good, all_damages, other_partitions, what_is_no_image, cd, changed_words, refused_words, unknown_words, growth, interrupted,
                     usb_file, usb_other_stick, usb_bad_stick, usb_refusals, device):
        yield function.__name__.replace("_", " "), function
    yield "new words boot", lambda: new_words_boot(False)
    yield "new words boot from a floppy", lambda: new_words_boot(True)
