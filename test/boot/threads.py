"""Threads on one CPU and on several: by two C libraries, C++ and OpenMP, and the ways a program with threads ends."""
import contextlib

import command
import vm

ENDS = [("exit", 23), ("crash", 139), ("kill", 143), ("outlive", 0), ("raw", 9), ("spin", 24), ("leave", 143)]


def runs(program, cpus, status=0, com1=None, extra=(), **more):
    return vm.boot(program, extra=["-smp", str(cpus), *extra], hang=2 * vm.HANG, **more).expect(status, com1)


def ends(program, cpus):
    """However many threads end the program at once, there is one report and one last line."""
    for way, status in ENDS:
        result = runs(program, cpus, status, b"outlived\n" if way == "outlive" else b"", args=[way])
        vm.expect("lines about an exit", result.log.count("vmos: exit "), 1)
        reports = [line for line in result.errors if "the program" in line]
        vm.expect("lines about the end", len(reports), 1 if way in ("crash", "kill", "leave") else 0)
        if way == "crash":
            vm.expect_in("the report", "at crash+0x", reports[0])


def many():
    """1,000 at once, a million pages of stack: a thread's own cost is a page of the kernel's."""
    runs(vm.compile_guest("test/guest/threads.c", "musl-gcc", "-static"), 2, com1=b"threads ok\n", args=["1000"])


def crowd():
    """The one who takes a signal is found among 1,500, and they forget it together."""
    for cpus in 1, 2:
        runs(vm.guest("crowd"), cpus, 138, b"")
    runs(vm.guest("crowd"), 2, 7, b"", args=["forget"])


def openmp(cpus):
    runs(vm.compile_guest("test/guest/openmp.c", "gcc", "-static", "-fopenmp"), cpus,
         com1=b"%d threads on %d CPUs: 524.036411\n" % (cpus, cpus))


def stalled_output():
    """The CPU that waits for whoever reads the output does what others ask of it: else they give up after 20 s at 1 GHz."""
    program = vm.compile_guest("test/guest/stalled_output.c", "musl-gcc", "-static")
    said = vm.run(["sh", "-c", f"QEMU_OPTS='-smp 2' ./build.sh run '{program}' | (sleep 12; cat)"])
    vm.expect("what came", said == b"x" * 409600, True)


@contextlib.contextmanager
def readers():
    """Three threads at one terminal, on two CPUs."""
    shell = command.Terminal(vm.compile_guest("test/guest/readers.c", "musl-gcc", "-static"), QEMU_OPTS="-smp 2")
    shell.wait(b"ready\r\n")
    yield shell


def read_by_several():
    with readers() as shell:
        for i in range(40):
            shell.type(b"line %d\n" % i)
            vm.expect("echo", shell.wait(b"[line %d]\r\n" % i), b"line %d\r\n" % i)
        for i in range(3):
            shell.type(b"\x04")
        vm.expect("status after the third ^D", shell.status(), 0)


def interrupted_by_key():
    with readers() as shell:
        shell.type(b"half a li\x03")
        vm.expect("status after ^C", shell.status(), 130)


def segments(cpus, cpu):
    own = b", with bases of its own" if cpu == "max" else b""
    runs(vm.compile_guest("test/guest/segments.c", "gcc", "-static"), cpus, com1=b"segments ok" + own + b"\n", cpu=cpu)


def latency(*args, **more):
    """On a CPU whose time is the number of its instructions."""
    runs(vm.compile_guest("test/guest/latency.c", "gcc", "-static"), 1, com1=b"latency ok\n", args=args,
         extra=["-icount", "shift=0,sleep=off"], **more)


def tests():
    for compiler, flag in ("musl-gcc", "-static"), ("gcc", "-static"), ("gcc", "-static-pie"):
        for cpus in 1, 2, 4:
            def of(compiler=compiler, flag=flag):
                return vm.compile_guest("test/guest/threads.c", compiler, flag)
            yield f"{compiler} {flag} on {cpus}", lambda of=of, cpus=cpus: runs(of(), cpus, com1=b"threads ok\n")
    for cpus in 1, 4:
        yield f"ends on {cpus}", lambda cpus=cpus: ends(vm.compile_guest("test/guest/threads.c", "gcc", "-static"), cpus)
        yield f"OpenMP on {cpus}", lambda cpus=cpus: openmp(cpus)
        yield f"C++ on {cpus}", lambda cpus=cpus: runs(
            vm.compile_guest("test/guest/threads.cpp", "g++", "-static"), cpus, com1=b"200000 5 3\n")
        for cpu in "max", "max,fsgsbase=off", "qemu64":
            yield f"segments on {cpus} {cpu}", lambda cpus=cpus, cpu=cpu: segments(cpus, cpu)
        yield f"futexes on {cpus}", lambda cpus=cpus: runs(
            vm.compile_guest("test/guest/futexes.c", "gcc", "-static"), cpus, com1=b"futexes ok\n", memory="128M")
    for cpus in 1, 4:
        yield f"barriers on {cpus}", lambda cpus=cpus: runs(
            vm.compile_guest("test/guest/barrier.c", "gcc", "-static", "-pthread", "-O1"), cpus,
            com1=b"not registered -1 1, 1 0 0\nnonsense -1 22\nwrong 0\n")
    yield "1,000 at once", many
    yield "a signal for one of 1,500", crowd
    yield "flags of clone", lambda: runs(vm.compile_guest("test/guest/clone_flags.c", "gcc", "-static"), 2, com1=b"clone ok\n")
    yield "latency and shares", latency
    yield "20,000 waiters", lambda: latency("many")
    yield "latency of much memory", lambda: latency("memory", memory="512M")
    yield "latency of an idle CPU", lambda: latency("idle", memory="512M")
    yield "stalled output", stalled_output
    yield "several read one terminal", read_by_several
    yield "^C while all wait", interrupted_by_key
