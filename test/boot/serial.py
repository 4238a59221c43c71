"""COM1 as whoever reads it has it: one who pauses, one who reads slowly, and a port whose interrupt does not come."""
import contextlib
import pathlib
import socket
import subprocess
import threading
import time

import command
import vm


class Reader:
    """A machine whose COM1 is a socket, which is read only when asked to."""

    def __init__(self, program, args=(), *, port="-serial chardev:com1", cpus=2, words=(), input=None, extra=()):
        self.directory = vm.directory()
        self.tmp = pathlib.Path(self.directory.__enter__())
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.tmp / "com1"))
        listener.listen()
        image = vm.mkimage(self.tmp / "disk.img", program, args, input=input, words=words)
        self.process = subprocess.Popen(
            vm.qemu_words(image, extra=["-smp", str(cpus), "-chardev", f"socket,id=com1,path={self.tmp}/com1", *port.split(),
                                        "-debugcon", f"file:{self.tmp}/log", "-monitor", f"unix:{self.tmp}/monitor,server=on,wait=off",
                                        *extra]),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.socket = listener.accept()[0]
        self.socket.settimeout(0.2)
        self.seen = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.directory.__exit__(None, None, None)

    def read_for(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(TimeoutError):
                part = self.socket.recv(65536)
                if not part:
                    return
                self.seen += part

    def read_until(self, wanted):
        end = time.monotonic() + vm.HANG
        while wanted not in self.seen:
            if time.monotonic() > end:
                raise vm.Failed(f"no {wanted!r} within {vm.HANG} s; COM1 {vm.short(self.seen)}")
            self.read_for(0.2)

    def key(self, name):
        """Typed once the monitor has its prompt back. Whoever hangs up earlier takes what QEMU has not read along."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(vm.HANG)
            monitor.connect(str(self.tmp / "monitor"))
            monitor.sendall(f"sendkey {name}\n".encode())
            said = b""
            while said.count(b"\n(qemu) ") < 2:
                part = monitor.recv(4096)
                if not part:
                    raise vm.Failed(f"the monitor hung up; it said {said!r}")
                said += part

    def ends(self, status):
        self.read_for(vm.HANG)
        self.process.wait(vm.HANG)
        log = vm.read(self.tmp / "log").decode(errors="replace")
        if status is not None:
            vm.expect("last line of the log", log.splitlines()[-1], f"vmos: exit {status}")
        return log


def paused():
    """Nobody but the writer waits for the reader: neither another thread nor a key's interrupt."""
    with Reader(vm.guest("serial_pause"), ["7"], extra=["-vga", "std"]) as machine:
        machine.read_until(b".")
        time.sleep(1)
        machine.key("a")
        time.sleep(3)
        log = machine.ends(None)
        gap = int(log.split()[-1]) / 10
        if gap >= 1.5:
            raise vm.Failed(f"a thread that never waits stood for {gap} s")
        vm.expect("what came", set(machine.seen), set(b".a"))
        vm.expect("echoes", machine.seen.count(b"a"), 1)


def paused_at_the_end():
    """All that was written arrives, however late it is read, behind the program's end, too."""
    with Reader("/bin/busybox", ["head", "-c", "300000"], input=b"0123456789" * 30_000, cpus=1) as machine:
        time.sleep(4)
        machine.ends(0)
        vm.expect("what came", machine.seen == b"0123456789" * 30_000, True)


def without_interrupt():
    """The port is where it should be and its line is not. It is said once, and nothing is lost."""
    port = "-device isa-serial,chardev=com1,iobase=0x3f8,irq=9"
    with Reader("/bin/busybox", ["head", "-c", "300000"], input=b"0123456789" * 30_000, port=port) as machine:
        time.sleep(4)
        log = machine.ends(0)
        vm.expect("what came", machine.seen == b"0123456789" * 30_000, True)
        vm.expect("lines about it", log.count("COM1 does not interrupt"), 1)


def shared():
    """Where the log has no wire of its own, its lines and the program's come in the order in which they were written."""
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", vm.guest("registers"), input=b"")
        words = vm.qemu_words(image, cpu="max", extra=["-serial", f"file:{tmp}/com1"])
        vm.expect("QEMU's status", subprocess.run(words, stdin=subprocess.DEVNULL, timeout=vm.HANG).returncode, 33)
        said = vm.read(tmp / "com1").decode(errors="replace")
    vm.expect_in("COM1", "io_uring_setup", said)
    vm.expect("its last line", said.splitlines()[-1], "vmos: exit 0")


def modes():
    """Reads and polls while settings change, and a read whose number is closed."""
    shell = command.Terminal(vm.guest("tty_modes"))
    said = b""
    for typed in b"ab", b"abc", b"zxy", b"y":
        said += shell.wait(b"type " + typed + b"\r\n")
        shell.type(typed)
    vm.expect("status", shell.status(), 0)
    vm.expect("what it said", (said + shell.seen).replace(b"\r\n", b"\n"),
              b"termios2: 0 115200 115200 1, 0 1 1\n"
              b"VTIME: 0, after its time\nneither: 0, poll 0\nVMIN 3, two there: poll 0\nand VTIME: poll 1, read 2 after its time\n"
              b"abcreader: 3 errno 0 'abc'\nwhile it waits: 99\npoll: 1 1\nwhere no memory is: -1, EFAULT 1\n"
              b"where it ends: 2 'zx', left: 1 'y'\nopen: 0\nreader: 1 errno 0 'y'\n")


def much_at_once():
    """A mebibyte in one call, or what is dear for a screen: a thread that wakes meanwhile comes to run within a slice (ns are
    instructions). Who sleeps is late by what the terminal keeps the CPU for, and by at most 3 ms of the writer's slice."""
    limit, screen = "3400000", ["-vga", "std"]
    for what, words, extra in (("x", [], []), ("x", ["console=screen"], screen),
                               ("erase", ["console=screen"], screen), ("erase", ["video=800x600"], screen)):
        vm.boot(vm.guest("tty_write"), [limit, what], words=words, extra=["-icount", "shift=0,sleep=off", *extra]).expect(0)


def tests():
    yield "paused", paused
    yield "paused at the end", paused_at_the_end
    yield "without interrupt", without_interrupt
    yield "shared with the log", shared
    yield "modes", modes
    yield "much at once", much_at_once
