"""./build.sh memmap: its output against a second reading of every map in test/maps, the two forms of input, and what it
refuses."""
import pathlib
import random
import re

import command
import vm

PAGE, TOP = 4096, 1 << 61
MAPS = sorted((vm.ROOT / "test/maps").glob("*/*.e820"))
BARE = [(0, PAGE), (0xA0000, 0x100000)]
LINEAR = 0xFFFFC00000000000
REACH = 0xFFFFFEFFC0000000 - LINEAR
NAMES = {1: "usable", 2: "reserved", 3: "ACPI data", 4: "ACPI NVS", 5: "unusable"}


def read(path):
    lines = (line.split() for line in path.read_text().splitlines() if not line.startswith("#"))
    return [tuple(int(word, 16) for word in words) for words in lines if words]


def usable_pages(entries):
    """Pieces between all borders, as long as they are usable; then joined and rounded inward."""
    claims = [(base // PAGE * PAGE if kind != 1 else base,
               TOP if base + length > 1 << 64 else -(-(base + length) // PAGE) * PAGE if kind != 1 else base + length, kind)
              for base, length, kind in entries if length and (kind != 1 or base + length <= 1 << 64)]
    borders = sorted({min(edge, TOP) for claim in claims for edge in claim[:2]})
    ranges = []
    for start, end in zip(borders, borders[1:]):
        kinds = {kind for first, last, kind in claims if first <= start and end <= last}
        if kinds == {1}:
            if ranges and ranges[-1][1] == start:
                start = ranges.pop()[0]
            ranges.append((start, end))
    rounded = [(-(-start // PAGE) * PAGE, end // PAGE * PAGE) for start, end in ranges]
    return [(start, end) for start, end in rounded if start < end]


def parse(text):
    """(reserved, runs); every line has one of the three forms, and the order is the one promised."""
    reserved, runs = [], []
    for line in text.splitlines():
        if line.startswith("# "):
            vm.expect("a summary behind other lines", (reserved, runs), ([], []))
        elif match := re.fullmatch(r"reserved 0x(0|[1-9a-f][0-9a-f]*) 0x([1-9a-f][0-9a-f]*) (\S.*)", line):
            vm.expect("reserved lines behind runs", runs, [])
            reserved.append((int(match[1], 16), int(match[1], 16) + int(match[2], 16), match[3]))
        elif match := re.fullmatch(r"0x([1-9a-f][0-9a-f]*) 0x([1-9a-f][0-9a-f]*) ([1-9]\d*) (1G|2M|4K)", line):
            size = {"1G": 1 << 30, "2M": 2 << 20, "4K": PAGE}[match[4]]
            runs.append((int(match[1], 16), int(match[2], 16), int(match[3]), size))
        else:
            raise vm.Failed(f"a line of no known form: {line!r}")
    for before, after in zip(reserved, reserved[1:]):
        if before[1] > after[0] or before[1:] == (after[0], after[2]):
            raise vm.Failed(f"reserved lines not sorted or not merged: {before}, {after}")
    return reserved, runs


def joined(ranges):
    result = []
    for start, end in sorted(ranges):
        if result and result[-1][1] > start:
            raise vm.Failed(f"{start:#x} is given out twice")
        result.append((result.pop()[0], end) if result and result[-1][1] == start else (start, end))
    return result


def check(path, entries, *options):
    reserved, runs = parse(vm.run([vm.OUT / "memmap", "--kernel", vm.OUT / "kernel.strip", path, *options]).decode())
    usable = usable_pages(entries)
    vm.expect(f"{path}: runs and reserved lines together", joined(
        [(start, end) for start, end, _ in reserved] +
        [(physical, physical + count * size) for _, physical, count, size in runs]), joined(usable))
    at, last = LINEAR, None
    for linear, physical, count, size in runs:
        vm.expect(f"{path}: order and alignment of {linear:#x}", (linear, linear % size, physical % size), (at, 0, 0))
        if last and not (last[1] > size or last[1] == size and last[0] < physical):
            raise vm.Failed(f"{path}: {physical:#x} is out of order")
        at, last = at + count * size, (physical + count * size, size)
    for larger, smaller in ((1 << 30, 2 << 20), (2 << 20, PAGE)):
        for _, physical, count, size in runs:
            first = -(-physical // larger) * larger
            if size == smaller and larger != (1 << 30 if "--no-1g" in options else 0) and first + larger <= physical + count * size:
                raise vm.Failed(f"{path}: {first:#x} could be a page of {larger:#x}")
    if "--bare" in options:
        taken = [(start, end) for start, end, _ in reserved if end <= REACH]
        inside = [(max(a, c), min(b, d)) for a, b in BARE for c, d in usable if max(a, c) < min(b, d)]
        vm.expect(f"{path}: reserved with --bare", taken, inside)


def every_map(*options):
    for path in MAPS:
        check(path, read(path), *options)


def forms():
    """The same map shuffled, with 0x, and as Linux prints it, give the same."""
    with vm.directory() as tmp:
        for path in MAPS[::20]:
            entries = [entry for entry in read(path) if entry[1] and entry[2] in NAMES and sum(entry[:2]) < 1 << 64]
            wanted = None
            random.Random(1).shuffle(entries)
            for form in ("{0:x} {1:x} {2:x}\n", "  0x{0:X}\t0x{1:016x} {2:x}\r\n",
                         "[    0.000000] BIOS-e820: [mem 0x{0:016x}-0x{3:016x}] {4}\n",
                         "[    0.000000]  BIOS-e820: {0:016x} - {5:016x} ({4})\n",
                         " BIOS-e820: {0:016x} - {5:016x} ({4})\r\n",
                         "May  1 10:00:00 box kernel: [    0.000000]  modified: {0:016x} - {5:016x} ({4})\n",
                         "[    0.000000] user: [mem 0x{0:016x}-0x{3:016x}] {4}\n"):
                text = "".join(form.format(base, length, kind, base + length - 1, NAMES[kind], base + length)
                               for base, length, kind in entries)
                (tmp / "map").write_text(f"# a map\n\n{text}" if "{2" in form else f"[ 0.000000] Linux version\n{text}"
                                         "e820: update [mem 0x0-0xfff] usable ==> reserved\n")
                got = command.build_sh(["memmap", tmp / "map"], status=0).stdout
                wanted = wanted or got
                vm.expect(f"{path} as {form!r}", got, wanted)


def log_lines():
    """An entry of no length, and one of all addresses."""
    usable = "BIOS-e820: [mem 0x0000000000100000-0x0000000007ffffff] usable\n"
    wanted = outcome(usable)
    vm.expect("most of 127 MiB in runs", 120 << 20 < sum(count * size for _, _, count, size in wanted[1]), True)
    vm.expect("with an empty entry", outcome(usable + "BIOS-e820: [mem 0x200000-0x1fffff] reserved\n"), wanted)
    vm.expect("all reserved", outcome(usable + "BIOS-e820: [mem 0x0-0xffffffffffffffff] reserved\n"), ([], []))
    vm.expect("the upper part", outcome(usable + "BIOS-e820: [mem 0x8000000-0xffffffffffffffff] reserved\n"), wanted)


def several_maps():
    """Of a log with several maps the firmware's last one counts; logs of kernels before 3.5 give ends, not last bytes."""
    old = " BIOS-e820: 0000000000000000 - 000000000009fc00 (usable)\n BIOS-e820: 0000000000100000 - 0000000008000000 (usable)\n"
    head, changed = "BIOS-provided physical RAM map:\n", "modified physical RAM map:\n modified: "
    wanted = outcome(head + old)
    vm.expect("as a plain map", outcome("0 9fc00 1\n100000 7f00000 1\n"), wanted)
    more = changed + "0000000000100000 - 0000000004000000 (usable)\n"
    vm.expect("before the kernel's", outcome(head + old + more), wanted)
    vm.expect("behind the kernel's", outcome(more + old), wanted)
    vm.expect("of the last boot", outcome(head + old.replace("usable", "reserved") + head + old), wanted)
    vm.expect("the kernel's alone, the last", outcome(changed + "0000000000000000 - 0000000000100000 (reserved)\n" + more),
              outcome("100000 3f00000 1\n"))
    vm.expect("up to 2^64", outcome(old + " BIOS-e820: 0000000008000000 - 0000000000000000 (reserved)\n"), wanted)
    vm.expect("of no length", outcome(old + " BIOS-e820: 0000000000200000 - 0000000000200000 (reserved)\n"), wanted)


def outcome(log):
    with vm.directory() as tmp:
        (tmp / "map").write_text(log)
        return parse(command.build_sh(["memmap", tmp / "map"], status=0).stdout.decode())


def image():
    """An image with a program reserves more than the kernel alone."""
    with vm.directory() as tmp:
        disk = vm.mkimage(tmp / "disk.img", vm.guest("hello"))
        check(MAPS[0], read(MAPS[0]), "--image", disk)
        check(MAPS[0], read(MAPS[0]), "--no-1g", "--image", disk)
        (tmp / "junk").write_bytes(b"x" * 4096)
        refused([MAPS[0], "--image", tmp / "junk"], 1)


def refused(words, status):
    done = command.build_sh(["memmap", *words], status=status)
    vm.expect("output", done.stdout, b"")
    if status == 1:
        vm.expect(f"lines of {done.stderr!r}", done.stderr.count(b"\n"), 1)


def refusals():
    with vm.directory() as tmp:
        for text in b"", b"# nothing\n", b"no map\n", b"0 1000\n", b"0 1000 1 1\n", b"0 1000 100000000\n", b"0 -1 1\n", \
                b"0 11111111111111111 1\n", b"BIOS-e820: [mem 0x1000-0xffe] usable\n", b"BIOS-e820: what\n", b"BIOS-e820: 1000 - fff (usable)\n", b"BIOS-e820: 0 - 1000\n", b"BIOS-provided physical RAM map:\n", b"\0\1\2", \
                b"".join(b"%x 1000 1\n" % (n << 13) for n in range(615)):
            (tmp / "map").write_bytes(text)
            refused([tmp / "map"], 1)
        refused([pathlib.Path("/bin/busybox")], 1)
        refused([tmp / "missing"], 2)
        refused([], 2)
        refused([MAPS[0], "--what"], 2)
        refused([MAPS[0], MAPS[1]], 2)


def tests():
    for options in [], ["--no-1g"], ["--bare"], ["--bare", "--no-1g"]:
        yield " ".join(["every map", *options]), lambda o=options: every_map(*o)
    for test in forms, log_lines, several_maps, image, refusals:
        yield test.__name__, test
