"""The words of the image's command line, each by what it changes."""
import contextlib
import json
import pathlib
import re
import struct
import subprocess
import tempfile
import time

import broken
import command
import vm

USABLE = re.compile(r"memory: (\d+) KiB usable")


def log_of(*words, program=None, status=0, **more):
    return vm.boot(program or vm.guest("hello"), words=words, **more).expect(status).log


# ---- mem=, cpus= ----

def usable(log):
    return int(USABLE.search(log)[1])


def memory():
    """What lies below stays as it was, and is all the program has."""
    log = log_of("mem=64M")
    vm.expect("usable below 64 MiB", usable(log), (64 << 10) - 4 - 384)
    left_out = int(re.search(r"mem= leaves out (\d+) KiB, all from 0x4000000 on\n", log)[1])
    vm.expect("usable with what is left out", usable(log) + left_out, usable(log_of("mem=1T")))
    vm.expect("the last of several counts", usable(log_of("mem=9", "mem=64M")), usable(log))
    runs = re.findall(r"memory: 0x\w+ 0x(\w+) (\d+) (4K|2M|1G)\n", log)
    end = max(int(start, 16) + int(count) * {"4K": 4096, "2M": 2 << 20, "1G": 1 << 30}[size] for start, count, size in runs)
    vm.expect(f"the end of linear memory, {end:#x}", end <= 64 << 20, True)


def memory_high():
    """The part above 4 GiB is left out, and a GiB is cut in the middle."""
    log = log_of("mem=1000M", memory="5G", extra=["-M", "pc,memory-backend=m", "-object",
                                                 "memory-backend-ram,id=m,size=5G,reserve=off"])
    vm.expect("usable below 1000 MiB", usable(log), (1000 << 10) - 4 - 384)


def memory_too_little():
    """A sentence up to the byte from which on it boots: below 640 KiB there is enough for the rest."""
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", vm.guest("hello"), words=["mem=1"])
        where = vm.qemu(image).expect_unfit(r"^vmos! mem= leaves out memory from 0x1 on, but the image lies at 0x100000-0x\w+")
    end = int(re.search(r"0x100000-0x(\w+):", where.errors[0])[1], 16) + 1
    page = -(-end // 4096) * 4096
    for limit in 0x100000, page - 1:
        vm.boot(vm.guest("hello"), words=[f"mem={limit}"]).expect_unfit("but the image lies")
    said = vm.boot(vm.guest("hello"), words=[f"mem={page}"]).expect_unfit("of memory in one piece for the kernel").errors[0]
    kernel = int(re.search(r"no (\d+) KiB", said)[1]) << 10
    vm.boot(vm.guest("hello"), words=[f"mem={page + kernel - 1}"]).expect_unfit("of memory in one piece for the kernel")
    vm.boot(vm.guest("hello"), words=[f"mem={page + kernel}"]).expect(0)


def memmap():
    """The tool leaves out the same."""
    with vm.directory() as tmp:
        (tmp / "map").write_text("0 9fc00 1\n100000 7f00000 1\n")
        said = vm.run([vm.OUT / "memmap", "--kernel", vm.OUT / "kernel.strip", "--mem", "64M", tmp / "map"]).decode()
        vm.expect_in("what memmap says", "\nreserved 0x4000000 0x4000000 beyond mem=\n", said)
        said = vm.run([vm.OUT / "memmap", "--kernel", vm.OUT / "kernel.strip", "--mem", "1100K", tmp / "map"]).decode()
        vm.expect_in("what memmap says", "# would not boot: the image lies beyond --mem\n", said)
        for bad in "", "x", "0", "9" * 90:
            done = subprocess.run([vm.OUT / "memmap", "--kernel", vm.OUT / "kernel.strip", "--mem", bad, tmp / "map"],
                                  capture_output=True)
            vm.expect(f"--mem {bad}", (done.returncode, done.stderr.count(b"\n")), (2, 1))


def cpus():
    def started(number, there, **more):
        return log_of(f"cpus={number}", program=vm.guest("cpus"), args=[str(min(number, there))], extra=["-smp", str(there)],
                      **more)

    log = started(3, 4)
    vm.expect_in("the log", "vmos: cpus: 1 are left off: the command line says cpus=3\n", log)
    vm.expect_in("the log", "vmos: cpus: 3 of 3 run\n", log)
    log = started(1, 2)
    vm.expect("lines about CPUs", re.findall(r"vmos: cpus: .*", log),
              ["vmos: cpus: 1 are left off: the command line says cpus=1"])
    for enough in 4, 4294967295:
        vm.expect_in("the log", "vmos: cpus: 4 of 4 run\n", log_of(f"cpus={enough}", program=vm.guest("cpus"), args=["4"],
                                                                    extra=["-smp", "4"]))


# ---- what is said ----

class Pc(vm.Running):
    """A machine that nothing but itself ends: no isa-debug-exit, no port e9. Unless virtual it looks like a PC. The log
    goes to COM2, or with share to COM1. It starts when QMP is there: one that had ended before would cut the talk off."""

    def __init__(self, program, *words, virtual=False, share=False, screen=True, machine="pc", medium="virtio", extra=(),
                 args=()):
        self.tmp = pathlib.Path(tempfile.mkdtemp(prefix="vmos-test-"))
        image = vm.mkimage(self.tmp / "disk.img", program, args, words=words, name=program.name.partition("_")[0])
        line = vm.qemu_words(image, machine=machine, medium=medium, cpu="max" if virtual else "max,-hypervisor", extra=extra)
        at = line.index("isa-debug-exit,iobase=0xf4,iosize=4")
        line[at - 1:at + 1] = ["-S", "-qmp", f"unix:{self.tmp}/qmp,server=on,wait=off"]
        self.com1 = self.tmp / "com1"
        self.log = self.com1 if share else self.tmp / "com2"
        for port in [self.com1] if share else [self.com1, self.log]:
            line += ["-serial", f"file:{port}"]
        self.process = subprocess.Popen(line + (["-device", "VGA"] if screen else []), stdin=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        self.connect()
        self.command("cont")

    def ends(self, status):
        vm.wait_for(self.log, b"vmos: exit %d\n" % status, self.process)
        return self

    def screen(self):
        """All rows of the adapter's memory that hold something."""
        cells = self.physical(0xB8000, 0x8000)[::2].decode("cp437")
        return [row.rstrip() for row in re.findall(r"(?s).{80}", cells) if row.strip(" \0")]

    def shows(self, wanted):
        end = time.monotonic() + vm.HANG
        while not any(wanted in row for row in self.screen()):
            if time.monotonic() > end:
                raise vm.Failed(f"no {wanted!r} on the screen: {self.screen()}")
            time.sleep(0.1)
        return self.screen()

    def press(self, key):
        self.command("send-key", keys=[{"type": "qcode", "data": key}])

    def stays(self, seconds=1):
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        raise vm.Failed(f"it ended: {self.events()}")

    def events(self):
        """How QEMU ended: (event, reason) of all that come until then."""
        said = []
        with contextlib.suppress(ConnectionResetError):  # QEMU 10 may end its talk with that, after the last event
            said += (json.loads(line) for line in self.file)
        self.process.wait(vm.HANG)
        return [(event["event"], event["data"].get("reason")) for event in said if "data" in event]

    def lines(self):
        return vm.read(self.log).decode(errors="replace").replace("\r", "").splitlines()


OFF, RESET = ("SHUTDOWN", "guest-shutdown"), ("SHUTDOWN", "guest-reset")


def quiet():
    """Errors, the last line, and what the program prints."""
    plain, some = [log_of(*words) for words in ([], ["quiet"])]
    vm.expect("lines of a wire of its own", len(some.splitlines()), len(plain.splitlines()))
    with Pc(vm.guest("hello"), "quiet", share=True) as pc:
        rows = pc.ends(0).shows("Press any key")
        vm.expect("COM1", pc.com1.read_bytes(), b"hello\narg hello\nvmos: exit 0\n")
        vm.expect("rows from vmos", [row for row in rows if row.startswith("vmos")], ["vmos: exit 0"])
    with Pc(vm.guest("hello"), share=True) as pc:
        rows = pc.ends(0).shows("Press any key")
        vm.expect("COM1 without it", len(pc.lines()) > 10, True)
        vm.expect("rows without it", len([row for row in rows if row.startswith("vmos: ")]) > 5, True)
    with Pc(vm.guest("nullptr"), "quiet") as pc:
        rows = [row for row in pc.ends(139).shows("Press any key") if row.startswith("vmos")]
        vm.expect("rows of a crash", (rows[-1], {row[:5] for row in rows[:-1]}), ("vmos: exit 139", {"vmos!"}))
    with Pc(vm.guest("hello"), "quiet", "mem=1", share=True) as pc:
        pc.ends(125)
        vm.expect("lines of what is unfit", [line[:10] for line in pc.lines()], ["vmos! mem=", "vmos: exit"])


def timeline():
    log = log_of("timeline")
    found = re.findall(r"vmos: timeline: (\S.*\S) +(\d+) us +(\d+) TSC ticks\n", log)
    vm.expect("stages", [row[0] for row in found],
              ["firmware", "MBR", "loader", "kernel, low", "kernel, high", "program load"])
    rate = float(re.search(r"time: TSC (\d+\.\d+) MHz", log)[1])
    for name, us, ticks in found:
        vm.expect(f"{ticks} ticks of {name} in us: {us}", abs(int(us) - int(ticks) / rate) < 2 + int(us) / 50, True)
    vm.expect("the MBR takes less than the firmware", int(found[1][2]) < int(found[0][2]), True)
    read = re.search(r"timeline: read by EDD from drive 80h: (\d+) sectors of 512 bytes, at most (\d+|\?) a call; (\d+) BIOS calls",
                     log)
    vm.expect("the medium", bool(read) and int(read[1]) > 300 and int(read[3]) > 5, True)
    vm.expect("its place", re.search(r"program load.*\n.*read by.*\nvmos: exit 0\n$", log) is not None, True)
    vm.expect("without the word", "timeline" in log_of(), False)
    text = vm.boot("/bin/busybox", ["cat", "/proc/vmos"], name="busybox").expect(0).com1.decode()
    vm.expect("rows in /proc/vmos", re.findall(r"(?m)^(.*\S) +\d+ us +\d+ TSC ticks$", text), [row[0] for row in found])


# ---- after= ----

def any_key():
    """The one that was typed before the end does not count, nor does a release."""
    with Pc(vm.guest("hello")) as pc:
        pc.press("a")
        vm.expect("the last line", pc.ends(0).lines()[-1], "vmos: exit 0")
        pc.shows("Press any key to restart.")
        pc.stays()
        pc.press("spc")
        vm.expect("how it ended", pc.events(), [RESET])


def any_style():
    """The prompt can be read however the program leaves the terminal."""
    with Pc(pathlib.Path("/bin/busybox"), args=["printf", r"\033[30;40m\033]0;"]) as pc:
        pc.ends(0).shows("Press any key to restart.")


def keys_before():
    """More than the controller's one byte: the keyboard's own buffer, filled while nobody reads."""
    with Pc(vm.compile_guest("test/guest/nap.c")) as pc:
        vm.wait_for(pc.com1, b"asleep", pc.process)
        for key in "qwertzu":
            pc.press(key)
        pc.ends(0).shows("Press any key")
        pc.stays()


def halt():
    for status, program in (0, "hello"), (139, "nullptr"):
        with Pc(vm.guest(program), "after=halt", virtual=status == 0) as pc:
            pc.ends(status).shows("The machine stands still; it can be switched off.")
            pc.press("spc")
            pc.stays()


MICROVM = {"machine": "microvm", "screen": False, "share": True}  # its registers for both lie in memory


def reboot():
    """By the keyboard controller, or the FADT's register, or a triple fault."""
    for triple, machine, medium in (False, "pc", "virtio"), (False, "q35,i8042=off", "ahci"), (True, "pc,i8042=off", "virtio"), \
            (False, "isapc", "ide"):
        with vm.directory() as tmp, Pc(vm.guest("hello"), "after=reboot", screen=False, virtual=triple, machine=machine,
                                       medium=medium, extra=["-d", "cpu_reset", "-D", f"{tmp}/resets"]) as pc:
            vm.expect(f"how {machine} ended", (pc.events(), pc.lines()[-1]), ([RESET], "vmos: exit 0"))
            vm.expect(f"a triple fault of {machine}", b"Triple fault" in (tmp / "resets").read_bytes(), triple)
    with vm.directory() as tmp, Pc(vm.guest("hello"), "after=reboot", extra=["-d", "cpu_reset", "-D", f"{tmp}/resets"],
                                   **MICROVM) as pc:
        vm.expect("how a microvm ended", pc.events(), [RESET])
        vm.expect("a triple fault of a microvm", b"Triple fault" in (tmp / "resets").read_bytes(), False)


def power_off():
    for more in {}, {"virtual": True}, {"machine": "q35", "medium": "ahci"}:
        with Pc(vm.guest("status"), "after=poweroff", args=["7"], screen=False, **more) as pc:
            vm.expect(f"how {more} ended", (pc.events(), pc.lines()[-1]), ([OFF], "vmos: exit 7"))
    with Pc(vm.guest("status"), "after=poweroff", args=["7"], **MICROVM) as pc:
        vm.expect("how a microvm ended", (pc.events(), pc.lines()[-1]), ([OFF], "vmos: exit 7"))
    with Pc(vm.guest("hello"), "after=poweroff", extra=["-no-shutdown"]) as pc:
        while "SHUTDOWN" not in pc.file.readline():
            pass
        vm.expect("PM1a control: ACPI mode", int(pc.monitor("i /b 0x604").split("=")[1], 16) & 1, 1)
    with Pc(vm.guest("hello"), "after=poweroff", machine="pc,acpi=off") as pc:
        pc.ends(0).shows("ACPI does not switch this machine off.")
        pc.shows("Press any key to restart.")
        pc.press("ret")
        vm.expect("how it ended", pc.events(), [RESET])


def unfit():
    """Who cannot run the program ends the same way; but it would not be better after a restart."""
    with Pc(vm.guest("hello"), "mem=1", "after=reboot") as pc:
        pc.ends(125).shows("Press any key to restart.")
        pc.stays()
    with Pc(vm.guest("hello"), "mem=1", "after=poweroff") as pc: # ACPI is not known yet
        pc.ends(125).shows("ACPI does not switch this machine off.")
    with Pc(vm.guest("border"), "after=poweroff", args=["0"], screen=False) as pc:
        vm.expect("how it ended", pc.events(), [OFF])


def default_of_a_vm():
    with Pc(vm.guest("hello"), virtual=True, screen=False) as pc:
        vm.expect("how it ended", pc.events(), [OFF])


def no_keyboard():
    """Nobody can press a key: it halts, and says so."""
    with Pc(vm.guest("hello"), machine="pc,i8042=off") as pc:
        rows = pc.ends(0).shows("The machine stands still; it can be switched off.")
        vm.expect("a prompt", [row for row in rows if "Press" in row], [])
        pc.stays()


# ---- all words ----

def refused():
    """What the kernel would ignore is refused before there is an image."""
    for word, said in ("mem=x", "wants a number of bytes"), ("colour", "is not known"), ("after=lunch", "wants halt"), \
            ("cpus=0", "wants a number above 0"), ("quiet=1", "is not known"), ("console=com3", "wants com1"):
        done = command.build_sh(["run", "--set", word, vm.guest("hello")], status=2)
        vm.expect_in(f"what {word} gives", said, done.stderr.decode())
        vm.expect("lines", done.stderr.count(b"\n"), 1)
    for words in ["--set"], ["--set", "--env"], ["--set", ""]:
        vm.expect("lines", command.build_sh(["run", *words], status=2).stderr.count(b"\n"), 1)


def in_order():
    """The words for the program come out as they went in, others between them."""
    done = command.build_sh(["run", "--set", "quiet", "--env", "A=1", "--set", "env=B=2 3", "--set", "cpus=1", "--env", "C=",
                             "--set", "env=A=4", vm.guest("hello"), "--set", "quiet"])
    vm.expect("output", done.stdout.split(b"\n", 2)[2], b"arg --set\narg quiet\nenv A=1\nenv B=2 3\nenv C=\nenv A=4\n")


def ignored():
    """Words that got into an image all the same are named, with why; the rest counts."""
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", vm.guest("hello"), words=["cpus=2", "timeline", "mem=128M"], name="hello")
        change(image, {b"cpus=2\0": b"cpus=0\0", b"timeline\0": b"timelimb\0"})
        log = vm.qemu(image).expect(0, b"hello\narg hello\n").log
    vm.expect("what is ignored", re.findall(r"vmos: the image's command line: (.*)\n", log),
              ["cpus=0 wants a number above 0, ignored", "timelimb is not known, ignored"])
    vm.expect_in("the log", "mem= leaves out", log)


def change(path, words):
    """Changes words in place, with the CRCs put right."""
    image = broken.Image(path)
    start, length = image.part("command")
    line = bytes(image.bytes[start:start + length])
    for old, new in words.items():
        vm.expect_in("the command line", old, line)
        line = line.replace(old, new)
    image.bytes[start:start + length] = line
    struct.pack_into("<I", image.bytes, image.entry("command") + 16, broken.crc32c(line))
    struct.pack_into("<I", image.bytes, image.header + 12, 0)
    header = image.bytes[image.header:image.header + broken.SECTOR]
    struct.pack_into("<I", image.bytes, image.header + 12, broken.crc32c(header))
    path.write_bytes(image.bytes)


def tests():
    for test in (memory_too_little, memory, memory_high, memmap, cpus, quiet, timeline, any_key, any_style, keys_before, halt, reboot,
                 power_off, unfit, default_of_a_vm, no_keyboard, refused, in_order, ignored):
        yield test.__name__.replace("_", " "), test
