"""build.sh itself: what a user types, and what comes back."""
import os
import pty
import random
import re
import select
import shutil
import signal
import subprocess
import time

import vm


def build_sh(words, input=b"", env=None, cwd=vm.ROOT, status=0):
    done = subprocess.run([vm.ROOT / "build.sh", *words], input=input, capture_output=True, cwd=cwd, timeout=2 * vm.HANG,
                          env={**os.environ, **(env or {})})
    if done.returncode != status:
        raise vm.Failed(f"status {done.returncode}, expected {status}: {vm.short(done.stdout)} {vm.short(done.stderr)}")
    return done


def demo():
    done = build_sh(["run"])
    vm.expect_in("what the demo says", b"memory map", done.stdout)
    vm.expect("standard error", done.stderr, b"")


def statuses():
    for status in 0, 1, 42, 200, 255:
        build_sh(["run", vm.guest("status"), str(status)], status=status)
    build_sh(["run", vm.guest("nullptr")], status=139)


def words_survive():
    done = build_sh(["run", "--env", "A=b c", "--env", "D=", "--", vm.guest("hello"), "two  words", "--env", "", "*", "$x\\"])
    vm.expect("standard output", done.stdout.split(b"\n", 2)[2],
              b"arg two  words\narg --env\narg \narg *\narg $x\\\nenv A=b c\nenv D=\n")


def many_words():
    """A hundred thousand arguments of ten bytes, nearly what exec takes, and as many words of an environment: time must
    not grow with their square. What is too long for a program's stack is refused."""
    many = [f"{n:010}" for n in range(100_000)]
    done = build_sh(["run", "/bin/busybox", "sh", "-c", "echo $# ${100000}", "x", *many])
    vm.expect("standard output", done.stdout, b"100000 0000099999\n")
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", vm.guest("hello"), words=["mem=64M"], name="hello")
        environment = [f"K{n:05}" for n in range(75_000)]
        build_sh(["words", image, *(f"+env={key}=old" for key in environment)])
        said = build_sh(["words", image, *(f"+env={key}=new" for key in environment)]).stdout.decode().splitlines()
        vm.expect("words in their order", said, ["mem=64M", *(f"env={key}=new" for key in environment), "arg=hello"])
        build_sh(["words", image, *(f"-env={key}" for key in environment)])
        said = build_sh(["words", image, "--", *many]).stdout.decode().splitlines()
        vm.expect("words with other arguments", said, ["mem=64M", *(f"arg={text}" for text in many)])
        fill = ["+env=L%03d=%s" % (n, "x" * 10_000) for n in range(180)]
        build_sh(["words", image, *fill])
        before = image.read_bytes()
        done = build_sh(["words", image, *(word.replace("=L", "=M") for word in fill)], status=1)
        vm.expect_in("what is refused", b"the arguments and the environment are too long: ", done.stderr)
        vm.expect("the image is as it was", image.read_bytes() == before, True)
        options = [word for n in range(60_000) for word in ("--env", f"A{n:05}=x")]
        build_sh(["image", *options, "--", vm.guest("hello")])


def bytes_survive():
    """Through stdin, the program, and stdout: all byte values, with the end where it belongs."""
    data = bytes(range(256)) * 400 + random.Random(2).randbytes(100_001)
    vm.expect("standard output", build_sh(["run", "/bin/busybox", "cat"], input=data).stdout == data, True)
    vm.expect("standard error", build_sh(["run", "/bin/busybox", "cat", "/nowhere"], status=1).stderr, b"")
    closed = vm.run(["sh", "-c", "./build.sh run /bin/busybox wc -c <&-"])
    vm.expect("bytes of a closed standard input", closed, b"0\n")


def slow_reader():
    """Standard output that is read slowly loses nothing."""
    data = random.Random(3).randbytes(400_000)
    with vm.directory() as tmp:
        (tmp / "data").write_bytes(data)
        command = f"./build.sh run /bin/busybox cat <{tmp}/data | (sleep 4; cat)"
        vm.expect("standard output", vm.run(["sh", "-c", command]) == data, True)


def relative_names():
    with vm.directory() as tmp:
        (tmp / "a program").write_bytes(vm.guest("hello").read_bytes())
        vm.expect("output", build_sh(["run", "./a program"], cwd=tmp).stdout, b"hello\narg ./a program\n")


def wrong_usage():
    for words in (["run", "--what"], ["run", "/no/such/program"], ["run", "/"], ["run", "--env"], ["run", "--env", "x", "y"],
                  ["bench", "x"], ["image"], ["nonsense"], ["run", "--env", "=x", "/bin/busybox"]):
        done = build_sh(words, status=2)
        vm.expect(f"lines on standard error for {words}", done.stderr.count(b"\n"), 1)


def failures_are_125():
    vm.expect_in("no ELF", b"ELF", build_sh(["run", vm.ROOT / "build.sh"], status=125).stderr)
    done = build_sh(["run"], env={"QEMU_OPTS": "-device no-such-device"}, status=125)
    vm.expect_in("QEMU's own failure", b"no-such-device", done.stderr)
    done = build_sh(["run"], env={"QEMU_OPTS": "-m 1280K"}, status=125)
    vm.expect("the error of the log", done.stderr.startswith(b"vmos! ") and done.stderr.count(b"\n") == 1, True)


def qemu_opts_come_last():
    said = build_sh(["run"], env={"QEMU_OPTS": "-m 64M -cpu qemu64"}).stdout.decode()
    usable = int(re.search(r"MemTotal: +(\d+) kB", said)[1]) / 1024
    vm.expect(f"usable memory of 64M, {usable} MiB", 60 < usable < 64, True)


def nothing_missing():
    """With everything there: no apt, no sudo, no network."""
    with vm.directory() as tmp:
        for name in "apt-get", "apt", "sudo", "dpkg":
            (tmp / name).write_text(f"#!/bin/sh\ntouch {tmp}/called\nexit 1\n")
            (tmp / name).chmod(0o755)
        build_sh(["run"], env={"PATH": f"{tmp}:{os.environ['PATH']}"})
        vm.expect("apt or sudo was called", (tmp / "called").exists(), False)


def missing_package():
    """Without nasm: apt-get, here one that only links it, is told what to install, and run goes on."""
    with vm.directory() as tmp:
        for folder in "/usr/bin", "/bin", "/usr/sbin", "/usr/local/bin":
            for tool in os.scandir(folder):
                if tool.name not in ("nasm", "apt-get", "sudo") and not (tmp / tool.name).is_symlink():
                    (tmp / tool.name).symlink_to(tool.path)
        (tmp / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
        (tmp / "apt-get").write_text(f'#!/bin/sh\necho "$@" >>{tmp}/asked\n'
                                     f'[ "$1" = update ] || ln -s {shutil.which("nasm")} {tmp}/nasm\n')
        for name in "sudo", "apt-get":
            (tmp / name).chmod(0o755)
        done = build_sh(["run", vm.guest("hello")], env={"PATH": str(tmp)})
        vm.expect_in("what run says", b"nasm", done.stderr)
        asked = (tmp / "asked").read_text().splitlines()
        vm.expect("first call of apt-get", asked[0], "update")
        vm.expect("packages", asked[1].split()[-1], "nasm")
        vm.expect_in("standard output", b"hello\n", done.stdout)


def reader_goes_away():
    """Nobody reads standard output any more: the machine ends, as a program would."""
    said = vm.run(["sh", "-c", "./build.sh run /bin/busybox yes | head -n 2"])
    vm.expect("standard output", said, b"y\ny\n")


def boot_sector_stops():
    """It has no log: its letter comes by COM1, which is not the program's yet."""
    done = build_sh(["run", vm.guest("hello")], env={"QEMU_OPTS": "-cpu qemu32"}, status=125)
    vm.expect("standard output", done.stdout, b"")
    vm.expect_in("standard error", b"the boot sector stopped with the letter C", done.stderr)


def interrupted():
    """Ctrl-C when standard input is no terminal."""
    run = subprocess.Popen(["./build.sh", "run", vm.compile_guest("test/boot/spin.c")], cwd=vm.ROOT, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
                           preexec_fn=vm.own_signals)
    first = run.stdout.readline()
    os.killpg(run.pid, signal.SIGINT)
    run.communicate(timeout=vm.HANG)
    vm.expect("first line", first, b"ready\n")
    vm.expect("status", run.returncode, 130)


class Terminal:
    """build.sh run PROGRAM on a terminal of its own."""

    def __init__(self, *words, **environment):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            vm.own_signals()
            os.environ.update(environment)
            os.chdir(vm.ROOT)
            os.execv("./build.sh", ["./build.sh", "run", *map(str, words)])
        self.seen = b""

    def wait(self, wanted):
        end = time.monotonic() + vm.HANG
        while wanted not in self.seen:
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                os.kill(self.pid, signal.SIGTERM) # build.sh ends QEMU
                raise vm.Failed(f"no {wanted!r} on the terminal: {self.seen!r}")
            try:
                self.seen += os.read(self.fd, 4096)
            except OSError:
                raise vm.Failed(f"the terminal closed before {wanted!r}: {self.seen!r}") from None
        before, _, self.seen = self.seen.partition(wanted)
        return before

    def type(self, text):
        os.write(self.fd, text)

    def status(self):
        try:
            while True:
                more = os.read(self.fd, 4096)
                if not more:
                    break
                self.seen += more
        except OSError:  # EIO: nobody has the other side open any more
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def terminal():
    """Echo, erase, end of file."""
    shell = Terminal(vm.guest("tty"))
    shell.wait(b"isatty 1 1 1\r\n")
    shell.type(b"heloo\x7f\x7flo\n")
    vm.expect("echo", shell.wait(b"[hello]\r\n"), b"heloo\b \b\b \blo\r\n")
    shell.type(b"two words\n")
    shell.wait(b"[two words]\r\n")
    shell.type(b"\x04")
    vm.expect("status after ^D", shell.status(), 0)


def terminal_interrupt():
    shell = Terminal(vm.guest("tty"))
    shell.wait(b"isatty 1 1 1\r\n")
    shell.type(b"half a li\x03")
    vm.expect("status after ^C", shell.status(), 130)


def output_is_a_terminal():
    """Standard input is not, but isatty(1) holds."""
    shell = Terminal(vm.guest("tty"))
    shell.wait(b"isatty 1 1 1")
    shell.type(b"\x04")
    shell.status()
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(vm.ROOT)
        os.execv("/bin/sh", ["sh", "-c", "./build.sh run \"$0\" </dev/null", vm.guest("tty")])
    shell.pid, shell.fd, shell.seen = pid, fd, b""
    shell.wait(b"isatty 0 1 1\r\n")
    vm.expect("status", shell.status(), 0)


def image():
    """Same input, same bytes; a floppy image when it fits, else by how much it does not."""
    with vm.directory() as tmp:
        first = vm.mkimage(tmp / "a.img", vm.guest("hello"), ["x"], floppy=tmp / "a-floppy.img").read_bytes()
        time.sleep(1.1)
        vm.expect("two images alike", vm.mkimage(tmp / "b.img", vm.guest("hello"), ["x"]).read_bytes() == first, True)
        vm.expect("bytes of a floppy", (tmp / "a-floppy.img").stat().st_size, 1474560)
        large = tmp / "large"
        large.write_bytes(vm.guest("hello").read_bytes() + bytes(2 << 20))
        done = build_sh(["image", large, "x"])
        vm.expect_in("what image says", b"too long for a floppy", done.stderr)
        vm.expect("a floppy image was written", (vm.OUT / "vmos-floppy.img").exists(), False)
        build_sh(["image", vm.guest("hello"), "from an image"])
        vm.qemu(vm.OUT / "vmos-floppy.img", medium="floppy").expect(0)
        vm.expect_in("output", b"arg from an image\n", vm.qemu(vm.OUT / "vmos.iso", medium="cd ide").expect(0).com1)
        result = vm.qemu(vm.OUT / "vmos.img").expect(0)
        vm.expect_in("output", b"arg from an image\n", result.com1)


def builds_what_changed():
    """In a copy of the tree and of what is built of it. A C file, a header, assembly, the font and the vDSO change: their
    objects are made anew, and few others. The old files are moved back, with their old times: the kernel is the old one, byte
    for byte. A header is gone: the build fails."""
    changes = {"kernel/lib/crc32c.c": (b"0x82f63b78", b"0x82f63b79"), "kernel/lib/names.h": (b"u64 bytes, count;", b"u32 bytes, count;"),
               "kernel/entry.asm": (b"ud2", b"int3"), "kernel/device/font.txt": (b"#", b"."), "vdso/vdso.c": (b"NS_PER_S)", b"NS_PER_S + 1)")}
    of_them = {f"{name}.o" for name in ("kernel.lib.crc32c.c", "host.kernel.lib.crc32c.c", "kernel.lib.names.c", "kernel.entry.asm",
                                        "kernel.device.framebuffer.c", "kernel.process.vdso_image.asm")}
    with vm.directory() as tmp:
        (tmp / "out").mkdir()
        for name in "boot", "loader", "kernel", "tools", "vdso", "build.sh":
            vm.run(["cp", "-a", vm.ROOT / name, tmp])
        for made in vm.OUT.iterdir():
            is_image = made.name.startswith("vmos")  # which another test writes meanwhile
            if made.name == "obj" or (made.is_file() and not is_image):
                vm.run(["cp", "-a", made, tmp / "out"])
        (tmp / "out/.built").touch()

        def build(status=0):
            done = subprocess.run([tmp / "build.sh", "build"], capture_output=True, timeout=2 * vm.HANG)
            vm.expect(f"status: {vm.short(done.stderr)}", done.returncode, status)
            return {made.name: (made.stat().st_mtime_ns, made.read_bytes()) for made in (tmp / "out/obj").glob("*.o")}

        first, kernel = build(), (tmp / "out/kernel.strip").read_bytes()
        for name, (old, new) in changes.items():
            vm.expect_in(name, old, (tmp / name).read_bytes())
            (tmp / name).rename(tmp / f"{name}.old")
            (tmp / name).write_bytes((tmp / f"{name}.old").read_bytes().replace(old, new))
        changed = build()
        vm.expect("objects with other bytes", {name for name in of_them if changed[name][1] == first[name][1]}, set())
        others = {name for name in changed if changed[name][0] != first[name][0]} - of_them
        vm.expect(f"many others are made anew: {others}", len(others) > 10, False)
        for name in changes:
            (tmp / f"{name}.old").rename(tmp / name)
        build()
        vm.expect("the kernel is the first one", (tmp / "out/kernel.strip").read_bytes() == kernel, True)
        (tmp / "kernel/lib/names.h").unlink()
        build(125)


def bochs():
    vm.need_bochs()
    done = build_sh(["bochs", vm.guest("status"), "42"], status=42)
    vm.expect("standard output", done.stdout, b"")
    done = build_sh(["bochs", vm.guest("hello"), "in Bochs"])
    vm.expect_in("standard output", b"arg in Bochs\n", done.stdout)


def debug():
    """gdb stops in the loader, the kernel low and high, and the program's main, by their names."""
    qemu = subprocess.Popen(["./build.sh", "debug", "wait", vm.guest("hello")], cwd=vm.ROOT, stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        vm.expect_in("first line", b"gdb", qemu.stderr.readline())
        end = time.monotonic() + vm.HANG
        while not (vm.OUT / "debug/gdb").exists() and time.monotonic() < end:
            time.sleep(0.1)
        commands = []
        for place in "loader_main", "address_space_build", "kernel_high", "program_load", "main":
            commands += ["-ex", f"hbreak {place}", "-ex", "continue", "-ex", "backtrace 1", "-ex", "delete"]
        seen = vm.run(["gdb", "-batch", "-nx", "-x", "out/vmos.gdb", *commands, "-ex", "detach"]).decode()
        for name in "loader_main", "address_space_build", "kernel_high", "program_load", "main":
            vm.expect_in("what gdb says", f"{name} (", seen)
    finally:
        qemu.kill()
        qemu.communicate()


def tests():
    for function in (boot_sector_stops, demo, statuses, words_survive, many_words, bytes_survive, slow_reader, relative_names, wrong_usage,
                     failures_are_125, qemu_opts_come_last, nothing_missing, missing_package,
                     reader_goes_away, interrupted, terminal, terminal_interrupt,
                     output_is_a_terminal, image, builds_what_changed,
                     bochs, debug):
        yield function.__name__.replace("_", " "), function
