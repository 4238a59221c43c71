"""/dev/fb0: a program's picture, pixel by pixel, and who has the screen before, meanwhile and afterwards."""
import contextlib
import re
import socket
import time

import screen
import vm

STAYS = "max,hypervisor=off"  # a QEMU that is not recognised is not asked to end


def program():
    return vm.compile_guest("test/guest/fb.c", "gcc", "-static")


class Conversation:
    """A running machine with a screen, and COM1 in both directions."""

    def __init__(self, machine, path):
        self.machine, self.text = machine, b""
        self.com1 = socket.socket(socket.AF_UNIX)
        self.com1.settimeout(vm.HANG)
        for connect in lambda: self.com1.connect(path), machine.connect:
            self.retry(connect)

    @staticmethod
    def retry(connect):
        end = time.monotonic() + vm.HANG
        while True:
            try:
                return connect()
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def expect(self, line):
        while line not in self.text:
            more = self.com1.recv(4096)
            if not more:
                raise vm.Failed(f"no {line!r} before QEMU ended; COM1 {vm.short(self.text)}")
            self.text += more
        self.text = b""

    def go_on(self):
        self.com1.sendall(b"\n")

    def ended(self, status):
        vm.wait_for(self.machine.tmp / "log", b"vmos: exit %d\n" % status, self.machine.process)

    def pixels(self, name):
        """Width, and rows of three bytes a pixel."""
        ppm = screen.shoot(self.machine, f"fb-{name}")
        head = re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", ppm)
        row = 3 * int(head[1])
        return int(head[1]), [ppm[at:at + row] for at in range(head.end(), len(ppm), row)]

    def text_with(self, line, name, first=None):
        """The screen's rows of text once it has this one: COM1 and the log have it before. first: what the first row
        is, where the rows are painted anew, in some order."""
        for _ in range(40):
            try:
                rows = screen.Picture(screen.shoot(self.machine, f"fb-{name}")).rows
                failure = vm.Failed(f"the screen has no line {line!r}: {rows}")
                if line in rows and first in (None, rows[0]):
                    return rows
            except vm.Failed as failed:
                failure = failed
            time.sleep(0.1)
        raise failure


@contextlib.contextmanager
def machine(program, arguments, mode, *words, **more):
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", program, arguments, input=None, words=[f"video={mode}", *words])
        extra = ["-vga", "std", "-smp", "2", "-serial", f"unix:{tmp}/com1,server=on,wait=off"]
        with vm.Running(image, extra=extra, **more) as running:
            yield Conversation(running, f"{tmp}/com1")


def row_drawn(y, width, height):
    """As test/guest/fb.c computes it."""
    light, row = 255 - y * 128 // height, bytearray()
    for x in range(width):
        white = x in (y, 0, width - 1) or y in (0, height - 1)
        bar = 1 + x * 8 // width
        row += bytes(255 if white else light if bar >> i & 1 else (x ^ y) & 63 for i in range(3))
    return bytes(row)


def drawn(mode, mask=0xff):
    """mask: the bits of a colour that the mode keeps."""
    width, height = map(int, mode.split("x")[:2])
    with machine(program(), ["draw"], mode) as talk:
        talk.expect(b"before\n")
        before = talk.text_with("before", f"{mode}-before")
        talk.go_on()
        talk.expect(b"drawn\n")
        shown, rows = talk.pixels(f"{mode}-drawn")
        vm.expect("the size", (shown, len(rows)), (width, height))
        for y, row in enumerate(rows):
            got, wanted = (bytes(byte & mask for byte in line) for line in (row, row_drawn(y, width, height)))
            if got != wanted:
                x = next(x for x in range(width) if got[3 * x:3 * x + 3] != wanted[3 * x:3 * x + 3])
                raise vm.Failed(f"pixel {x}, {y} is {tuple(got[3 * x:3 * x + 3])}, not {tuple(wanted[3 * x:3 * x + 3])}")
        talk.go_on()
        talk.expect(b"one page left\n")
        vm.expect("the picture stays until its last page is unmapped", talk.pixels(f"{mode}-page")[1] == rows, True)
        talk.go_on()
        talk.expect(b"unmapped\n")
        after = talk.text_with("unmapped", f"{mode}-after", before[0])
        said = before.index("before") + 1
        vm.expect("what the console had", after[:said], before[:said])
        vm.expect("what was said meanwhile", [line for line in after[said:] if line],
                  [f"{width} x {height} x {mode.split('x')[2] if mask < 0xff else 32}", "drawn", "one page left", "unmapped"])


def crash():
    """The report is on the screen, although another thread goes on drawing."""
    with machine(program(), ["crash"], "800x600", "after=halt", cpu=STAYS) as talk:
        talk.ended(139)
        rows = talk.text_with("vmos: exit 139", "crash")
        report = [line for line in talk.machine.log().splitlines() if line.startswith("vmos! ")]
        vm.expect_in("the report", "(SIGSEGV): write to address 0x0 (null pointer) at main+0x", report[0])
        for line in report:
            vm.expect_in("the screen", line[:100].rstrip(), rows)


def calls():
    vm.boot(program(), ["check"], words=["video=800x600"], extra=["-vga", "std", "-smp", "2"]).expect(0, b"")


def busybox():
    """Programs that were not written for this: one looks, the other writes as to any file."""
    vm.boot("/bin/busybox", ["stat", "-c", "%F %t:%T", "/dev/fb0"], words=["video=800x600"], extra=["-vga", "std"],
            name="busybox").expect(0, b"character special file 1d:0\n")
    fill = 'BEGIN { for (i = 0; i < 640; i++) row = row "abc "; for (i = 0; i < 480; i++) printf row > "/dev/fb0" }'
    with machine("/bin/busybox", ["awk", fill], "640x480", "after=halt", cpu=STAYS) as talk:
        talk.ended(0)
        vm.expect("the last row", talk.pixels("awk")[1][479], b"cba" * 640)


def tests():
    yield "640x480", lambda: drawn("640x480")
    yield "640x480 in 16 bits", lambda: drawn("640x480x16", 0xf8)
    yield "crash", crash
    yield "calls", calls
    yield "busybox", busybox
    yield "no framebuffer", lambda: vm.boot(program(), ["none"]).expect(0, b"")
