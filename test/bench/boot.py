"""vmos next to Debian's cloud kernel and to the firmware alone: the same static program, the same QEMU, memory and CPUs,
one interleaved run. ./build.sh bench boot calls it.

Each contestant runs until the program's first act, a line on COM1, and is ended there. Counting is a run of its own, since
a plugin makes QEMU slower."""
import itertools
import os
import re
import selectors
import subprocess
import time

import linux
import vm

ROUNDS = 7
CPUS = (1, 4, 16, 64)
MEMORY = ("64M", "256M", "16G", "64G")
MARK = b"first act"
HANG = 300
SMALL_HANG = 30  # for a machine that has too little memory and may not even say so
FLOOR_NAME = "SeaBIOS alone"
SAME = 0.03  # smaller differences are not claimed
OUT = vm.OUT / "bench"

# Sends the mark and waits: the least that a boot sector can do. What is left is the firmware.
FLOOR = """
bits 16
org 0x7c00
        xor ax, ax
        mov ds, ax
        mov si, mark
        mov dx, 0x3f8
next:   lodsb
        out dx, al
        test al, al
        jnz next
        cli
        hlt
mark:   db "first act", 10, 0
        times 510 - ($ - $$) db 0
        dw 0xaa55
"""


class Contestant:
    def __init__(self, name, words, place, size):
        self.name, self.words, self.place, self.size = name, words, place, size


def disk(path):
    return ["-drive", f"file={path},format=raw,if=virtio"]


def contestants():
    OUT.mkdir(parents=True, exist_ok=True)
    program = OUT / "first"
    # at an address where no kernel runs, so that the plugin sees main and nothing else
    vm.run(["musl-gcc", "-static", "-O2", "-Wl,-Ttext-segment=0x70000000", "test/bench/first.c", "-o", OUT / "first.sym"])
    vm.run(["strip", OUT / "first.sym", "-o", program])
    main = next(line.split()[0] for line in vm.run(["nm", OUT / "first.sym"]).decode().splitlines() if line.endswith(" main"))
    main = main.lstrip("0")
    (OUT / "floor.asm").write_text(FLOOR)
    vm.run(["nasm", "-f", "bin", OUT / "floor.asm", "-o", OUT / "floor.img"])
    os.truncate(OUT / "floor.img", 16 * 63 * 512)
    image = vm.mkimage(OUT / "first.img", program)
    table = image.read_bytes()[446:478]
    sectors = 2 + int.from_bytes(table[12:16], "little")
    kernel, version = linux.kernel()
    initrd = linux.initramfs(program, OUT / "first.cpio.gz")
    grub = linux.grub_disk(kernel, initrd, OUT / "grub.img")
    all_of_them = [Contestant(FLOOR_NAME, disk(OUT / "floor.img"), "7c00", 512),
                   Contestant("vmos", disk(image), main, sectors * 512),
                   Contestant("Linux, -kernel", ["-kernel", str(kernel), "-initrd", str(initrd), "-append", linux.COMMAND],
                              main, kernel.stat().st_size + initrd.stat().st_size)]
    if grub:
        all_of_them.append(Contestant("Linux, by GRUB", disk(grub), main, grub.stat().st_size))
    return all_of_them, version


def words(who, cpus, memory):
    return ["qemu-system-x86_64", "-M", "pc,memory-backend=m0", "-object",
            f"memory-backend-ram,id=m0,size={memory},reserve=off", "-m", memory, "-cpu", "max", "-smp", str(cpus),
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-debugcon", "null", "-serial", "stdio",
            *who.words]


def until(command, mark, hang=HANG):
    """What the machine says on COM1, and the CPU and wall seconds it took; it is ended at the mark, or when it hangs."""
    start, text = time.monotonic(), b""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while mark not in text and time.monotonic() - start < hang:
            part = os.read(process.stdout.fileno(), 4096) if selector.select(1) else None
            if part == b"":
                break
            text += part or b""
    wall = time.monotonic() - start
    process.kill()
    usage = os.wait4(process.pid, 0)[2]
    process.returncode = 0
    process.stdout.close()
    return text, usage.ru_utime + usage.ru_stime, wall


def run(who, cpus, memory, hang=HANG):
    """CPU and wall seconds up to the mark; None: it never came. With more CPUs than the host's they take turns: as threads
    of their own they would mostly spin for locks whose holder does not run."""
    threads = "single" if cpus > os.cpu_count() else "multi"
    text, *seconds = until(words(who, cpus, memory) + ["-accel", f"tcg,thread={threads}"], MARK, hang)
    return seconds if MARK in text else None


def plugin(who, cpus, memory, more=""):
    """Runs up to the contestant's place; what the plugin wrote."""
    out = OUT / "count"
    out.unlink(missing_ok=True)
    subprocess.run(words(who, cpus, memory) + ["-accel", "tcg,thread=single", "-plugin",
                   f"out/icnt.so,at={who.place},cpus=1,out={out}{more}"], cwd=vm.ROOT, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=4 * HANG)
    return out.read_text()


def count(who, cpus, memory):
    """Instructions of all CPUs, port accesses; the least of three, since a firmware that waits longer only adds some."""
    best = None
    for _ in range(3 if "Linux" not in who.name else 1):
        found = re.search(rf"(?m)^{who.place} \d+ \d+ \d+ (\d+) (\d+)$", plugin(who, cpus, memory))
        if not found:
            return None
        this = int(found[2]), int(found[1])
        best = min(best, this) if best else this
    return best


def smallest(who):
    """MiB."""
    works, fails = 256, 0
    while works - fails > 1:
        middle = (works + fails) // 2
        if run(who, 1, f"{middle}M", SMALL_HANG):
            works = middle
        else:
            fails = middle
    return works


def median(values):
    return sorted(values)[len(values) // 2]


def ratio(value, to):
    return "same" if abs(value / to - 1) < SAME else f"{value / to:.2f}" if value / to < 10 else f"{value / to:,.0f}"


class Row:
    def __init__(self, cpus, memory, who, counts, times):
        self.cpus, self.memory, self.who, self.counts = cpus, memory, who, counts
        self.used, self.wall = ([1000 * pair[i] for pair in times] for i in (0, 1))


def measure(progress=lambda text: None):
    """The kernel's version, a Row for each contestant in each configuration, and what each needs in MiB at least."""
    field, version = contestants()
    rows = []
    for cpus, memory in itertools.product(CPUS, MEMORY):
        here = [who for who in field if "GRUB" not in who.name or (cpus, memory) == (1, "256M")]
        counts, times = {}, {who: [] for who in here}
        for who in here:
            progress(f"{cpus} CPUs, {memory}: counting, {who.name}")
            counts[who] = count(who, cpus, memory)
        for number in range(ROUNDS):
            progress(f"{cpus} CPUs, {memory}: round {number + 1} of {ROUNDS}")
            for who in here:
                if counts[who] and None not in times[who]:
                    times[who].append(run(who, cpus, memory))
        rows += [Row(cpus, memory, who, counts[who], list(filter(None, times[who]))) for who in here]
    progress("smallest memory")
    return version, rows, [(who, smallest(who)) for who in field]


def table(version, rows, least):
    """Markdown."""
    lines = [f"Linux is Debian's {version}, its command line `{linux.COMMAND}`. Up to the program's first act; times in ms,"
             f" {ROUNDS} rounds with all systems in turn; instructions and port accesses of all CPUs. Machines with more than"
             f" {os.cpu_count()} CPUs, the host's, run on one thread.", "",
             "| CPUs | memory | system | instructions | port accesses | QEMU's CPU time: median, least | wall: median, least"
             " | least CPU time to SeaBIOS alone |", "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        start = f"| {row.cpus} | {row.memory} | {row.who.name} |"
        if not row.used:
            lines.append(f"{start} {'not there within %d s' % HANG if row.counts else 'does not boot'} | | | | |")
            continue
        floor = min(row.used) if row.who.name == FLOOR_NAME else floor
        lines.append(f"{start} {row.counts[0]:,} | {row.counts[1]:,} | {median(row.used):,.0f}, {min(row.used):,.0f} |"
                     f" {median(row.wall):,.0f}, {min(row.wall):,.0f} | {ratio(min(row.used), floor)} |")
    lines += ["", "| system | smallest memory | bytes to boot |", "|---|---|---|"]
    return lines + [f"| {who.name} | {memory} MiB | {who.size:,} |" for who, memory in least]
