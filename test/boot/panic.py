"""The panic: every exception raised inside the kernel on purpose, by a debugger that writes code where a system call
begins, and each one's report; panics inside panics; machine checks; NMIs at any instruction."""
import contextlib
import re
import struct
import time

import gdb
import vm

PLACE = "terminal_file_write"  # where the program of these tests comes by once
STUB = 9  # bytes of code per vector from trap_stubs on (TRAP_STUB_SIZE)
SCREEN = 0xB8000


@contextlib.contextmanager
def stopped(place=PLACE, program="hello", args=(), extra=(), cpu="max"):
    """A machine that stopped in the kernel, on behalf of a program."""
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", vm.guest(program), args)
        with gdb.Stopped(image, extra=["-vga", "std", *extra], cpu=cpu) as running:
            if place:
                running.gdb.run_to(place)
            yield running


def screen(machine):
    """What is shown: the CRT controller's registers 0ch and 0dh say from which cell on."""
    start = 0
    for register in 0x0C, 0x0D:
        machine.monitor(f"o/b 0x3d4 {register}")
        start = start << 8 | int(machine.monitor("i/b 0x3d5").split("=")[1], 16)
    cells = machine.physical(SCREEN + 2 * start, 80 * 25 * 2)[::2].decode("latin1")
    return [cells[row * 80:row * 80 + 80].rstrip() for row in range(25)]


def end(machine):
    """Goes on to the machine's end; the log's lines from the panic's first one on, which COM1 must have too, and the
    screen."""
    machine.connect()
    machine.gdb.run_to("emulator_exit")
    shown = screen(machine)
    machine.gdb.go()
    machine.process.wait(vm.HANG)
    log = machine.log().splitlines()
    first = next((i for i, line in enumerate(log) if line.startswith("vmos! panic: ")), None)
    if first is None:
        raise vm.Failed(f"no panic in the log: {log[-5:]}")
    vm.expect("last line", log[-1], "vmos: exit 125")
    report = log[first:-1]
    vm.expect_in("COM1", "\n" + "\n".join(report) + "\n", machine.com1.read_text(errors="replace"))
    begin = next((i for i, line in enumerate(shown) if line.startswith("vmos! panic: ")), None)
    vm.expect("the first line is on the screen to the end", begin is None, False)
    shown = shown[begin:]
    for line in filter(None, shown[:10] if len(report[0]) <= 80 else []):  # what, where, registers, code
        vm.expect_in("the log", line, [whole[:80] for whole in report + log[-1:]])
    return report, shown


def check(report, what, code=None, place=PLACE + "+0"):
    """The report of a panic in PLACE: what, where, code, callers, the program."""
    if not re.search(what, report[0]):
        raise vm.Failed(f"the panic says {report[0]!r}, expected {what!r}")
    text = "\n".join(report)
    if code:
        vm.expect_in("the code", f"<{code[0]:02x}>" + code[1:16].hex(), text)
    for wanted in (r"on CPU 0 of \d+ \(APIC id 0\), kernel at 0x\w+", r"rax \w{16}  rbx \w{16}", r"cr0 \w+  cr2 \w+",
                   rf"at   0x\w+ {re.escape(place)}\n", r"from 0x\w+ syscall_from_program\+", r"from 0x\w+ syscall_entry\+",
                   r"for the program at \w+\+0x\w+ \(0x\w+\), system call \d+\n", r"rsp\+0x\w+: main\+", r"\| vmos: memory: "):
        if not re.search(wanted, text):
            raise vm.Failed(f"the report does not say {wanted!r}: {text[-3000:]}")


DATA_NOT_PRESENT = 0x13 << 40  # a data segment, writable, that is not there
# What a kernel could do, and what the report calls it: name, code, registers to set before, the report's first line.
RAISED = {
    "DE": ("31c9 f7f1", {}, r"exception 0 \(#DE\)"),
    "DB": ("0f23c0 0f23fb 90", {"rax": lambda place: place + 6, "rbx": 0x402}, r"exception 1 \(#DB\)"),  # a breakpoint on nop
    "BP": ("cc", {}, r"exception 3 \(#BP\)"),
    "OF": ("cd04", {}, r"exception 4 \(#OF\)"),
    "BR": ("cd05", {}, r"exception 5 \(#BR\)"),
    "UD": ("0f0b", {}, r"exception 6 \(#UD\)"),
    "NM": ("0f20c0 4883c808 0f22c0 dbe3", {}, r"exception 7 \(#NM\)"),  # mov %cr0, or $8, mov to %cr0, fninit
    "coprocessor segment overrun": ("cd09", {}, r"exception 9 \( 9 \)"),
    "NP": ("8ed8", {"rax": 0x18}, r"exception 11 \(#NP\), error 0x18"),  # mov %eax, %ds
    "SS": ("8ed0", {"rax": 0x18}, r"exception 12 \(#SS\), error 0x18"),
    "GP": ("488b00", {"rax": 1 << 63}, r"exception 13 \(#GP\), error 0"),
    "GP, a selector": ("8ed8", {"rax": 0x7777}, r"exception 13 \(#GP\), error 0x7774"),
    "PF, reading": ("488b00", {"rax": 0x18}, "page fault reading 0x18 where nothing is mapped"),
    "PF, writing": ("488900", {"rax": gdb.KERNEL_BASE}, "page fault writing 0xfffffeffc0000000 against its rights"),
    "PF, executing": ("ffe0", {"rax": 0xFFFFC00000000000}, "page fault executing 0xffffc00000000000 against its rights"),
    "MF": ("dbe3 6a00 d92c24 d9e8 d9ee def9 9b", {}, r"exception 16 \(#MF\)"),  # everything unmasked: 1 / 0
}


def raised(name):
    code, registers, what = RAISED[name]
    code = bytes.fromhex(code)
    with stopped() as machine:
        place = machine.gdb["rip"]
        machine.gdb.write(machine.gdb["gs_base"] + gdt_offset(machine) + 0x18, struct.pack("<Q", DATA_NOT_PRESENT))
        machine.gdb.write(place, code)
        for register, value in registers.items():
            machine.gdb[register] = value(place) if callable(value) else value
        report, _ = end(machine)
        at = re.search(r"rip (\w{16})", "\n".join(report))[1]
        if name == "PF, executing":
            return vm.expect("rip", int(at, 16), registers["rax"])
        check(report, what, machine_code(code, int(at, 16) - place), f"{PLACE}+{hex(int(at, 16) - place) if int(at, 16) > place else 0}")


def names():
    """The kernel's symbols are still there when the program has had every page of its file that is free."""
    with stopped("program_ends", "fill", ["overcommit"]) as machine:
        machine.gdb.write(machine.gdb["rip"], b"\x0f\x0b")
        text = "\n".join(end(machine)[0])
        for wanted in r"at   0x\w+ program_ends\+0\n", r"from 0x\w+ trap_of_program\+", r"from 0x\w+ trap_from_program\+":
            if not re.search(wanted, text):
                raise vm.Failed(f"the report does not say {wanted!r}: {text[-3000:]}")


def machine_code(code, at):
    return code[at:] if at < len(code) else None


def gdt_offset(machine):
    """Where the GDT lies in struct cpu: by its second descriptor, the kernel's code segment."""
    start = machine.gdb.read(machine.gdb["gs_base"], 1024)
    return start.index(struct.pack("<Q", 0x00209B0000000000)) - 8


def raised_by_hand(vector, name, error):
    """What QEMU cannot raise: the CPU's frame is put on the interrupt stack as the CPU would."""
    with stopped() as machine:
        debugger = machine.gdb
        frame = [debugger[register] for register in ("rip", "cs", "rflags", "rsp", "ss")]
        if error is not None:
            frame.insert(0, error)
        tss = debugger["gs_base"] + gdt_offset(machine) + 64
        gate = debugger.read(idt(machine) + 16 * vector, 16)
        top = debugger.u64(tss + 36 + 8 * (gate[4] - 1))
        debugger.write(top - 8 * len(frame), struct.pack(f"<{len(frame)}Q", *frame))
        debugger["rsp"] = top - 8 * len(frame)
        debugger["rip"] = gdb.address("trap_stubs") + STUB * vector
        report, _ = end(machine)
        check(report, rf"exception {vector} \({re.escape(name)}\), error {error or 0:#x}".replace(" 0x0", " 0"))


def idt(machine):
    machine.connect()
    found = int(re.search(r"IDT= *(\w+)", machine.monitor("info registers"))[1], 16)
    machine.socket.close()
    return found


def double_fault():
    """A page fault whose gate is not there."""
    with stopped() as machine:
        machine.gdb.write(idt(machine) + 16 * 14 + 5, b"\0")
        machine.gdb.write(machine.gdb["rip"], bytes.fromhex("488b00"))
        machine.gdb["rax"] = 0x18
        report, _ = end(machine)
        check(report, r"exception 8 \(#DF\)")


def nmi_with_cause():
    """Port 61h says that memory is broken: its reading, in al, 61h, is made a mov $80h, al."""
    with stopped() as machine:
        text = machine.gdb.read(gdb.KERNEL_BASE, 0x10000)
        places = [found.start() for found in re.finditer(b"\xe4\x61", text)]
        for at in places:
            machine.gdb.write(gdb.KERNEL_BASE + at, b"\xb0\x80")
        machine.gdb.write(machine.gdb["rip"], b"\xcd\x02")
        report, _ = end(machine)
        check(report, r"exception 2 \(NMI\)", place=PLACE + "+0x2")


def frame_of_ring_0():
    """The program's read through a null pointer, with the frame that it would have in ring 0: it stays the program's."""
    with stopped(program="nullptr") as machine:
        vector = address = None
        while vector != 14 or address != 0:
            machine.gdb.step()
            machine.gdb.run_to("trap")
            frame = machine.gdb["rsp"]
            vector, address = machine.gdb.u64(frame), machine.gdb["cr2"]
        _, error, rip, _, rflags, rsp, _ = struct.unpack("<7Q", machine.gdb.read(frame, 56))
        machine.gdb.write(frame, struct.pack("<7Q", 14, error & ~4, rip, 8, rflags, rsp, 0x10))  # 4: at user level
        machine.gdb.go()
        machine.process.wait(vm.HANG)
        vm.expect("last line", machine.log().splitlines()[-1], "vmos: exit 139")
        vm.expect_in("the log", "main+", machine.log())


def broken_callers():
    """A frame pointer into the middle of nowhere ends the backtrace and nothing else."""
    with stopped() as machine:
        machine.gdb["rbp"] = machine.gdb["gs_base"] + (1 << 29)
        machine.gdb.write(machine.gdb["rip"], b"\x0f\x0b")
        report, _ = end(machine)
        vm.expect("lines with callers in the kernel", len([line for line in report if "  from " in line]), 0)
        vm.expect_in("the program", "rsp+0x", "\n".join(report))


def inside(place):
    """A panic inside the panic: both are said, on the wires and on the screen."""
    with stopped() as machine:
        machine.gdb.write(machine.gdb["rip"], b"\x0f\x0b")
        machine.gdb.run_to(place)
        before = machine.gdb.read(place, 2)
        machine.gdb.write(place, b"\xcd\x05")
        machine.gdb.step()
        machine.gdb.write(place, before)
        report, shown = end(machine)
        vm.expect("first line", report[0], "vmos! panic: exception 6 (#UD), error 0")
        for where in report, shown:
            vm.expect("panics", [line for line in where if line.startswith("vmos! panic")],
                      ["vmos! panic: exception 6 (#UD), error 0", "vmos! panic inside the panic: exception 5 (#BR), error 0"])
        vm.expect_in("where the second was", f" {place}+0x2", "\n".join(report))


def screen_faults():
    """An output that faults is left out: the wires have both."""
    with stopped() as machine:
        machine.gdb.write(machine.gdb["rip"], b"\x0f\x0b")
        machine.gdb.write("screen_log", b"\xcd\x05")
        machine.gdb.go()
        machine.process.wait(vm.HANG)
        log = machine.log()
        for line in "panic: exception 6 (#UD)", "panic inside the panic: exception 5 (#BR)":
            vm.expect_in("the log", line, log)


def low():
    """In the low kernel: no slot, no symbols of the high half, the screen and the wire."""
    with stopped(place=None) as machine:
        debugger = machine.gdb
        base = 0x100000 - gdb.KERNEL_BASE
        debugger.run_to(gdb.address("address_space_build") + base)
        debugger.write(0x7000, b"low %d %s %d %d %d %d %d\0")
        for register, value in zip(("rdi", "rsi", "rdx", "rcx", "r8", "r9"), (0x7000, 1, 0x7000, 3, 4, 5)):
            debugger[register] = value
        debugger["rip"] = gdb.address("panic") + base
        machine.connect()
        debugger.run_to(gdb.address("emulator_exit") + base)
        shown = screen(machine)
        debugger.go()
        machine.process.wait(vm.HANG)
        log = machine.log()
        vm.expect("first line", re.search(r"vmos! panic: low 1 low %d %s %d %d %d %d %d 3 4 5 -?\d+ -?\d+\n", log) is not None, True)
        for wanted in "in the low kernel, at 0x100000", "kernel_low+0x", "exit 125":
            vm.expect_in("the log", wanted, log)
        vm.expect_in("the screen", "\nvmos! panic: low 1 low", "\n".join(shown))


def early():
    """An exception in the loader, and in the kernel while the loader's handlers are still the only ones."""
    loader = {name: int(value, 16) for value, _, name in
              (line.split() for line in vm.run(["nm", vm.OUT / "loader.elf"]).decode().splitlines())}
    for place, who in ((loader["disk_read"], "the loader"),
                       (gdb.address("kernel_entry") + 0x100000 - gdb.KERNEL_BASE, "the kernel, before it had handlers,")):
        with stopped(place=0x7C00) as machine:
            machine.gdb.run_to(place)
            machine.gdb.write(place, b"\x0f\x0b")
            machine.gdb.go()
            machine.process.wait(vm.HANG)
            vm.expect("the end of the log", machine.log().splitlines()[-2:], [
                f"vmos! {who} stopped on exception 6 (#UD), error 0x0, at {place:#x}, CR2 0x0", "vmos: exit 125"])


def machine_check(where, steps):
    with stopped(place=where) as machine:
        for _ in range(steps):
            machine.gdb.step()
        machine.connect()
        machine.monitor("mce 0 9 0xbd00000000000134 5 0x12345000 0x8c")
        machine.socket.close()
        report, _ = end(machine)
        vm.expect("first line", report[0], "vmos! panic: machine check, MCG_STATUS 0x5; bank 9: status 0xbd00000000000134, "
                  "address 0x12345000, misc 0x8c")
        vm.expect_in("where", f" {where}+0", "\n".join(report))


def machine_check_in_nmi():
    """The backtrace goes from stack to stack: of the machine check, the NMI, the system call."""
    with stopped() as machine:
        machine.connect()
        machine.command("inject-nmi")
        machine.gdb.run_to("trap_from_kernel")
        machine.monitor("mce 0 9 0xbd00000000000134 5 0x12345000 0x8c")
        machine.socket.close()
        report, _ = end(machine)
        check(report, "machine check, MCG_STATUS 0x5", place="trap_from_kernel+0")
        vm.expect("callers", [line.split()[-1] for line in report if "  from " in line][0], f"{PLACE}+0")


def all_online(debugger, count):
    """The CPU that is stopped goes round on the spot until the others have come and gone idle."""
    place, limit = debugger["rip"], time.monotonic() + vm.HANG
    code = debugger.read(place, 2)
    debugger.write(place, b"\xeb\xfe")
    idle = False
    while not idle:
        if time.monotonic() > limit:
            raise vm.Failed("not all CPUs came online")
        idle = debugger.u64("idle_cpus").bit_count() == min(count, 64) - 1  # seen before the last time they go on
        debugger.go()
        time.sleep(0.05)
        debugger.interrupt()
    debugger.cpu(0)
    debugger.write(place, code)


def in_the_log():
    """In the middle of a line of the log, whose lock is taken then."""
    with stopped(place="screen_log") as machine:
        machine.gdb["rip"] = 0xFFFFC00000000000
        report, shown = end(machine)
        vm.expect("first line", report[0], "vmos! panic: page fault executing 0xffffc00000000000 against its rights")
        vm.expect("first line of the screen", shown[0], report[0])


def each_something_else():
    """Four CPUs: one panics, one computes, one makes calls, one sleeps."""
    with stopped(place="call_uname", program="each", extra=["-smp", "4"]) as machine:
        machine.gdb.write(machine.gdb["rip"], b"\x0f\x0b")
        report, _ = end(machine)
        text = "\n".join(report)
        for wanted in (r"CPU \d: the program at computes\+0x\w+ ", r"CPU \d: .*the program at (calls|caller)\+0x\w+ ",
                       r"idle: 1 other CPU\n|CPU \d: .* < idle\+", r"for the program at \w+\+0x\w+ .*, system call 63\n", r"rsp.*: main\+"):
            if not re.search(wanted, text):
                raise vm.Failed(f"the report does not say {wanted!r}: {text}")


def others(text, *, at_cpu_stop=None, count=4):
    """What the report says of CPUs that the panic stops; at_cpu_stop changes the first of them as it is about to."""
    with stopped(extra=["-smp", str(count)]) as machine:
        all_online(machine.gdb, count)
        machine.gdb.write(machine.gdb["rip"], b"\x0f\x0b")
        if at_cpu_stop:
            machine.gdb.run_to("cpu_stop")
            at_cpu_stop(machine.gdb)
        report, _ = end(machine)
        check(report, r"exception 6 \(#UD\)")
        if not re.search(text, "\n".join(report)):
            raise vm.Failed(f"the report does not say {text!r}: {[line for line in report if 'CPU' in line]}")


def panics_too(debugger):
    debugger["rip"] = 0xFFFFC00000000000


def hangs(debugger):
    debugger.write("unfit", b"\xeb\xfe")
    debugger["rip"] = gdb.address("unfit")


def ends_too(debugger):
    debugger["rip"], debugger["rdi"] = gdb.address("power_end"), 7


def machine_check_while_running(cpu, broadcast=""):
    """Told to every CPU, each has the bank, and the first has the word. QEMU tells it to all of Intel's only."""
    with stopped(place=None, program="storm", args=["1000"], extra=["-smp", "4"], cpu="Haswell") as machine:
        machine.gdb.go()
        machine.wait(b"storm\n")
        with contextlib.suppress(OSError, ValueError):  # it may end before it answers
            vm.expect("QEMU's answer", machine.monitor(f"mce {broadcast} {cpu} 9 0xbd00000000000134 5 0x12345000 0x8c"), "")
        machine.process.wait(vm.HANG)
        log = machine.log()
        vm.expect("first lines", log.count("vmos! panic: machine check"), 1)
        if not broadcast:
            vm.expect("lines about a CPU that was busy", len(re.findall(r"(?m)^vmos!   CPU \d: ", log)), 1)
        vm.expect("last line", log.splitlines()[-1], "vmos: exit 125")


def two_ends(other):
    """The program ends while another CPU wants to end the machine as well: one wins. Or the other one does not listen,
    with interrupts off, and stops by NMI."""
    with stopped(place="power_end", extra=["-smp", "2"]) as machine:
        all_online(machine.gdb, 2)
        machine.gdb["rdi"] = 5
        machine.gdb.run_to("interrupt")
        vm.expect("the CPU that was told to stop", machine.gdb["gs_base"] >> 30 & 1023, 1)
        other(machine.gdb)
        machine.gdb.run_to("cpu_stop")
        machine.gdb.go()
        machine.process.wait(vm.HANG)
        vm.expect("ends", len(re.findall(r"vmos: exit [57]\n", machine.log())), 1)


def nmi_storm(cpus):
    """A thousand NMIs for every CPU, each when all have counted the one before, while the program makes system calls and
    checks what they leave in its registers."""
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", vm.guest("storm"), [str(1001 * cpus)])
        with vm.Running(image, extra=["-smp", str(cpus)]) as machine:
            machine.wait(b"storm\n")
            address, count = gdb.address("nmi_count"), 0
            for _ in range(1000):
                machine.command("inject-nmi")
                limit, before = time.monotonic() + vm.HANG, count
                while count < before + cpus:
                    count = int(machine.monitor(f"x/1gx {address:#x}").split()[1], 16)
                    if time.monotonic() > limit:
                        raise vm.Failed(f"the count of NMIs goes from {before} to {count} only")
            with contextlib.suppress(ConnectionError):  # the last one ends the program, and QEMU before it has answered
                machine.command("inject-nmi")
            machine.process.wait(vm.HANG)
            log = machine.log()
            vm.expect("last line", log.splitlines()[-1], "vmos: exit 0")
            vm.expect("NMIs", count, 1000 * cpus)
            vm.expect_in("the log", "NMIs without a known cause: ", log)
            said = [int(n) for n in re.findall(r"(?m)^CPU \d+ ignored (\d+) NMIs", machine.com1.read_text())]
            vm.expect("what /proc/vmos counts", sum(said), count + cpus)


def instructions(name):
    """Addresses and texts of what stands behind this label, its inner ones included."""
    text = vm.run(["objdump", "-d", "--no-show-raw-insn", vm.OUT / "kernel.elf"]).decode()
    body = re.search(rf"(?m)^\w+ <{name}>:\n((?:\n?\w+ <{name}\..*\n| +\w+:.*\n)+)", text)[1]
    return [(gdb.KERNEL_BASE + int(at, 16), what) for at, what in re.findall(r"(?m)^ +(\w+):\t(.*)$", body)]


def nmi_between_instructions():
    """One before each instruction of the ways in and out, the NMI's own included, while the program makes calls. To
    reach some of them, another NMI has to come first, in the program or in the kernel."""
    program = vm.guest("storm")
    call = int(re.search(r"(?m)^(\w+) . one_call$", vm.run(["nm", program]).decode())[1], 16)
    ways = [(None, at) for name in ("syscall_entry", "resume_by_sysret") for at, _ in instructions(name)]
    first = call
    for at, what in instructions("trap"):
        ways.append((first, at))
        if what.startswith("call") and "trap_from_program" in what:
            first = "syscall_entry"  # in the kernel, with the program's GS
        if what.startswith("jne"):
            first = "syscall_from_program"  # with its own
    ways += [("syscall_entry", at) for at, _ in instructions("resume_by_iret")]
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", program, [str(sum(2 if first else 1 for first, _ in ways))])
        with gdb.Stopped(image) as machine:
            machine.connect()
            machine.gdb.run_to("call_writev")
            for first, at in ways:
                if first:
                    machine.gdb.run_to(first)
                    machine.command("inject-nmi")
                machine.gdb.run_to(at)
                machine.command("inject-nmi")
            machine.gdb.go()
            machine.process.wait(vm.HANG)
            vm.expect("last line", machine.log().splitlines()[-1], "vmos: exit 0")
            vm.expect_in("COM1", b"\n0 of ", machine.com1.read_bytes())


def faults_again():
    """A page fault that the kernel cannot heal ends the program. Here a reserved bit stands in the entry of a page."""
    window = 0xFFFF800000000000
    with stopped("call_sched_yield", "reserved_bit") as machine:
        address, table = machine.gdb.u64(machine.gdb["rsi"]), machine.gdb["cr3"] & ~0xFFF
        for shift in 39, 30, 21, 12:
            place = window + table + 8 * (address >> shift & 511)
            entry = machine.gdb.u64(place)
            if shift == 12 or entry & 0x80:
                break
            table = entry & 0xFFFFFFFFFF000
        machine.gdb.write(place, struct.pack("<Q", entry | 1 << 51))
        machine.gdb["cr3"] = machine.gdb["cr3"]  # what the CPU remembers goes
        machine.gdb.go()
        machine.process.wait(vm.HANG)
        vm.expect("last line", machine.log().splitlines()[-1], "vmos: exit 139")
        vm.expect_in("the log", f"address {address:#x} (which its page allows; it comes again and again)", machine.log())


def wrong_order():
    """A lock that is taken under one of a higher rank; here the CPU is told that it holds one."""
    held_at = 0xFFFFFF0000000000 + 48  # CPU_LOCKS
    ranks = re.findall(r"^    LOCK_(\w+)", (vm.ROOT / "kernel/cpu/lock.h").read_text(), re.M)
    pages = ranks.index("PAGES") + 1
    with stopped("space_take") as machine:
        machine.gdb.write(held_at, struct.pack("<I", 1 << pages))
        report, _ = end(machine)
        vm.expect_in("the report", "the lock address space is taken under the lock pages", report[0])


def tests():
    for name in RAISED:
        yield name, lambda name=name: raised(name)
    for vector, name, error in ((10, "#TS", 0x30), (15, " 15", None), (19, "#XM", None), (20, "#VE", None), (21, "#CP", 1), (29, "?", 3),
                                (30, "?", 1), (31, "?", None)):
        yield f"vector {vector}", lambda vector=vector, name=name, error=error: raised_by_hand(vector, name, error)
    yield "a fault again and again", faults_again
    yield "locks in a wrong order", wrong_order
    yield "DF", double_fault
    yield "names, memory full", names
    yield "NMI with a cause", nmi_with_cause
    yield "a frame of the program in ring 0", frame_of_ring_0
    yield "broken callers", broken_callers
    for place in "panic_report", "cpus_stop", "log_kept":
        yield f"inside, {place}", lambda place=place: inside(place)
    yield "screen faults", screen_faults
    yield "low kernel", low
    yield "before there are handlers", early
    for place, steps in (PLACE, 0), ("syscall_entry", 0), ("syscall_entry", 1), ("resume_by_sysret", 18):
        yield f"machine check, {place} + {steps}", lambda place=place, steps=steps: machine_check(place, steps)
    yield "machine check in an NMI", machine_check_in_nmi
    for count in 4, 64:
        yield f"others idle, {count} CPUs", lambda count=count: others(f"idle: {count - 1} other CPUs", count=count)
    yield "another panics too", lambda: others(r"CPU \d panicked as well: page fault executing 0xffffc00000000000 .*\n(.*\n)*.*idle: 2",
                                               at_cpu_stop=panics_too)
    yield "another does not stop", lambda: others(r"CPU \d did not stop: .*\n(.*\n)*.*idle: 2", at_cpu_stop=hangs)
    yield "in the log", in_the_log
    yield "each something else", each_something_else
    yield "two ends", lambda: two_ends(ends_too)
    yield "an end that one does not hear of", lambda: two_ends(hangs)
    yield "machine check of all", lambda: machine_check_while_running(0, "-b")
    yield "machine check of another", lambda: machine_check_while_running(2)
    yield "an NMI before every instruction of the ways in and out", nmi_between_instructions
    for cpus in 1, 4:
        yield f"1000 NMIs, {cpus} CPUs", lambda cpus=cpus: nmi_storm(cpus)
