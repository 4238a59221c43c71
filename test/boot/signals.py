"""Signals and their handlers: the same programs print on Linux, natively, what they print in vmos."""
import subprocess

import vm

FRAMES = ["plain", "mxcsr", "features", "compacted", "reserved", "magic1", "magic2", "size", "no vectors", "vectors nowhere",
          "vectors of the kernel", "rip", "rip of the kernel", "last rip", "rsp", "cs", "flags", "interrupts off",
          "full stack", "nowhere", "no frame", "handler nowhere"]


def natively(program, *args):
    done = subprocess.run([program, *args], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=vm.HANG)
    return done.stdout, done.returncode if done.returncode >= 0 else 128 - done.returncode


def handlers(compiler, cpus, cpu="max"):
    """Handlers, queues, masks, alternate stacks, exceptions, calls that are interrupted or made anew, timers, cancellation."""
    program = vm.compile_guest("test/guest/signals.c", compiler, "-static", "-pthread", "-O1")
    printed, status = natively(program)
    vm.expect_in("natively", b"done\n", printed)
    result = vm.boot(program, extra=["-smp", str(cpus)], cpu=cpu, hang=2 * vm.HANG).expect(status)
    vm.expect("what it printed", result.com1.decode().splitlines(), printed.decode().splitlines())


def alarms(compiler, cpus):
    """Timers of timer_create, and those of CPU time."""
    program = vm.compile_guest("test/guest/alarms.c", compiler, "-static", "-pthread", "-O1")
    printed, status = natively(program)
    vm.expect_in("natively", b"done\n", printed)
    result = vm.boot(program, extra=["-smp", str(cpus)]).expect(status)
    vm.expect("what it printed", result.com1.decode().splitlines(), printed.decode().splitlines())


def frames():
    """What a handler makes of its frame: one that XRSTOR or IRET would fault on ends the program, and nothing else."""
    program = vm.compile_guest("test/guest/frames.c", "gcc", "-static", "-O1")
    for way in FRAMES:
        printed, status = natively(program, way)
        result = vm.boot(program, args=[way])
        vm.expect(f"{way}: output and status", (result.com1, result.status), (printed, status))


def sequences():
    """Restartable sequences: by musl, which registers none of its own."""
    program = vm.compile_guest("test/guest/rseq.c", "musl-gcc", "-static", "-pthread", "-O1")
    for way in "", "version", "flags", "inside", "signature", "abort of the kernel", "wraps", "nowhere":
        args = [way] if way else []
        printed, status = natively(program, *args)
        for cpus in (1, 4) if not way else (1,):
            result = vm.boot(program, args=args, extra=["-smp", str(cpus)])
            vm.expect(f"{way} on {cpus}: output and status", (result.com1, result.status), (printed, status))


def throws():
    program = vm.compile_guest("test/guest/throws.cpp", "g++", "-static", "-O1", "-fnon-call-exceptions")
    printed, status = natively(program)
    vm.boot(program).expect(status, printed)


def tests():
    yield "C++ exceptions", throws
    yield "restartable sequences", sequences
    yield "by glibc on 2 CPUs", lambda: handlers("gcc", 2)
    yield "by musl on 1 CPU", lambda: handlers("musl-gcc", 1)
    yield "by musl on 4 CPUs", lambda: handlers("musl-gcc", 4)
    for compiler, cpus in ("gcc", 1), ("musl-gcc", 2), ("gcc", 4):
        yield f"timers by {compiler} on {cpus}", lambda of=(compiler, cpus): alarms(*of)
    yield "frames without XSAVE", lambda: handlers("musl-gcc", 1, "max,xsave=off")
    yield "frames", frames
