"""Processes: the same program prints on Linux, natively, what it prints in vmos; what they have in common in memory."""
import os

import vm
from signals import natively


def same(compiler, flag, cpus):
    program = vm.compile_guest("test/guest/processes.c", compiler, flag, "-pthread", "-O1")
    printed, status = natively(program)
    vm.expect_in("natively", b"done\n", printed)
    result = vm.boot(program, extra=["-smp", str(cpus)], hang=2 * vm.HANG).expect(status)
    vm.expect("what it printed", result.com1.decode().splitlines(), printed.decode().splitlines())


def in_bochs():
    """Where wrong bits in page tables are faults, and large pages are those that the CPU says it has."""
    program = vm.compile_guest("test/guest/processes.c", "musl-gcc", "-static", "-pthread", "-O1")
    printed, status = natively(program)
    with vm.directory() as tmp:
        result = vm.bochs(vm.mkimage(tmp / "disk.img", program), cpu="corei7_haswell_4770", memory=256).expect(status)
    vm.expect("what it printed", result.com1.decode().splitlines(), printed.decode().splitlines())


def shares(way, *numbers, memory, com1, cpus=1, words=(), hang=vm.HANG):
    program = vm.compile_guest("test/guest/shares.c", "musl-gcc", "-static", "-O1")
    args = [way, *(str(number) for number in numbers)]
    return vm.boot(program, args=args, memory=memory, extra=["-smp", str(cpus)], words=words, hang=hang).expect(0, com1)


def both_write(cpus):
    """A process of 150 MiB in 256 MiB forks: the child can be another program, and is ended when both write everything."""
    result = shares("write", 150, memory="256M", cpus=cpus,
                    com1=b"another program: 0x600\nthe younger: 0x9\nthe older has all: 1\n")
    vm.expect_in("log", "memory ran out: process 3, the youngest that has memory in common with its parent", result.log)


def credentials():
    """As root prints natively. Who is not root here sees only that it comes to its end."""
    program = vm.compile_guest("test/guest/credentials.c", "gcc", "-static", "-O1")
    result = vm.boot(program).expect(0)
    if os.geteuid():
        vm.expect_in("what it printed", b"done\n", result.com1)
    else:
        vm.expect("what it printed", result.com1.decode().splitlines(), natively(program)[0].decode().splitlines())


def fuzz(calls, seed, cpus, memory, hang):
    """Random calls: the first process can still act, nothing is lost, and the kernel says no word of its own."""
    program = vm.compile_guest("test/guest/fuzz.c", "gcc", "-static", "-pthread", "-O1")
    vm.boot(program, args=[str(calls), str(seed)], memory=memory, extra=["-smp", str(cpus)], hang=hang).expect(
        0, b"fuzzed; memory is there\n")


def tests():
    for compiler, flag in ("musl-gcc", "-static"), ("gcc", "-static"), ("gcc", "-static-pie"):
        for cpus in 1, 2, 4:
            yield f"{compiler} {flag} on {cpus}", lambda of=(compiler, flag, cpus): same(*of)
    yield "in Bochs", in_bochs
    yield "credentials", credentials
    for cpus in 1, 2:
        yield f"both write, on {cpus}", lambda cpus=cpus: both_write(cpus)
    yield "overcommit=2 refuses", lambda: shares(
        "refused", 150, memory="256M", words=["overcommit=2"], com1=b"fork 0: Out of memory\n")
    yield "overcommit=2 has room", lambda: shares("refused", 100, memory="256M", words=["overcommit=2"], com1=b"fork 1: \n")
    yield "2,000 children of 8 MiB", lambda: shares("many", 8, 2000, memory="64M", com1=b"done, nothing is lost\n")
    yield "200 children of 30 MiB", lambda: shares("many", 30, 200, memory="64M", com1=b"done, nothing is lost\n")
    yield "rewritten twice", lambda: shares("rewrites", 256, memory="1G", com1=b"rewritten 1\n")
    yield "10,000 at once", lambda: shares("crowd", 1, 10000, memory="1G",
                                           com1=b"10000 at once: all\nended 10000\n")
    yield "as many as there can be", lambda: shares("crowd", 1, 100000, memory="64M", com1=None)


    for cpus in 1, 2, 4:
        yield f"forks under load, on {cpus}", lambda cpus=cpus: vm.boot(
            vm.compile_guest("test/guest/forks.c", "gcc", "-static", "-pthread", "-O1"), args=["60"],
            extra=["-smp", str(cpus)]).expect(0, b"12 of 12 ended well, memory is there\n")
    for seed, cpus, memory in (1, 1, "64M"), (2, 2, "256M"), (3, 4, "128M"):
        yield f"random calls, on {cpus}", lambda of=(seed, cpus, memory): fuzz(66667, *of, 4 * vm.HANG)


def more_tests():
    yield "10,000,000 random calls", lambda: fuzz(10_000_000, 4, 4, "256M", 7200)
    yield "100,000 children", lambda: shares("many", 1, 100000, memory="64M", com1=b"done, nothing is lost\n", hang=900)
