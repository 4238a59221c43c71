"""Programs inside: Debian's busybox, and those of test/guest by three compilers and libraries."""
import hashlib
import random
import re
import sys
import zlib

import vm

STATIC = [("musl-gcc", "-static"), ("gcc", "-static"), ("gcc", "-static-pie")]


def busybox(arguments, output, status=0, **more):
    vm.boot("/bin/busybox", arguments, name="busybox", **more).expect(status, output)


def five_megabytes():
    data = random.Random(5).randbytes(5_000_000)
    busybox(["sha256sum"], hashlib.sha256(data).hexdigest().encode() + b"  -\n", input=data)


def awk():
    text = b"".join(b"%d %d\n" % (n, n * n) for n in range(2000))
    total = sum(n * n for n in range(2000))
    busybox(["awk", '{ sum += $2 } END { printf "%.0f %.3f\\n", sum, sum / 7 }'], b"%d %.3f\n" % (total, total / 7),
            input=text)


def runs(program, status=0, com1=None, error=None, **more):
    result = vm.boot(program, **more).expect(status, com1)
    if error and error not in result.log:
        raise vm.Failed(f"the log does not say {error!r}: {result.log[-1000:]!r}")


def statuses(program):
    for status in 0, 1, 42, 200, 255:
        runs(program, status, b"", args=[str(status)])


def border():
    for way, status in enumerate([133, 133, 77, 77, 136, 133, 139, 139, 77, 132, 139, 139, 139, 139, 77, 139, 139,
                                  136, 139, 139, 139, 132, 139, 139]):
        runs(vm.guest("border"), status, args=[str(way)])
    runs(vm.guest("border"), 139, args=["22"], cpu="qemu64")  # without SMAP, which alone would do
    runs(vm.guest("border"), 132, args=["8"], cpu="max,fsgsbase=off")


def border_in_bochs():
    for way, status in (23, 135), (24, 135), (25, 136), (26, 132):
        with vm.directory() as tmp:
            image = vm.mkimage(tmp / "disk.img", vm.guest("border"), [str(way)])
            vm.bochs(image, cpu="corei7_haswell_4770").expect(status)


def environment(program):
    runs(program, com1=b"hello\narg x\narg a b\narg \narg \xc3\xa4\xff\nenv A=1\nenv B=two words\nenv C=\n", name="x",
         args=["a b", "", b"\xc3\xa4\xff"], env=["A=1", "B=two words", "C="])


def stdin_sum(program):
    data = random.Random(1).randbytes(1_234_567) + bytes(range(256)) + b"\x04\x03no end of line"
    runs(program, com1=b"%d bytes, adler32 %08lx\n" % (len(data), zlib.adler32(data)), input=data)
    runs(program, com1=b"0 bytes, adler32 00000001\n")


def unknown_call():
    """Named once in the log, however often it is made."""
    result = vm.boot(vm.guest("registers")).expect(0)
    vm.expect("lines about io_uring_setup", len([line for line in result.log.splitlines() if "io_uring_setup" in line]), 1)


def small_calls(compiler):
    """By Linux's answers: the same program passes there, which is tried when this is one."""
    program = vm.compile_guest("test/guest/small_calls.c", compiler, "-static", "-pthread")
    if sys.platform == "linux":
        vm.expect("on this machine", vm.run([program]), b"small_calls ok\n")
    result = vm.boot(program, extra=["-smp", "2"]).expect(0, b"small_calls ok\n")
    lines = [line for line in result.log.splitlines() if "the program called" in line]
    vm.expect("refusals", lines, ["vmos: the program called prctl with option 0x270f: it is not built, so it got EINVAL",
                                  "vmos: the program called arch_prctl with option 0x9999: it is not built, so it got EINVAL"])


def pipes(compiler):
    """By Linux's answers: the same program passes there, which is tried when this is one."""
    program = vm.compile_guest("test/guest/pipes.c", compiler, "-static", "-pthread")
    if sys.platform == "linux":
        vm.expect("on this machine", vm.run([program]), b"pipes ok\n")
    runs(program, com1=b"pipes ok\n", extra=["-smp", "2"])
    if compiler == "gcc":
        return
    runs(program, com1=b"pipes ok\n")
    runs(program, 141, b"", "killed by signal 13 (SIGPIPE)", args=["sigpipe"])
    runs(program, com1=b"", args=["memory"], memory="24M")


REFUSALS = """\
sched_setscheduler with policy 0x2: no real-time policy is built, so it got EPERM
sched_setaffinity with a number of CPUs, 0x1: threads run on all of them, so it got EINVAL
prctl with option 0x16: it is not built, so it got EINVAL
prctl with option 0x23: it is not built, so it got EINVAL
arch_prctl with option 0x1012: it is not built, so it got EINVAL
personality with value 0x8: only Linux's own is built, so it got EINVAL
fcntl with command 0x8: it is not built, so it got EINVAL
pipe2 with flags 0x4000: packets (O_DIRECT) are not built, so it got EINVAL
ioctl with request 0x5429: the terminal has no such one, so it got ENOTTY
ioctl with request 0x5412: the terminal has no such one, so it got ENOTTY
openat with flags 0x8041: no file can be made, so it got EROFS
futex with operation 0x6: only WAIT, WAKE, WAKE_OP and REQUEUE are built, so it got ENOSYS
mremap with new length 0x100000: of the program's file only what was loaded is kept, so it got EFAULT
setrlimit with RLIMIT_NOFILE 0x7d0: there are no more numbers, so it got EPERM
timerfd_create (system call 283), which is not built: it got ENOSYS
"""


def refusals():
    """Each is said once, with the call, the option and what is missing."""
    result = vm.boot(vm.guest("refused"), extra=["-smp", "2"], input=None).expect(0, b"refused ok\n")
    said = [line for line in result.log.splitlines() if "the program called" in line]
    vm.expect("refusals", said, ["vmos: the program called " + line for line in REFUSALS.splitlines()])


def widths():
    """The upper halves of ints do not matter; on Linux neither."""
    program = vm.compile_guest("test/guest/widths.c", "gcc", "-static")
    if sys.platform == "linux":
        vm.expect("on this machine", vm.run([program]), b"widths ok\n")
    runs(program, com1=b"widths ok\n")


def alarms():
    """Its SIGALRM ends the program, which waits, sleeps or computes; blocked or ignored it does not."""
    for way in "pause", "suspend", "ppoll", "sleep", "spin", "interval":
        runs(vm.guest("alarm"), 142, b"", "killed by signal 14 (SIGALRM)", args=[way])
    for way in "blocked", "ignored", "cancelled":
        runs(vm.guest("alarm"), 7, b"", args=[way])


def own_symbols():
    """A stripped program dies with memory full of symbols that it made up, where its section headers were in the file
    that were given away: headers in a page of their own."""
    with vm.directory() as tmp:
        program = tmp / "program"
        program.write_bytes(vm.compile_guest("test/guest/own_symbols.c", "gcc", "-static").read_bytes())
        (tmp / "padding").write_bytes(bytes(4 << 20))
        vm.run(["strip", program])
        vm.run(["objcopy", "--add-section", f"padding={tmp}/padding", program])
        with open(program, "ab") as file:
            file.write(bytes(16384))
        log = vm.boot(program, memory="64M").expect(139).log
        vm.expect_in("the log", "write to address 0x8 (null pointer) at 0x", log)
        if "made_up" in log:
            raise vm.Failed(f"the report has names that the program made up: {log[-700:]!r}")


def large():
    """256 MiB of program, with progress on the way."""
    with vm.directory() as tmp:
        (tmp / "large").write_bytes(vm.guest("hello").read_bytes())
        with open(tmp / "large", "r+b") as file:
            file.truncate(256 << 20)
        result = vm.boot(tmp / "large", memory="600M", hang=4 * vm.HANG).expect(0, b"hello\narg large\n")
        vm.expect_in("the log", "loader: read ", result.log)


def fill(memory, program=None):
    runs(program or vm.guest("fill"), memory=memory)


def gigabyte():
    """A CPU that has pages of 1 GiB, and one that has not."""
    free = int(re.search(r"MemAvailable: +(\d+) kB", open("/proc/meminfo").read())[1])
    if free < 4 << 20:
        raise vm.Skipped(f"only {free >> 10} MiB of memory are free here, and QEMU wants up to 3 GiB for this")
    runs(vm.guest("gigabyte"), memory="3G", com1=b"pages of 1 GiB: yes\ngigabyte ok\n")
    runs(vm.guest("gigabyte"), memory="3G", cpu="qemu64", com1=b"pages of 1 GiB: no\ngigabyte ok\n")


def files():
    """Calls about files; of what they refuse no byte comes out."""
    runs(vm.guest("files"), com1=b"0123456789" * 100, input=bytes(65537))


def areas():
    """Their number must not show in what a call costs."""
    runs(vm.guest("fill"), args=["areas"], memory="16M")


def guests(compiler, flag):
    def of(name):
        return vm.compile_guest(f"test/guest/{name}.c", compiler, flag)

    def case(name, status, error=None, **more):
        return name, lambda: runs(of(name), status, error=error, **more)

    yield "statuses", lambda: statuses(of("status"))
    yield "environment", lambda: environment(of("hello"))
    yield "stdin_sum", lambda: stdin_sum(of("stdin_sum"))
    yield case("nullptr", 139, "main", com1=b"before\n")
    yield case("write_text", 139, "main")
    yield case("exec_data", 139)
    yield case("stack_overflow", 139, "deeper", com1=b"before\n")
    yield case("abort", 134, com1=b"before\n")
    for name in "malloc100", "math", "registers", "mmap", "advice", "limits", "time", "random_calls":
        yield case(name, 0)


def random_numbers():
    """Two boots give other numbers, on a CPU that has a source and on one that has none; the log says which."""
    program = vm.compile_guest("test/guest/random.c", "musl-gcc", "-static")
    seen = set()
    for cpu, source in ("max", "numbers come from RD"), ("max,rdrand=off,rdseed=off", "the jitter of the time stamp counter"):
        for _ in range(2):
            result = vm.boot(program, cpu=cpu).expect(0)
            vm.expect_in("the log", source, result.log)
            looks_random, equal, start = result.com1.split()
            vm.expect("half of the bits, no equal blocks", (looks_random, equal), (b"1", b"0"))
            seen.add(start)
    vm.expect("different starts", len(seen), 4)


def tests():
    yield "random numbers", random_numbers
    yield "256 MiB", large
    yield "unknown system call", unknown_call
    for compiler in "gcc", "musl-gcc":
        yield f"small calls by {compiler}", lambda compiler=compiler: small_calls(compiler)
        yield f"pipes by {compiler}", lambda compiler=compiler: pipes(compiler)
    yield "alarm", alarms
    yield "refusals", refusals
    yield "upper halves of ints", widths
    yield "symbols made up", own_symbols
    for compiler in "gcc", "musl-gcc":
        for cpus, calls in (1, "none"), (2, "calls"), (4, "calls"):
            yield f"vdso by {compiler} on {cpus} CPUs", lambda compiler=compiler, cpus=cpus, calls=calls: runs(
                vm.compile_guest("test/guest/vdso.c", compiler, "-static"), com1=b"\x7fELFvdso ok\n", args=[calls],
                extra=["-smp", str(cpus)])
    yield "busybox echo", lambda: busybox(["echo", "a  b", "", "c"], b"a  b  c\n")
    yield "busybox expr", lambda: busybox(["expr", "6", "*", "7"], b"42\n")
    yield "busybox expr 0", lambda: busybox(["expr", "1", "-", "1"], b"0\n", 1)
    yield "busybox sha256sum of 5 MB", five_megabytes
    yield "busybox awk", awk
    yield "border", border
    yield "border in Bochs", border_in_bochs
    for memory in "8M", "64M", "256M":
        yield f"90 % of {memory}", lambda memory=memory: fill(memory)
    yield "90 % of 64M by glibc", lambda: fill("64M", vm.compile_guest("test/guest/fill.c", "gcc", "-static"))
    yield "60,000 areas", areas
    yield "files", files
    yield "pages of 1 GiB", gigabyte
    yield "overcommitment", lambda: runs(vm.guest("fill"), 135, b"before\n", error="out of memory", args=["overcommit"],
                                         memory="64M")
    yield "C++", lambda: runs(vm.compile_guest("test/guest/cpp.cpp", "g++", "-static"))
    yield "C++ -static-pie", lambda: runs(vm.compile_guest("test/guest/cpp.cpp", "g++", "-static-pie"))
    for compiler, flag in STATIC:
        for name, function in guests(compiler, flag):
            yield f"{name} by {compiler} {flag}", function
