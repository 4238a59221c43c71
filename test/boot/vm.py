"""Makes images and boots them, headless: what every boot test uses.

A Machine is one description of what to boot; boot() runs it to its end and gives a Result. Every wait has a limit, and
a limit is a hang detector: it is generous, and reaching it fails the test."""
import contextlib
import functools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "out"
HANG = 60  # seconds
# What gcc 14 made errors: they are errors with every gcc, so that the tests of one release build on the others.
ERRORS = [f"-Werror={what}" for what in (
    "implicit-function-declaration", "implicit-int", "int-conversion", "incompatible-pointer-types")]


class Failed(Exception):
    """A test's verdict; its text is the reason."""


class Skipped(Exception):
    """What this machine cannot test; its text is why."""


def expect(what, got, wanted):
    if got != wanted:
        raise Failed(f"{what}: {short(got)}, expected {short(wanted)}")


def expect_in(what, part, whole):
    if part not in whole:
        raise Failed(f"{what}: no {short(part)} in {short(whole)}")


def short(value):
    text = repr(value)
    return text if len(text) <= 600 else text[:300] + " ... " + text[-300:]


def run(command, **more):
    """A host command that must succeed; its standard output."""
    more.setdefault("timeout", HANG)
    more.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run([word if isinstance(word, bytes) else str(word) for word in command], cwd=ROOT, capture_output=True, **more)
    if done.returncode:
        raise Failed(f"{command[0]} ended with {done.returncode}: {short((done.stdout + done.stderr).decode(errors='replace'))}")
    return done.stdout


def qemu_version():
    """As "7.2.22"."""
    return run(["qemu-system-x86_64", "--version"]).decode().split()[3]


def own_signals():
    """For a child that is to hear Ctrl-C, also when whoever started the tests ignores that: it would be inherited."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def directory():
    path = pathlib.Path(tempfile.mkdtemp(prefix="vmos-test-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


compiling = threading.Lock()
probing = threading.Lock()


def compile_guest(source, compiler="musl-gcc", *flags, libraries=()):
    """A program of test/, compiled once per test run; static unless the flags say how."""
    source = pathlib.Path(source)
    flags = flags or ("-static",)
    out = OUT / "test" / "-".join([source.name.replace(".", "_"), compiler, *(flag.strip("-") for flag in (*flags, *libraries))])
    with compiling:
        sources = [ROOT / source, *(ROOT / source).parent.glob("*.h")]
        if not out.exists() or out.stat().st_mtime <= max(path.stat().st_mtime for path in sources):
            out.parent.mkdir(parents=True, exist_ok=True)
            run([compiler, *flags, "-O1", *(ERRORS if source.suffix == ".c" else []), source, "-o", out, *libraries,
                 *(["-lm"] if "gcc" in compiler else [])])
    return out


def guest(name):
    return compile_guest(f"test/guest/{name}.c")


def mkimage(path, program, args=(), *, input=b"", env=(), words=(), tty=False, floppy=None, cd=None, name=None):
    """Writes the disk image (and the floppy image and the CD); input None: standard input is COM1; words: of the
    command line."""
    command = [OUT / "mkimage", "--mbr", OUT / "start.bin", "--loader", OUT / "loader.bin", "--kernel",
               OUT / "kernel.strip", "--program", program, "--disk", path]
    if input is not None:
        stdin = path.with_suffix(".stdin")
        stdin.write_bytes(input)
        command += ["--input", stdin]
    for word in env:
        command += ["--env", word]
    for word in words:
        command += ["--set", word]
    if tty:
        command += ["--tty"]
    if floppy:
        command += ["--floppy", floppy]
    if cd:
        command += ["--cd", cd, "--cd-mbr", OUT / "start-cd.bin"]
    run([*command, "--", name or pathlib.Path(program).name, *args])
    return path


class Result:
    def __init__(self, com1, log, emulator, stderr=b""):
        self.com1, self.log, self.emulator, self.stderr = com1, log, emulator, stderr
        lines = log.splitlines() or [""]
        ended = re.fullmatch(r"vmos: exit (\d+)", lines[-1])
        self.status = int(ended[1]) if ended and emulator in (0, 33) else None
        self.errors = [line for line in lines if line.startswith("vmos! ")]

    def expect(self, status, com1=None):
        if self.status != status or com1 is not None and self.com1 != com1:
            raise Failed(f"status {self.status} (emulator {self.emulator}), expected {status}; COM1 {short(self.com1)}; "
                         f"log ends: {short(self.log[-700:])}; {short(self.stderr.decode(errors='replace'))}")
        return self

    def expect_unfit(self, pattern):
        """One line that a person can act on, and 125."""
        self.expect(125)
        if len(self.errors) != 1 or not re.search(pattern, self.errors[0]):
            raise Failed(f"error lines {self.errors}, expected one that matches {pattern!r}")
        return self


FILE = "-drive file={},format=raw,if=none,id=d "
MEDIA = {  # arguments by machine type and medium: for a disk image; for a floppy image or a CD if the medium's name says so
    ("pc", "virtio"): "-drive file={},format=raw,if=virtio",
    ("q35", "virtio"): "-drive file={},format=raw,if=virtio",
    ("pc", "ide"): "-drive file={},format=raw,if=ide",
    ("q35", "ide"): FILE + "-device piix3-ide,id=i -device ide-hd,drive=d,bus=i.0",
    ("isapc", "ide"): "-drive file={},format=raw,if=ide",
    ("pc", "ahci"): FILE + "-device ich9-ahci,id=a -device ide-hd,drive=d,bus=a.0",
    ("q35", "ahci"): "-drive file={},format=raw,if=ide",
    ("microvm", "virtio"): FILE + "-device virtio-blk-device,drive=d -bios /usr/share/seabios/bios-microvm.bin",
    ("pc", "floppy"): "-drive file={},format=raw,if=floppy",
    ("q35", "floppy"): FILE + "-device isa-fdc,id=f -device floppy,drive=d",
    ("isapc", "floppy"): "-drive file={},format=raw,if=floppy",
    ("pc", "cd ide"): "-drive file={},format=raw,if=ide,media=cdrom",
    ("q35", "cd ide"): FILE + "-device piix3-ide,id=i -device ide-cd,drive=d,bus=i.0",
    ("isapc", "cd ide"): "-drive file={},format=raw,if=ide,media=cdrom",
    ("pc", "cd ahci"): FILE + "-device ich9-ahci,id=a -device ide-cd,drive=d,bus=a.0",
    ("q35", "cd ahci"): "-drive file={},format=raw,if=ide,media=cdrom",
}
USB = "-device usb-storage,drive=d,bus=u.0"
for machine_type in ("pc", "q35"):
    for medium_name, words in {
            "nvme": "-device nvme,drive=d,serial=x",
            "virtio-scsi": "-device virtio-scsi-pci -device scsi-hd,drive=d",
            "lsi": "-device lsi53c895a -device scsi-hd,drive=d",
            "megasas": "-device megasas -device scsi-hd,drive=d",
            "sd": "-device sdhci-pci -device sd-card,drive=d",
            "usb": f"-device qemu-xhci,id=u {USB}",
            "usb ehci": f"-device usb-ehci,id=u {USB}",
            "usb ohci": f"-device pci-ohci,id=u {USB}",
            "usb uhci": f"-device piix3-usb-uhci,id=u {USB}",
            "usb floppy": f"-device qemu-xhci,id=u {USB}",
            "cd usb": "-device qemu-xhci,id=u -device usb-bot,id=b,bus=u.0 -device scsi-cd,drive=d,bus=b.0",
            "cd scsi": "-device virtio-scsi-pci -device scsi-cd,drive=d"}.items():
        MEDIA[machine_type, medium_name] = FILE + words


def images(folder, program, args=(), *, medium, **more):
    """Makes the image that this medium wants: of a disk, of a floppy or of a CD."""
    kind = "cd" if medium.startswith("cd") else "floppy" if "floppy" in medium else "disk"
    other = {} if kind == "disk" else {kind: folder / f"{kind}.img"}
    disk = mkimage(folder / "disk.img", program, args, **other, **more)
    if medium == "sd":  # QEMU wants a power of two
        os.truncate(disk, 1 << (disk.stat().st_size - 1).bit_length())
    if not other.get(kind, disk).exists():
        raise Failed("the image does not fit on a floppy")
    return other.get(kind, disk)


def qemu_words(image, machine="pc", medium="virtio", cpu="max", memory="256M", extra=()):
    return ["qemu-system-x86_64", "-accel", "tcg", "-M", machine, "-cpu", cpu, "-m", memory, "-nodefaults",
            "-no-user-config", "-display", "none", "-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
            *(word.format(str(image).replace(",", ",,")) for word in MEDIA[machine.split(",")[0], medium].split()), *extra]


def qemu(image, *, hang=HANG, until=None, **machine):
    """Boots to the end. until: ends QEMU once COM1 has these bytes."""
    with directory() as tmp:
        words = qemu_words(image, **machine) + ["-serial", f"file:{tmp}/com1", "-debugcon", f"file:{tmp}/log"]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            if until is not None:
                wait_for(tmp / "com1", until, process, hang)
                process.terminate()
            stderr = process.communicate(timeout=hang)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            stderr = process.communicate()[1] + f" (ended by the test after {hang} s)".encode()
        finally: # also when wait_for gave up
            process.kill()
        return Result(read(tmp / "com1"), read(tmp / "log").decode(errors="replace"), process.returncode, stderr)


def read(path):
    return path.read_bytes() if path.exists() else b""


def wait_for(path, wanted, process, hang=HANG):
    end = time.monotonic() + hang
    while wanted not in read(path):
        if time.monotonic() > end or process.poll() is not None:
            raise Failed(f"no {wanted!r} within {hang} s or before QEMU ended; COM1 {short(read(path))}")
        time.sleep(0.05)


def boot(program, args=(), *, input=b"", env=(), words=(), tty=False, medium="virtio", name=None, **more):
    """Image, machine, result."""
    with directory() as tmp:
        image = images(tmp, program, args, medium=medium, input=input, env=env, words=words, tty=tty, name=name)
        return qemu(image, medium=medium, **more)


@functools.cache
def bochs_divides():
    """Whether the Bochs that is here divides rightly; 3.1 does not, and vmos comes to a #DE there."""
    with directory() as tmp:
        run(["nasm", "-f", "bin", ROOT / "test/boot/divide.asm", "-o", tmp / "divide.img"])
        os.truncate(tmp / "divide.img", 16 * 63 * 512)
        said = bochs_run(tmp / "divide.img", cpu="corei7_haswell_4770").log
    expect_in("what a boot sector says in Bochs", "vmos: divides\n", said)
    return "vmos: rightly\n" in said


def need_bochs():
    with probing:
        if not bochs_divides():
            raise Skipped("this Bochs divides numbers of 64 bits wrongly; 2.7 and 3.0 do not")


def bochs(image, **more):
    """bochs_run(), where vmos runs."""
    need_bochs()
    return bochs_run(image, **more)


def bochs_run(image, *, cpu, count=1, medium="disk", memory=256, hang=4 * HANG, first=None):
    """Boots an image in Bochs with the configuration of the tree, changed where it must be. first: the disk that is
    booted, the image being the second."""
    with directory() as tmp:
        rc = (ROOT / "tools/bochsrc").read_text()
        changes = {"megs": str(memory), "cpu": f"model={cpu}, count={count}, ips=50000000, reset_on_triple_fault=0",
                   "com1": f"enabled=1, mode=file, dev={tmp}/com1", "log": f"{tmp}/bochs.log", "boot": medium,
                   "ata0-master": f'type=disk, path="{image}", mode=flat'}
        if first:
            changes["ata0-master"] = f'type=disk, path="{first}", mode=flat'
            rc += f'ata0-slave: type=disk, path="{image}", mode=flat\n'
        if medium == "floppy":
            changes["ata0-master"] = "type=none"
            rc += f"floppya: 1_44={image}, status=inserted\n"
        if medium == "cdrom":
            changes["ata0-master"] = f'type=cdrom, path="{image}", status=inserted'
        for key, value in changes.items():
            rc = re.sub(rf"(?m)^{key}:.*$", lambda _: f"{key}: {value}", rc)
        (tmp / "rc").write_text(rc)
        (tmp / "commands").write_text("c\nq\n")
        with open(tmp / "screen", "wb") as screen:
            process = subprocess.Popen(["bochs", "-q", "-f", tmp / "rc", "-rc", tmp / "commands"], cwd=tmp, stdout=screen,
                                       stderr=screen, stdin=subprocess.DEVNULL, env={**os.environ, "TERM": "xterm"})
            try:
                process.wait(hang)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return Result(read(tmp / "com1"), bochs_log(read(tmp / "screen")), 0, read(tmp / "bochs.log")[-2000:])


def bochs_log(screen):
    """The lines of the log among the codes that draw the screen (build.sh has the same in sed)."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\r", "", screen.decode(errors="replace"))
    return "".join(line + "\n" for line in re.findall(r"(?m)^.*(vmos[:!] .*)$", text))  # a drawn screen is one line


def connected(path, process):
    """A socket connected to what QEMU serves. Its file may be missing or refuse for a while: QEMU binds before it listens."""
    end = time.monotonic() + HANG
    while True:
        server = socket.socket(socket.AF_UNIX)
        server.settimeout(HANG)
        try:
            server.connect(str(path))
            return server
        except (ConnectionRefusedError, FileNotFoundError) as refusal:
            server.close()
            if process.poll() is not None:
                raise Failed(f"QEMU ended with {process.returncode} before {path.name} could be reached") from None
            if time.monotonic() > end:
                raise Failed(f"{path.name} of QEMU cannot be reached: {refusal}") from None
        time.sleep(0.05)


class Running:
    """A machine with QMP, for looking at it from outside: with Running(image) as vm: ..."""

    def __init__(self, image, *, debugger=False, **machine):
        self.tmp = pathlib.Path(tempfile.mkdtemp(prefix="vmos-test-"))
        self.com1, self.firmware = self.tmp / "com1", self.tmp / "firmware"
        extra = [*machine.pop("extra", ()), "-serial", f"file:{self.com1}", "-debugcon", f"file:{self.tmp}/log",
                 "-chardev", f"file,id=bios,path={self.firmware}", "-device", "isa-debugcon,iobase=0x402,chardev=bios",
                 "-qmp", f"unix:{self.tmp}/qmp,server=on,wait=off"]
        if debugger:
            extra += ["-gdb", f"unix:{self.tmp}/gdb,server=on,wait=off"]
        self.process = subprocess.Popen(qemu_words(image, extra=extra, **machine), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.tmp, ignore_errors=True)

    def log(self):
        return read(self.tmp / "log").decode(errors="replace")

    def wait(self, wanted):
        wait_for(self.com1, wanted, self.process)
        self.connect()

    def connect(self):
        self.socket = connected(self.tmp / "qmp", self.process)
        self.file = self.socket.makefile("rw")
        self.file.readline()
        self.command("qmp_capabilities")

    def command(self, name, **arguments):
        self.file.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            if "error" in answer:
                raise Failed(f"QMP {name}: {answer['error']}")
            if "return" in answer:
                return answer["return"]

    def monitor(self, line):
        return self.command("human-monitor-command", **{"command-line": line})

    def physical(self, address, size):
        """Physical memory as bytes."""
        path = self.tmp / "memory"
        self.command("pmemsave", val=address, size=size, filename=str(path))
        return path.read_bytes()
