"""The numbers to reach: instructions to main, what memory costs, sizes."""
import os
import re

import vm

TO_MAIN = 7_000_000
MORE_MEMORY = 50_000
BYTES = 160 << 10
CPUS = 16
PER_CPU = 10_000  # instructions of the boot CPU for each other CPU
LINES = 12_000


def bench(options=""):
    """Stage names to instructions."""
    table = vm.run(["./build.sh", "bench", "stages"], env={**os.environ, "QEMU_OPTS": options}).decode()
    return {name: int(count) for name, count in re.findall(r"(?m)^(.+?) +(\d+) +\d+ +\d+$", table)}


def from_the_sector(options=""):
    """Instructions from 0x7c00 on: the least of three, since a BIOS that waits for its disk longer only adds some."""
    tables = [bench(options) for _ in range(3)]
    least = min(table["reset to main"] for table in tables)
    vm.expect(f"reset to main in at most {TO_MAIN}: {tables}", least <= TO_MAIN, True)
    return min(table["reset to main"] - table["firmware"] for table in tables)


def instructions():
    more = from_the_sector("-object memory-backend-ram,id=m0,size=16G,reserve=off -m 16G -M pc,memory-backend=m0")
    more -= from_the_sector()
    vm.expect(f"16 GiB cost at most {MORE_MEMORY} more, not {more}", more <= MORE_MEMORY, True)


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


def tests():
    yield "instructions to main", instructions
    yield "instructions per CPU", cpus
    yield "kernel and loader", size
    yield "lines of code", lines
