"""/dev/fb0: a program's picture, pixel by pixel, and who has the screen before, meanwhile and afterwards."""
import contextlib
import socket
import time

import vm


STAYS = "max,hypervisor=off"  # a QEMU that is not recognised is not asked to end


def program():
    return vm.compile_guest("test/guest/fb.c", "gcc", "-static")


class Console:
    """A running machine with a screen, and COM1 as a conversation."""

    def __init__(self, machine, path):
        self.machine, self.text = machine, b""
        end = time.monotonic() + vm.HANG
        self.com1 = socket.socket(socket.AF_UNIX)
        self.com1.settimeout(vm.HANG)
        while True:
            try:
                self.com1.connect(path)
                machine.connect()
                return
            except OSError:
                if time.monotonic() > end:
                    raise vm.Failed("QEMU does not listen") from None
                time.sleep(0.1)

    def expect(self, line):
        """Waits for a line of the program, then says that it may go on the next time it asks."""
        while line not in self.text:
            more = self.com1.recv(4096)
            if not more:
                raise vm.Failed(f"no {line!r} before QEMU ended; COM1 {vm.short(self.text)}")
            self.text += more
        self.text = b""

    def go_on(self):
        self.com1.sendall(b"\n")

    def picture(self):
        path = self.machine.tmp / "screen.ppm"
        self.machine.command("screendump", filename=str(path))
        return Picture(path.read_bytes())


class Picture:
    """A binary PPM."""

    def __init__(self, ppm):
        kind, size, most, self.pixels = ppm.split(b"\n", 3)
        vm.expect("the picture's format", (kind, most), (b"P6", b"255"))
        self.width, self.height = map(int, size.split())

    def row(self, y):
        return self.pixels[y * self.width * 3:(y + 1) * self.width * 3]

    def used_rows(self):
        """How many rows of pixels lie above the last one with something on it."""
        return max((y + 1 for y in range(self.height) if len(set(self.row(y))) > 1), default=0)


def row_drawn(y, width, height):
    """As test/guest/fb.c computes it."""
    light, row = 255 - y * 128 // height, bytearray()
    for x in range(width):
        white = x in (y, 0, width - 1) or y in (0, height - 1)
        bar = 1 + x * 8 // width
        row += bytes(255 if white else light if bar >> i & 1 else (x ^ y) & 63 for i in range(3))
    return bytes(row)


@contextlib.contextmanager
def machine(program, arguments, mode, *words, **more):
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", program, arguments, input=None, words=[f"video={mode}", *words])
        extra = ["-vga", "std", "-smp", "2", "-serial", f"unix:{tmp}/com1,server=on,wait=off"]
        with vm.Running(image, extra=extra, **more) as running:
            yield Console(running, f"{tmp}/com1")


def drawn(mode, mask=0xff):
    """mask: the bits of a colour that the mode keeps."""
    width, height = map(int, mode.split("x")[:2])
    with machine(program(), ["draw"], mode) as console:
        console.expect(b"before\n")
        before = console.picture()
        console.go_on()
        console.expect(b"drawn\n")
        picture = console.picture()
        vm.expect("the size", (picture.width, picture.height), (width, height))
        for y in range(height):
            got = bytes(byte & mask for byte in picture.row(y))
            wanted = bytes(byte & mask for byte in row_drawn(y, width, height))
            if got != wanted:
                x = next(x for x in range(3 * width) if got[x] != wanted[x]) // 3
                raise vm.Failed(f"pixel {x}, {y} is {tuple(got[3 * x:3 * x + 3])}, not {tuple(wanted[3 * x:3 * x + 3])}")
        console.go_on()
        console.expect(b"one page left\n")
        if console.picture().pixels != picture.pixels:
            raise vm.Failed("the picture did not stay until its last page was unmapped")
        console.go_on()
        console.expect(b"unmapped\n")
        after = console.picture()
        used = before.used_rows() - 16  # but for the line with the cursor
        if not 0 < used < after.used_rows() - 3 * 16 or any(before.row(y) != after.row(y) for y in range(used)):
            raise vm.Failed("the console did not come back as it was, with what was said meanwhile below")


def crash():
    """The report is on the screen, although another thread goes on drawing."""
    with machine(program(), ["crash"], "800x600", "after=halt", cpu=STAYS) as console:
        vm.wait_for(console.machine.tmp / "log", b"vmos: exit 139\n", console.machine.process)
        picture = console.picture()
        colours = {picture.pixels[i:i + 3] for i in range(0, len(picture.pixels), 3)}
        if len(colours) > 6 or picture.used_rows() < 16 * 20:
            raise vm.Failed(f"{len(colours)} colours on the first {picture.used_rows()} rows are not a report")


def calls():
    vm.boot(program(), ["check"], words=["video=800x600"], extra=["-vga", "std", "-smp", "2"]).expect(0, b"")


def busybox():
    """Programs that were not written for this: one looks, the other writes as to any file."""
    vm.boot("/bin/busybox", ["stat", "-c", "%F %t:%T", "/dev/fb0"], words=["video=800x600"], extra=["-vga", "std"],
            name="busybox").expect(0, b"character special file 1d:0\n")
    fill = 'BEGIN { for (i = 0; i < 640; i++) row = row "abc "; for (i = 0; i < 480; i++) printf row > "/dev/fb0" }'
    with machine("/bin/busybox", ["awk", fill], "640x480", "after=halt", cpu=STAYS) as console:
        vm.wait_for(console.machine.tmp / "log", b"vmos: exit 0\n", console.machine.process)
        vm.expect("the last row", console.picture().row(479), b"cba" * 640)


def tests():
    yield "640x480", lambda: drawn("640x480")
    yield "640x480 in 16 bits", lambda: drawn("640x480x16", 0xf8)
    yield "crash", crash
    yield "calls", calls
    yield "busybox", busybox
    yield "no framebuffer", lambda: vm.boot(program(), ["none"]).expect(0, b"")
