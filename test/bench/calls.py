"""What system calls, faults and switches cost, in instructions: one static program on vmos and on Linux, on one CPU, under
QEMU's -icount, where the time stamp counter counts instructions. ./build.sh bench calls calls it."""
import re

import boot
import linux
import vm

END = b"\nend"


def run(words):
    text = boot.until(words + ["-accel", "tcg", "-icount", "shift=0,sleep=off"], END)[0].decode(errors="replace")
    return {name: int(ticks) for name, ticks in re.findall(r"(?m)^(\D.*?) (\d+)\r?$", text)}


def table():
    boot.OUT.mkdir(parents=True, exist_ok=True)
    program = boot.OUT / "calls"
    vm.run(["musl-gcc", "-static", "-O2", "test/bench/calls.c", "-o", program])
    kernel, version = linux.kernel()
    initrd = linux.initramfs(program, boot.OUT / "calls.cpio.gz")
    image = vm.mkimage(boot.OUT / "calls.img", program)
    both = [boot.Contestant("vmos", boot.disk(image), None, 0),
            boot.Contestant("Linux", ["-kernel", str(kernel), "-initrd", str(initrd), "-append", linux.COMMAND], None, 0)]
    ours, theirs = (run(boot.words(who, 1, "256M")) for who in both)
    if not ours or ours.keys() != theirs.keys():
        raise vm.Failed(f"the program did not come to its end: vmos {ours}, Linux {theirs}")
    lines = [f"Instructions for one of each, the program's own among them, on vmos and on Debian's {version}; both under"
             " `-icount shift=0`, one CPU, 256 MiB.", "", "| | vmos | Linux | Linux to vmos |", "|---|---|---|---|"]
    return lines + [f"| {name} | {ours[name]:,} | {theirs[name]:,} | {boot.ratio(theirs[name], ours[name])} |" for name in ours]
