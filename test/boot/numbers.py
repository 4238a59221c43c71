"""The numbers to reach: instructions to main, what memory costs, sizes."""
import os
import pathlib
import re
import sys
import threading

import vm

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
import boot
import calls

# With QEMU 7.2 and its SeaBIOS; others count and wait differently.
TO_MAIN = 6_115_000
TO_MAIN_ELSEWHERE = 7_000_000  # and with 64 GiB
MORE_MEMORY = 50_000
BYTES = 226 << 10
CPUS = 16
CPU_TIME = 1.5  # of QEMU, with SeaBIOS alone as 1
LEAST_MEMORY = 6  # MiB
PER_CPU = 10_000  # instructions of the boot CPU for each other CPU
LINES = 25_800


benching = threading.Lock()  # out/bench/ is one


def bench(options=""):
    """Instructions of each stage, from the firmware to the program's start: the least of five boots."""
    with benching:
        vm.run(["./build.sh", "bench", "stages"], env={**os.environ, "QEMU_OPTS": options})
        files = [(vm.OUT / "bench" / str(boot)).read_text() for boot in range(1, 6)]
    ends = [[0] + [int(line.split()[1]) for line in file.splitlines()] for file in files]
    return [min(took) for took in zip(*([end - start for start, end in zip(of, of[1:])] for of in ends))]


def from_the_sector(options=""):
    """Instructions from 0x7c00 on. Each stage counts at its least: a BIOS that waits for its disk longer only adds."""
    stages = [min(took) for took in zip(*(bench(options) for _ in range(3)))]
    most = TO_MAIN if vm.qemu_version().startswith("7.2.") and "64G" not in options else TO_MAIN_ELSEWHERE
    vm.expect(f"reset to main in at most {most}: {stages}", sum(stages) <= most, True)
    return sum(stages[1:])


def instructions():
    more = from_the_sector("-object memory-backend-ram,id=m0,size=64G,reserve=off -m 64G -M pc,memory-backend=m0")
    more -= from_the_sector()
    vm.expect(f"64 GiB cost at most {MORE_MEMORY} more, not {more}", more <= MORE_MEMORY, True)


def cpus():
    row = vm.run(["./build.sh", "bench", "cpus", str(CPUS)]).decode().splitlines()[-1].split()
    vm.expect(f"count and seven numbers: {row}", (len(row), row[0]), (8, str(CPUS)))
    vm.expect(f"a CPU costs the boot CPU at most {PER_CPU}, not {row[4]}", 0 < int(row[4]) <= PER_CPU, True)


def size():
    size = sum((vm.OUT / name).stat().st_size for name in ("kernel.strip", "loader.bin"))
    vm.expect(f"kernel and loader in at most {BYTES} bytes: {size}", size <= BYTES, True)


def lines():
    lines = int(re.search(r"(\d+) lines of C and assembly", vm.run(["./build.sh", "help"]).decode())[1])
    vm.expect(f"at most {LINES} lines: {lines}", lines <= LINES, True)


def next_to_others():
    """The bench itself, in one configuration; vmos takes at most half as much again as the firmware it starts from."""
    bench()  # makes the plugin
    try:
        with benching:
            field, _ = boot.contestants()
    except vm.Failed as failure:
        raise vm.Skipped(f"no kernel to compare with: {failure}")
    for who in field:
        count, times = boot.count(who, 1, "256M"), [boot.run(who, 1, "256M")]
        vm.expect(f"{who.name} came to its first act", count is not None and None not in times, True)
    rounds = [[boot.run(who, 1, "256M")[0] for who in field[:2]] for _ in range(boot.ROUNDS)]
    floor, ours = (min(times) for times in zip(*rounds))
    vm.expect(f"CPU time {ours} is at most {CPU_TIME} times {floor}", ours <= CPU_TIME * floor, True)
    vm.expect("MiB that hello needs at most", boot.smallest(field[1]) <= LEAST_MEMORY, True)


def system_calls():
    try:
        with benching:
            table = calls.table()
    except vm.Failed as failure:
        if "apt" in str(failure):
            raise vm.Skipped(str(failure))
        raise
    vm.expect("rows of numbers", len([row for row in table if re.fullmatch(r"\| .+ \| [\d,]+ \| [\d,]+ \| \S+ \|", row)]), 8)


def more_tests():
    yield "next to Linux and the firmware", next_to_others
    yield "system calls next to Linux's", system_calls


def tests():
    yield "instructions to main", instructions
    yield "instructions per CPU", cpus
    yield "kernel and loader", size
    yield "lines of code", lines
