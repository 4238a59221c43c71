"""Memory from too little to 64 GiB, and CPUs from too old to the newest."""
import re

import vm

UNITS = {"M": 1 << 10, "G": 1 << 20, "T": 1 << 30}
BIG = "max,phys-bits=46"  # QEMU's CPUs have 40 bits


def memory(size, machine="pc", **more):
    """Boots a program that needs little; at least 99.5 % of what is usable, from 16 GiB on 99.99 %, must be linear memory
    or the first stack in the end. Returns the log."""
    extra = []
    if size[-1] == "T" or size[-1] == "G" and int(size[:-1]) > 3:  # the host need not have it
        extra = ["-object", f"memory-backend-ram,id=m0,size={size},reserve=off"]
        machine += ",memory-backend=m0"
    result = vm.boot(vm.guest("hello"), memory=size, machine=machine, extra=extra, name="hello", **more)
    result.expect(0, b"hello\narg hello\n")
    usable = re.search(r"memory: (\d+) KiB usable", result.log)
    if not usable:
        raise vm.Failed(f"the log does not say how much memory is usable: {result.log!r}")
    given = int(size[:-1]) * UNITS[size[-1]]
    if not given - 1024 <= int(usable[1]) <= given:
        raise vm.Failed(f"{usable[1]} KiB usable of {given}")
    end = int(re.search(r"memory: in the end (\d+) KiB", result.log)[1])
    share = 0.9999 if given >= 16 << 20 else 0.995 if given >= 256 << 10 else 0.9
    if not share * int(usable[1]) <= end <= int(usable[1]):
        raise vm.Failed(f"{end} KiB of {usable[1]} are linear or the first stack in the end")
    return result.log


def relocated(size, cpu, start):
    """On CPUs of AMD QEMU moves memory above 4 GiB up to 1 TiB, out of the way of HyperTransport, once it would reach
    there."""
    if f" {start:#x} " not in memory(size, "q35", cpu=cpu):
        raise vm.Failed(f"the log has no run of linear memory from {start:#x} on")


def sixteen_tebibytes():
    free = int(re.search(r"MemAvailable: +(\d+) kB", open("/proc/meminfo").read())[1])
    if free < 4 << 20:
        raise vm.Skipped(f"only {free >> 10} MiB of memory are free here, and QEMU wants up to 4 GiB for this")
    memory("16T", cpu=BIG)


def unused_parts_come_back():
    """20 MiB of a program's file that nobody loads are free memory when it starts, and its symbols are still found."""
    with vm.directory() as tmp:
        (tmp / "debug").write_bytes(bytes(20 << 20))
        vm.run(["objcopy", "--add-section", f".debug_x={tmp}/debug", vm.guest("nullptr"), tmp / "program"])
        result = vm.boot(tmp / "program", memory="64M").expect(139)
    vm.expect_in("the crash report", "main", result.log)
    free = int(re.search(r"; (\d+) KiB are free", result.log)[1])
    vm.expect(f"{free} KiB free of 64 MiB, 2 of them the first stack", free > 60 << 10, True)


def in_bochs(megabytes):
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", vm.guest("hello"), name="hello")
        result = vm.bochs(image, cpu="corei7_haswell_4770", memory=megabytes)
        if megabytes == 1:
            result.expect_unfit("KiB of memory above 1 MiB")
        else:
            result.expect(0, b"hello\narg hello\n")


def too_little():
    """2 MiB are enough for a small program, but not for 2 MiB of busybox; 1.25 MiB are not enough for any."""
    vm.boot("/bin/busybox", ["true"], memory="2M").expect_unfit("KiB")
    vm.boot(vm.guest("hello"), memory="1280K").expect_unfit("KiB")
    vm.boot(vm.guest("hello"), memory="1M", medium="ide").expect_unfit("KiB")


def split_memory():
    """Memory below and above 4 GiB on a small machine."""
    vm.boot(vm.guest("malloc100"), machine="q35,max-ram-below-4g=64M", memory="192M").expect(0)


def all_memory_is_for_the_program():
    vm.boot(vm.guest("malloc100"), memory="128M").expect(0)


def cpu(model):
    vm.boot(vm.guest("registers"), cpu=model).expect(0)
    vm.boot(vm.guest("math"), cpu=model).expect(0)


def no_long_mode():
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", vm.guest("hello"))
        result = vm.qemu(image, cpu="qemu32", until=b"C")
        vm.expect("COM1", result.com1, b"C")
        vm.expect("log", result.log, "")


def tests():
    for size in "4M", "8M", "16M", "24M", "64M", "1G", "3G", "16G", "64G":
        yield f"{size} pc", lambda s=size: memory(s)
    for size in "8M", "4G", "16G":
        yield f"{size} q35", lambda s=size: memory(s, "q35")
    for size in "1T", "512G":
        yield f"{size} pc", lambda s=size: memory(s, cpu=BIG)
    yield "unused parts of the image come back", unused_parts_come_back
    yield "16T pc", sixteen_tebibytes
    yield "1T at 4 GiB", lambda: relocated("1T", "Haswell,phys-bits=46", 0x100000000)
    yield "1T moved to 1 TiB", lambda: relocated("1T", "EPYC,phys-bits=46", 0x10000000000)
    yield "64M, half of it above 4 GiB", lambda: memory("64M", "q35,max-ram-below-4g=32M")
    for size in 1, 2, 3, 8, 64, 2048:
        yield f"{size}M in Bochs", lambda s=size: in_bochs(s)
    yield "64G without 1 GiB pages", lambda: memory("64G", cpu="Haswell")
    yield "too little memory", too_little
    yield "memory on both sides of 4 GiB", split_memory
    yield "100 MiB of malloc in 128M", all_memory_is_for_the_program
    for model in "qemu64", "max", "Nehalem", "Haswell", "EPYC", "max,la57=off", "qemu64,nx=off":
        yield f"cpu {model}", lambda m=model: cpu(m)
    yield "cpu qemu32 has no long mode", no_long_mode
