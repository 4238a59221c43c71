"""Memory from too little to 64 GiB, and CPUs from too old to the newest."""
import re

import vm


def memory(size, machine="pc", **more):
    extra = []
    if size.endswith("G") and int(size[:-1]) > 3:  # the host need not have it
        extra = ["-object", f"memory-backend-ram,id=m0,size={size},reserve=off"]
        machine += ",memory-backend=m0"
    result = vm.boot(vm.guest("hello"), memory=size, machine=machine, extra=extra, name="hello", **more)
    result.expect(0, b"hello\narg hello\n")
    usable = re.search(r"memory: (\d+) KiB usable", result.log)
    if not usable:
        raise vm.Failed(f"the log does not say how much memory is usable: {result.log!r}")
    given = int(size[:-1]) * {"M": 1 << 10, "G": 1 << 20}[size[-1]]
    if not given - 1024 <= int(usable[1]) <= given:
        raise vm.Failed(f"{usable[1]} KiB usable of {given}")


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
    yield "64G without 1 GiB pages", lambda: memory("64G", cpu="Haswell")
    yield "too little memory", too_little
    yield "memory on both sides of 4 GiB", split_memory
    yield "100 MiB of malloc in 128M", all_memory_is_for_the_program
    for model in "qemu64", "max", "Nehalem", "Haswell", "EPYC", "max,la57=off", "qemu64,nx=off":
        yield f"cpu {model}", lambda m=model: cpu(m)
    yield "cpu qemu32 has no long mode", no_long_mode
