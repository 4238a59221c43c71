"""The screen: what QEMU's display shows is decoded back to text with the pictures of kernel/device/font.txt. The
screenshots are kept in out/screens/."""
import re
import time

import gdb
import vm

SHOTS = vm.OUT / "screens"
CHARACTERS = "".join(map(chr, range(0x20, 0x7F)))
# What the program of these tests leaves on the screen.
PAINTED = [CHARACTERS, "every character; ?ber one question mark for two bytes of UTF-8",
           "    " + "".join(f" {n}  {n + 60}  {n + 10} " for n in range(30, 38)).rstrip()[4:],  # black on black
           "bold red reverse of 256 plain", "OVERwrittenat the end", "up and down"]
BLACK, GREY, WHITE, RED = (0,) * 3, (0xAA,) * 3, (0xFF,) * 3, (0xFF, 0x55, 0x55)


def wrapped(columns):
    return [line[at:at + columns].rstrip() for line in PAINTED for at in range(0, len(line), columns)]


def glyphs():
    """From a picture's rows, as strings of . and #, to its character."""
    found, band = {}, []
    for line in (vm.ROOT / "kernel/device/font.txt").read_text().splitlines():
        fields = line.split()
        if fields and all(len(field) == 8 and set(field) <= set(".#") for field in fields):
            band.append(fields)
            if len(band) == 16:
                for pictures in zip(*band):
                    found["".join(pictures)] = CHARACTERS[len(found)]
                band = []
    vm.expect("pictures in the font", len(found), len(CHARACTERS))
    return found


class Picture:
    """A PPM of a framebuffer: rows of text, and (foreground, background) of each cell."""

    def __init__(self, ppm):
        head = re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", ppm)
        self.width, self.height = int(head[1]), int(head[2])
        self.pixels = ppm[head.end():]
        font = glyphs()
        self.rows, self.colours = [], []
        for row in range(self.height // 16):
            cells = [self.cell(font, row, column) for column in range(self.width // 8)]
            self.rows.append("".join(cell[0] for cell in cells).rstrip())
            self.colours.append([cell[1:] for cell in cells])

    def cell(self, font, row, column):
        at = [3 * ((row * 16 + y) * self.width + column * 8) for y in range(16)]
        block = [self.pixels[start:start + 24] for start in at]
        if all(line == block[0][:3] * 8 for line in block):
            return " ", None, tuple(block[0][:3])
        pixels = [line[x:x + 3] for line in block for x in range(0, 24, 3)]
        seen = sorted(set(pixels))
        for back, front in (seen, seen[::-1]) if len(seen) == 2 else ():
            picture = "".join("#" if pixel == front else "." for pixel in pixels)
            if picture in font:
                return font[picture], tuple(front), tuple(back)
        raise vm.Failed(f"row {row}, column {column} of the screen shows no character: {len(seen)} colours")

    def find(self, line):
        if line not in self.rows:
            raise vm.Failed(f"the screen has no line {line!r}: {self.rows}")
        return self.rows.index(line)


def shoot(machine, name):
    """What is shown, and a PNG of it for people."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    machine.command("screendump", filename=str(SHOTS / f"{name}.png"), format="png")
    machine.command("screendump", filename=str(machine.tmp / "ppm"))
    return vm.read(machine.tmp / "ppm")


def near(what, colour, wanted, bits=5):
    """A colour that went through so many bits."""
    if colour is None or any(abs(a - b) >= 256 >> bits for a, b in zip(colour, wanted)):
        raise vm.Failed(f"{what} is {colour}, expected about {wanted}")


def image(tmp, video, args=(), words=()):
    return vm.mkimage(tmp / "disk.img", vm.guest("paint"), args, words=[*([f"video={video}"] if video else []), *words])


def painted(video, size, device=("-device", "VGA"), args=()):
    with vm.directory() as tmp, vm.Running(image(tmp, video, args), extra=device) as machine:
        machine.wait(b"painted\n")
        for _ in range(20):  # COM1 has it before the screen
            try:
                picture = Picture(shoot(machine, "-".join([video, device[1], *args])))
                picture.find("painted")
                break
            except vm.Failed as failed:
                failure = failed
                time.sleep(0.2)
        else:
            raise failure
        vm.expect("the screen's size", (picture.width, picture.height), size)
        return picture, machine.log()


def framebuffer(video, size, **more):
    picture, log = painted(video, size, **more)
    lines = wrapped(size[0] // 8)
    first = picture.find(lines[0])
    vm.expect("what the program wrote", picture.rows[first:first + len(lines)], lines)
    for line in log.splitlines()[1:6]:  # of the kernel; the first is the loader's
        vm.expect_in("the screen", line[:size[0] // 8].rstrip(), picture.rows)
    bits = 4 if video.endswith(("x15", "x16")) else 6
    colours, words = first + lines.index(PAINTED[2][:size[0] // 8].rstrip()), first + lines.index(PAINTED[3])
    for row, column, wanted, back in (
            (first, 1, WHITE, BLACK), (first - 1, 0, GREY, BLACK), (words, 0, RED, BLACK), (words, 9, BLACK, GREY),
            (colours, 13, (0xAA, 0, 0), BLACK), (colours, 17, RED, BLACK), (colours, 21, WHITE, (0xAA, 0, 0)),
            (colours, 57, WHITE, (0, 0, 0xAA)), (colours, 53, (0x55, 0x55, 0xFF), BLACK), (colours, 37, (0xAA, 0xAA, 0), BLACK)):
        near(f"the foreground of {row}, {column}", picture.colours[row][column][0], wanted, bits)
        near(f"the background of {row}, {column}", picture.colours[row][column][1], back, bits)
    vm.expect("the cursor", sum(cell[1] != BLACK for row in picture.colours[words + 1:] for cell in row), 1)


def scrolled():
    picture, _ = painted("640x480", (640, 480), args=("scroll",))
    end = picture.find("painted")
    vm.expect("the last lines", picture.rows[end - 25:end], [f"line {n} of many" for n in range(175, 200)])


def text():
    """Without the word: the adapter's text mode, its cells in video memory."""
    with vm.directory() as tmp, vm.Running(image(tmp, None), extra=["-device", "VGA"]) as machine:
        machine.wait(b"painted\n")
        shoot(machine, "text")
        start = 0
        for register in 0x0C, 0x0D:
            machine.monitor(f"o/b 0x3d4 {register}")
            start = start << 8 | int(machine.monitor("i/b 0x3d5").split("=")[1], 16)
        cells = machine.physical(0xB8000 + 2 * start, 80 * 25 * 2)
    rows = [cells[at:at + 160:2].decode("latin1").rstrip() for at in range(0, len(cells), 160)]
    first = rows.index(PAINTED[1])
    dark = PAINTED[2].replace("   ", " 30", 1)  # black on black is text, too
    vm.expect("what the program wrote", rows[first:first + 5], [PAINTED[1], dark[:80].rstrip(), dark[80:], *PAINTED[3:5]])
    for row, column, attribute in ((first, 0, 0x0F), (first + 1, 13, 0x04), (first + 1, 17, 0x0C), (first + 1, 21, 0x4F),
                                   (first + 3, 0, 0x0C), (first + 3, 9, 0x70)):
        vm.expect(f"the attribute of row {row}, column {column}", cells[row * 160 + column * 2 + 1], attribute)


def ended(video, place, name, args=(), words=()):
    """The screen when the machine is about to end, and the log."""
    with vm.directory() as tmp, gdb.Stopped(image(tmp, video, args, words), extra=["-device", "VGA"]) as machine:
        machine.connect()
        machine.gdb.run_to(place)
        picture = Picture(shoot(machine, name))
        return picture, machine.log()


def crash():
    picture, log = ended("800x600", "emulator_exit", "crash", args=("die",))
    row = picture.find(PAINTED[-1])
    report = [line for line in log.splitlines() if line.startswith("vmos! ")]
    shown = "\n".join(picture.rows[row + 1:])
    for line in report[:4]:
        vm.expect_in("the screen", line[:100].rstrip(), shown)
    near("the report", picture.colours[row + 1][0][0], RED)


def panicked(video):
    """What the screen shows of a kernel panic, from its first line on, and the lines of the report."""
    with vm.directory() as tmp, gdb.Stopped(image(tmp, video), extra=["-device", "VGA"]) as machine:
        machine.connect()
        machine.gdb.run_to("call_writev")
        machine.gdb.write(machine.gdb["rip"], b"\x0f\x0b")
        machine.gdb.run_to("emulator_exit")
        rows = Picture(shoot(machine, f"panic-{video}")).rows
        report = [line for line in machine.log().splitlines() if line.startswith("vmos! ")]
    begin = [i for i, row in enumerate(rows) if row.startswith("vmos! panic: exception 6 (#UD)")]
    vm.expect(f"a panic's first line in {rows}", len(begin), 1)
    vm.expect_in("the screen", "vmos: exit 125", rows)
    return rows[begin[0]:], report


def panic():
    """As much of the report as the screen has rows for."""
    rows, report = panicked("1024x768")
    report = [line[:128].rstrip() for line in report]
    shown = [row for row in rows if row.startswith("vmos! ")]
    if len(shown) < 24 or any(line not in report for line in shown):
        raise vm.Failed(f"the screen shows {len(shown)} rows of the report's {len(report)}: {shown}")


def unfit():
    """In the low kernel, which has few cells."""
    place = gdb.address("emulator_exit") + 0x100000 - gdb.KERNEL_BASE
    picture, log = ended("800x600", place, "unfit", words=["mem=1M"])
    sentence = next(line for line in log.splitlines() if line.startswith("vmos! "))
    vm.expect_in("the screen", sentence, "".join(row.ljust(100) for row in picture.rows))


def none(video, reason):
    """A mode that there is not: a sentence, and text."""
    picture, log = None, None
    with vm.directory() as tmp, vm.Running(image(tmp, video), extra=["-device", "VGA"]) as machine:
        machine.wait(b"painted\n")
        shoot(machine, f"none-{video}")
        log = machine.log()
        cells = machine.physical(0xB8000, 0x8000)[::2]
    if not re.search(rf"vmos: loader: video={video}: {reason}", log):
        raise vm.Failed(f"the log does not say why: {log[:600]}")
    vm.expect_in("video memory", b"painted", cells)


def tests():
    yield "text", text
    for video, size in ("800x600", (800, 600)), ("1024x768x32", (1024, 768)), ("640x480x16", (640, 480)), ("800x600x24", (800, 600)):
        yield video, lambda video=video, size=size: framebuffer(video, size)
    yield "cirrus", lambda: framebuffer("640x480x24", (640, 480), device=("-device", "cirrus-vga"))
    yield "scrolled", scrolled
    yield "crash", crash
    yield "panic", panic
    yield "panic, 40 columns", lambda: panicked("320x200")
    yield "unfit", unfit
    yield "none such", lambda: none("801x600x32", "the BIOS has no such mode; the screen stays in text mode. Modes of 32 bits: .*800x600 ")


def more_tests():
    for video, size in ("1600x1200x16", (1600, 1200)), ("640x400x32", (640, 400)), ("1920x1080x24", (1920, 1080)), ("800x600x15", (800, 600)):
        yield video, lambda video=video, size=size: framebuffer(video, size)
    yield "isa-vga", lambda: framebuffer("800x600", (800, 600), device=("-device", "isa-vga"))
