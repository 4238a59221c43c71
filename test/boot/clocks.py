"""Clocks and timers on machines that lack one or another, and what a machine does that has nothing to do."""
import os
import re
import time

import vm

BOCHS_HZ = 50_000_000


def rate(log, by, steady="not invariant"):
    """Of the TSC in Hz, as the log has it."""
    line = re.search(r"(?m)^vmos: time: TSC (\d+)\.(\d{3}) MHz, by (.*), ((?:not )?invariant)$", log)
    if not line:
        raise vm.Failed(f"the log does not say how fast the TSC is: {vm.short(log)}")
    vm.expect("source of the rate", line[3], by)
    vm.expect("the TSC is", line[4], steady)
    return int(line[1] + line[2]) * 1000


def clocks(name):
    """Right, and the same whatever the TSC is measured by: QEMU shows the host's."""
    machines = {"pc": "the HPET", "q35,hpet=off": "the ACPI PM timer", "pc,acpi=off": "the PIT"}
    rates = []
    for machine, by in machines.items():
        for cpu in "max", "qemu64":
            result = vm.boot(vm.guest(name), machine=machine, cpu=cpu, extra=["-smp", "4"])
            result.expect(0, f"{name} ok\n".encode())
            rates.append(rate(result.log, by))
    vm.expect(f"rates that agree to 1 %: {rates}", max(rates) < 1.01 * min(rates), True)


def no_apic():
    result = vm.boot(vm.guest("time"), cpu="qemu64,-apic").expect(0, b"time ok\n")
    rate(result.log, "the HPET")


def in_bochs(cpu, steady, wrong=None):
    """wrong: what CPUID says, for Bochs does not do what the CPU it shows does."""
    with vm.directory() as tmp:
        result = vm.bochs(vm.mkimage(tmp / "disk.img", vm.guest("time")), cpu=cpu).expect(0, b"time ok\n")
    hz = rate(result.log, "CPUID leaf 15h" if wrong else "the HPET", steady)
    vm.expect("errors", len(result.errors), 1 if wrong else 0)
    if wrong:
        vm.expect("stated rate", hz, wrong)
        hz = int(re.search(r"by the HPET it is (\d+) Hz", result.errors[0])[1])
    vm.expect(f"{hz} Hz in Bochs, right to 1 %", abs(hz - BOCHS_HZ) < BOCHS_HZ / 100, True)


def threads_in_bochs():
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", vm.guest("clock_threads"), ["1000"])
        result = vm.bochs(image, cpu="corei7_haswell_4770", count=4).expect(0, b"clock_threads ok\n")
    vm.expect_in("the log", "4 of 4 run", result.log)


def vdso_in_bochs():
    """Without system calls on CPUs whose TSCs are known to be the same for ever."""
    with vm.directory() as tmp:
        result = vm.bochs(vm.mkimage(tmp / "disk.img", vm.guest("vdso"), ["none", "short"]), cpu="corei7_haswell_4770", count=4)
    result.expect(0, b"\x7fELFvdso ok\n")


def idle(cpus):
    """No tick: the interrupts of the whole run are a handful for each CPU, and QEMU sleeps while the program does."""
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", vm.guest("nap"))
        log = tmp / "interrupts"
        with vm.Running(image, extra=["-smp", str(cpus), "-d", "int", "-D", str(log)]) as machine:
            machine.wait(b"asleep\n")
            time.sleep(0.5)
            before = cpu_seconds(machine.process.pid)
            time.sleep(2)
            used = cpu_seconds(machine.process.pid) - before
            vm.wait_for(machine.com1, b"awake\n", machine.process)
            machine.process.wait(vm.HANG)
        vectors = [int(vector, 16) for vector in re.findall(r"Servicing hardware INT=0x(\w+)", log.read_text())]
    ours = [hex(vector) for vector in vectors if 0x20 <= vector < 0x70 or vector >= 0x80]
    vm.expect(f"at most 10 interrupts on each CPU: {ours}", 0 < len(ours) <= 10 * cpus, True)
    vm.expect(f"{used} s of CPU time in 2 s of sleep, at most 0.2", used <= 0.2, True)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tests():
    for name in "time", "clock_threads":
        yield f"{name} by each reference counter", lambda name=name: clocks(name)
    yield "no local APIC", no_apic
    yield "Bochs, TSC deadline", lambda: in_bochs("corei7_haswell_4770", "invariant")
    yield "Bochs, APIC timer", lambda: in_bochs("core2_penryn_t9600", "not invariant")
    yield "Bochs, wrong CPUID leaf 15h", lambda: in_bochs("tigerlake", "invariant", 2419200000)
    yield "Bochs, 4 CPUs with equal adjustments", threads_in_bochs
    yield "Bochs, vDSO on 4 equal CPUs", vdso_in_bochs
    for cpus in 1, 4:
        yield f"idle, {cpus} CPUs", lambda cpus=cpus: idle(cpus)
