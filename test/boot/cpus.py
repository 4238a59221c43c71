"""All CPUs check in: how many, on which machines, and what the log says when some cannot or do not."""
import re
import struct
import subprocess
import time

import gdb
import vm


def ran(log, count, of=None):
    vm.expect("lines about CPUs", re.findall(r"cpus: (\d+ of \d+ run)", log), [f"{count} of {of or count} run"])


def started(count, **machine):
    extra = ["-smp", str(count), *machine.pop("extra", ())]
    result = vm.boot(vm.guest("cpus"), [str(count)], extra=extra, hang=3 * vm.HANG, **machine).expect(0, b"")
    # On a busy host one in hundreds may not get its turn for a second; the program saw it run all the same.
    late = len(re.findall(r"cpus: the one with APIC id \d+ came late", result.log))
    if count > 1:
        ran(result.log, count - late, count)
    vm.expect("errors", [line for line in result.errors if not late or "not start" not in line], [])
    return result.log


def pics(why, **machine):
    log = vm.boot(vm.guest("time"), **machine).expect(0).log
    vm.expect_in("the log", f"interrupts: by the legacy PICs, since {why}\n", log)


def too_little_memory():
    """As many as memory is there for, and the rest is named."""
    result = vm.boot(vm.guest("cpus"), ["2", "2500"], memory="8M", extra=["-smp", "64"]).expect(0, b"")
    left = int(re.search(r"cpus: (\d+) are left off: ", result.log)[1])
    ran(result.log, 64 - left)


# ---- firmware's table, as no firmware here would write it ----

def find(memory, physical, signature):
    """The table with that signature among those the RSDT names: where it lies, and its bytes."""
    def table(at):
        return memory.read(at, struct.unpack("<I", memory.read(at + 4, 4))[0])
    for at, in struct.iter_unpack("<I", table(physical)[36:]):
        if memory.read(at, 4) == signature:
            return at, table(at)
    raise vm.Failed(f"no {signature} in the RSDT")


def switch_on_absent(memory):
    """Every CPU that the MADT calls switched off is there and on, it says now; returns their number."""
    rom = memory.read(0xE0000, 0x20000)
    rsdp = next(at for at in range(0, len(rom), 16) if rom[at:at + 8] == b"RSD PTR ")
    at, madt = find(memory, struct.unpack_from("<I", rom, rsdp + 16)[0], b"APIC")
    madt, changed, entry = bytearray(madt), 0, 44
    while entry < len(madt):
        if madt[entry] == 0 and not madt[entry + 4] & 1:
            madt[entry + 4] |= 1
            changed += 1
        entry += madt[entry + 1]
    madt[9] = (madt[9] - sum(madt)) & 255
    memory.write(at, bytes(madt))
    return changed


def never_answers(present, absent):
    """CPUs that the table has and the machine has not: the others run, the program does not wait, and they are named."""
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", vm.guest("cpus"), [str(present), "3000"])
        with gdb.Stopped(image, extra=["-smp", f"{present},maxcpus={present + absent}"]) as machine:
            machine.gdb.run_to(0x7C00)
            vm.expect("CPUs switched off in the MADT", switch_on_absent(machine.gdb), absent)
            machine.gdb.go()
            machine.process.wait(vm.HANG)
            log = machine.log()
    ran(log, present, present + absent)
    names = f"those with APIC ids {present} to {present + absent - 1} do" if absent > 1 else f"the one with APIC id {present} does"
    vm.expect_in("the log", f"vmos! cpus: {names} not start\n", log)
    vm.expect_in("the log", "\nvmos: exit 0\n", log)


def gap(rom, start, end, last):
    """The first or last place in a part of the ROM with 32 equal bytes before and behind it: no code lies there."""
    places = range(start, end - 32, 16)
    free = [at for at in places if len(set(rom[at - 0xE0000 - 32:at - 0xE0000 + 32])) == 1]
    if not free:
        raise vm.Failed(f"this firmware's ROM has no 64 equal bytes from {start:#x} to {end:#x}")
    return free[-1 if last else 0]


def root_pointer(start, end, last=False):
    """Where firmware may put the ACPI root pointer, each time with a damaged one in front of it. No start: the EBDA."""
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", vm.guest("cpus"), ["2"])
        with gdb.Stopped(image, extra=["-smp", "2"]) as machine:
            memory = machine.gdb
            memory.run_to(0x7C00)
            rom = memory.read(0xE0000, 0x20000)
            found = next(at for at in range(0, len(rom), 16) if rom[at:at + 8] == b"RSD PTR ")
            memory.write(0xE0000 + found, bytes(8))
            ebda = 16 * struct.unpack("<H", memory.read(0x40E, 2))[0]
            at = gap(rom, start, end, last) if start else ebda + 0x3E0
            memory.write(at - 32, b"RSD PTR " + bytes(12))
            memory.write(at, rom[found:found + 20])
            memory.go()
            machine.process.wait(vm.HANG)
            ran(machine.log(), 2)


def late_for_the_end():
    """A CPU that comes when the machine has ended runs nothing of the program, and logs nothing behind the exit line."""
    program = vm.compile_guest("test/guest/left_running.c")
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", program)
        with gdb.Stopped(image, extra=["-smp", "2"]) as machine:
            machine.connect()
            late = machine.gdb.run_to("cpu_arrive")
            with machine.gdb.breakpoint("emulator_exit"):
                machine.gdb.send(f"vCont;c:{2 - late:x}")
                machine.gdb.stopped()
            machine.gdb.write("emulator_exit", b"\xeb\xfe")
            before = machine.com1.read_bytes()
            machine.gdb.go()
            time.sleep(1)
            machine.gdb.interrupt()
            log, after = machine.log(), machine.com1.read_bytes()
    vm.expect("the end of the log", log.splitlines()[-1], "vmos: exit 0")
    vm.expect("bytes on COM1 behind it", len(after) - len(before), 0)


def before_the_halt():
    """An NMI right behind the STI of an idle CPU lets the next interrupt in before the HLT: made out to have happened to
    the one that ends the sleep of a machine where no other comes. The frame of that has the program's CS meanwhile, which
    does not make it the program's: interrupts are on because the CPU is idle."""
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", vm.compile_guest("test/guest/nap.c"))
        with gdb.Stopped(image) as machine:
            while True:
                machine.gdb.run_to("trap")
                frame = machine.gdb["rsp"]
                vector, _, rip, selector = struct.unpack("<4Q", machine.gdb.read(frame, 32))
                if vector & 0xFF == 0xF0 and machine.gdb.read(rip - 1, 1) == b"\xf4":
                    break
                machine.gdb.step()
            machine.gdb.write(frame + 24, struct.pack("<Q", 0x2B))
            machine.gdb.run_to("trap_from_kernel")
            registers = machine.gdb["rdi"]
            machine.gdb.write(registers + 144, struct.pack("<Q", selector))
            machine.gdb.write(registers + 136, struct.pack("<Q", rip - 1))
            machine.gdb.go()
            machine.process.wait(vm.HANG)


def unknown_interrupts():
    """Three interrupts, made out to be on vectors that nobody has: each vector is named once, and nothing else happens."""
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", vm.guest("cpus"), ["2", "300"])
        with gdb.Stopped(image, extra=["-smp", "2"]) as machine:
            for vector in 0x41, 0x99, 0x41:
                machine.gdb.run_to("interrupt")
                machine.gdb["rdi"] = vector
                machine.gdb.step()
            machine.gdb.go()
            machine.process.wait(vm.HANG)
            log = machine.log()
    vm.expect("vectors", re.findall(r"interrupt on vector (\w+), which no device has, on CPU \d: ignored\n", log), ["0x41", "0x99"])
    vm.expect_in("the log", "\nvmos: exit 0\n", log)


# ---- Bochs ----

def in_bochs(count, **more):
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", vm.guest("cpus"), [str(count)])
        if more.pop("x2apic", False):
            vm.run(["nasm", "-f", "bin", vm.ROOT / "test/boot/x2apic.asm", "-o", tmp / "sector"])
            more["first"] = tmp / "first.img"
            more["first"].write_bytes((tmp / "sector").read_bytes().ljust(1 << 20, b"\0"))
        result = vm.bochs(image, count=count, memory=64, cpu="corei7_haswell_4770", **more).expect(0)
    ran(result.log, count)
    return result.log


def x2apic_left_on():
    vm.expect_in("the log", "cpus: 4 of 4 run, by x2APIC\n", in_bochs(4, x2apic=True))


def after_the_end():
    """A PC stays on when its program has ended; CPUs that arrive then neither say nor run anything."""
    with vm.directory() as tmp:
        ports = ["-serial", f"file:{tmp}/com1", "-serial", f"file:{tmp}/log"]
        image = vm.mkimage(tmp / "disk.img", vm.guest("hello"))
        pc = subprocess.Popen(vm.qemu_words(image, cpu="max,-hypervisor", extra=["-smp", "64", *ports]))
        try:
            vm.wait_for(tmp / "log", b"vmos: exit ", pc)
            time.sleep(2)
            vm.expect("the last line", vm.read(tmp / "log").splitlines()[-1], b"vmos: exit 0")
        finally:
            pc.kill()
            pc.wait()


def tests():
    yield "255 pc", lambda: started(255, memory="1G")
    yield "255 q35", lambda: started(255, memory="1G", machine="q35", medium="ahci")
    yield "4 in Bochs", lambda: in_bochs(4)
    yield "x2APIC left on, in Bochs", x2apic_left_on
    for count in 1, 2, 4, 16, 64:
        yield f"{count} pc", lambda n=count: started(n)
        yield f"{count} q35", lambda n=count: started(n, machine="q35", medium="ahci")
    for model in "qemu64", "Nehalem", "EPYC", "qemu64,nx=off", "max,pge=off,mtrr=off":
        yield f"4 of {model}", lambda m=model: started(4, cpu=m)
    yield "memory above 4 GiB", lambda: started(4, machine="q35,max-ram-below-4g=32M", memory="64M")
    yield "apic ids with gaps", lambda: started(12, extra=["-smp", "12,sockets=2,dies=1,cores=3,threads=2"])
    yield "isapc", lambda: pics("there is no IO-APIC", machine="isapc", medium="ide")
    yield "no local APIC", lambda: pics("the CPU has no local APIC", cpu="max,-apic")
    yield "unknown interrupts", unknown_interrupts
    yield "root pointer in the EBDA", lambda: root_pointer(None, None)
    yield "root pointer in the lower half of the ROM", lambda: root_pointer(0xE0020, 0xF0000)
    yield "root pointer in the end of the ROM", lambda: root_pointer(0xF0020, 0x100000, last=True)
    yield "late for the end", late_for_the_end
    yield "later than the end", after_the_end
    yield "an interrupt before the halt", before_the_halt
    yield "little memory", too_little_memory
    yield "one never answers", lambda: never_answers(2, 1)
    yield "three never answer", lambda: never_answers(1, 3)
