"""Many CPUs: how many of them run the program, threads whose results are checked, and how a program with threads ends."""
import re
import subprocess

import vm

LIBRARIES = {"musl": ("musl-gcc", "-static"), "glibc": ("gcc", "-static"), "PIE": ("gcc", "-static-pie")}
DEATHS = [  # of test/guest/death.c: what, status, what the report says
    ("exit by another thread", 42, None), ("a crash", 139, "write to address 0x8"), ("a division", 136, "division"),
    ("abort", 134, "signal 6"), ("kill", 143, "signal 15"), ("tgkill", 138, "signal 10"),
    ("stack overflow", 139, "deeper"), ("ud2", 132, "invalid instruction"), ("hlt", 139, "general protection"),
    ("exit_group", 0x45, None), ("all crash", 139, "crash"), ("a write to what was unmapped", 139, "writes"),
    ("a write to what was protected", 139, "writes"), ("main returns", 43, None), ("main leaves first", 0, None)]
LACKING = ["qemu64", "Nehalem", "Haswell", *(f"max,{name}=off" for name in (
    "xsave", "smap", "smep", "umip", "pge", "nx", "rdtscp", "pdpe1gb", "pat", "mtrr", "fsgsbase", "avx"))]


def threads(name, cpus, *arguments, library="musl", libraries=(), com1=None, memory=None, **more):
    """Runs a program of test/guest on that many CPUs; the last line of its output must say that it is right."""
    program = vm.compile_guest(f"test/guest/{name}.c", *LIBRARIES[library], libraries=libraries)
    more.setdefault("hang", 3 * vm.HANG)
    more.setdefault("extra", ["-smp", str(cpus)])
    result = vm.boot(program, [str(word) for word in arguments], memory=memory or f"{256 + 8 * cpus}M", **more)
    result.expect(0, com1)
    if com1 is None and not result.com1.endswith(name.encode() + b" ok\n"):
        raise vm.Failed(f"COM1 ends: {vm.short(result.com1[-300:])}")
    return result


def counted(cpus, machine="pc", **more):
    """Every CPU runs the program, and no line of the log complains; but a host with few cores may let one of many CPUs
    wait for longer than a second, so that it is missed and comes late."""
    result = threads("all_cpus", cpus, cpus, machine=machine, com1=b"%d CPUs\n" % cpus, **more)
    late = len(re.findall("came late", result.log)) if cpus > 16 else 0
    missed = [line for line in result.errors if not re.search("APIC ids? .* do(es)? not start", line) or not late]
    vm.expect("error lines", missed, [])


def lacking(cpu):
    counted(4, cpu=cpu)
    threads("churn", 4, 4, 10, cpu=cpu)


def without_apic():
    """A CPU that has no local APIC runs alone, with a clock that ticks; several have one, whatever CPUID says."""
    threads("timers", 1, 4, 30, cpu="max,apic=off")
    counted(4, cpu="max,apic=off")
    threads("timers", 4, 4, 30, cpu="max,apic=off")


def death(way, cpus, library="musl"):
    """One report, and the exit line behind it is the last: Result's status comes from there."""
    what, status, report = DEATHS[way]
    # Who writes there must not be preempted: it would notice by that. Of very many CPUs most are idle, since a host with
    # few cores needs long to give each of them its turn.
    count = 2 if way in (11, 12) else min(cpus, 16) + 2
    program = vm.compile_guest("test/guest/death.c", *LIBRARIES[library])
    result = vm.boot(program, [str(count), "100", str(way)], extra=["-smp", str(cpus)], memory=f"{256 + 8 * cpus}M")
    result.expect(status, b"" if way in (10, 14) else b"before\n")
    reports = [line for line in result.errors if re.search("the program (died|was killed)", line)]
    vm.expect(f"reports of {what}: {reports}", len(reports), 1 if report else 0)
    if report:
        vm.expect_in(what, report, "\n".join(result.errors))


def foreign(source, compiler, *flags, libraries=(), cpus=4):
    """A program whose threads are a library's, which must say what it says here."""
    program = vm.compile_guest(f"test/guest/{source}", compiler, "-static", *flags, libraries=libraries)
    for count in 4, 9:
        here = subprocess.run([program, str(count)], capture_output=True, timeout=vm.HANG)
        vm.expect(f"{source} on this system: {here.stdout}", here.returncode, 0)
        result = vm.boot(program, [str(count)], extra=["-smp", str(cpus)], memory="512M", hang=3 * vm.HANG)
        result.expect(0, here.stdout)


def shared_port():
    """Where COM1 is all there is, the log's lines come whole, and without them the program's output is whole."""
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", vm.guest("share"))
        words = vm.qemu_words(image, extra=["-smp", "4", "-serial", f"file:{tmp}/com1"])
        subprocess.run(words, stdin=subprocess.DEVNULL, timeout=vm.HANG)
        said = vm.read(tmp / "com1")
    for line in re.findall(rb"vmos[:!] .*\n", said):
        said = said.replace(line, b"", 1)
    wanted = b"".join(b"%03d that is all one line\n" % i for i in range(1000))
    vm.expect("the program's output", said[said.find(b"000"):], wanted)


def in_bochs(cpus, name, *arguments):
    program = vm.compile_guest(f"test/guest/{name}.c", "musl-gcc", "-static")
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", program, [str(word) for word in arguments])
        return vm.bochs(image, cpu="corei7_haswell_4770", count=cpus, hang=10 * vm.HANG).expect(0)


def tests():
    for machine in "pc", "q35":
        for cpus in 1, 2, 4, 16, 64, 255:
            yield f"{cpus} CPUs on {machine}", lambda c=cpus, m=machine: counted(c, m)
    for cpu in LACKING:
        yield f"4 CPUs of {cpu}", lambda cpu=cpu: lacking(cpu)
    yield "no local APIC", without_apic
    for library in LIBRARIES:
        yield f"hammer on 4 CPUs by {library}", lambda l=library: threads("hammer", 4, 5, 40, library=l)
        yield f"churn on 4 CPUs by {library}", lambda l=library: threads("churn", 4, 6, 40, library=l)
    yield "hammer on 4 CPUs by jemalloc", lambda: threads("hammer", 4, 5, 40, library="glibc",
                                                          libraries=["-ljemalloc", "-lstdc++"])
    for cpus, count, percent in (1, 4, 20), (2, 2, 60), (16, 16, 10), (64, 64, 3):
        yield f"hammer on {cpus} CPUs", lambda c=cpus, n=count, p=percent: threads("hammer", c, n, p, machine="q35")
    for cpus, count, percent in (1, 8, 50), (4, 8, 100), (64, 64, 10):
        yield f"timers on {cpus} CPUs", lambda c=cpus, n=count, p=percent: threads("timers", c, n, p)
    for cpus, percent in (1, 100), (4, 100), (16, 30), (64, 10), (255, 2):
        yield f"calls on {cpus} CPUs", lambda c=cpus, p=percent: threads("calls", c, max(c, 4), p)
    for cpu in "qemu64", "max":
        yield f"registers on 4 CPUs of {cpu}", lambda cpu=cpu: vm.boot(
            vm.guest("registers"), ["6"], cpu=cpu, extra=["-smp", "4"]).expect(0)
    for way, (what, _, _) in enumerate(DEATHS):
        yield f"death of threads by {what}", lambda w=way: death(w, 4)
    for way, cpus, library in (1, 1, "glibc"), (10, 16, "glibc"), (9, 16, "musl"), (1, 64, "musl"), (13, 64, "glibc"):
        yield f"death on {cpus} CPUs by {DEATHS[way][0]}", lambda w=way, c=cpus, l=library: death(w, c, l)
    yield "log and output by one port", shared_port
    yield "OpenMP", lambda: foreign("gomp.c", "gcc", "-fopenmp")
    yield "C++ threads", lambda: foreign("std_threads.cpp", "g++", "-std=c++20")
    yield "liblzma", lambda: foreign("lzma.c", "gcc", libraries=["-llzma"])
    yield "4 CPUs in Bochs", lambda: in_bochs(4, "hammer", 4, 2)
    yield "15 CPUs in Bochs", lambda: in_bochs(15, "all_cpus", 15)
