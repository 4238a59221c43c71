"""Which CPUs and I/O APICs the firmware's tables give, in QEMU and Bochs."""
import vm


def qemu(machine, extra, *lines):
    def test():
        log = vm.boot(vm.guest("hello"), machine=machine, extra=extra.split(), name="hello").expect(0).log
        for line in lines:
            vm.expect_in("the log", f"vmos: {line}\n", log)
    return test


def bochs():
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", vm.guest("hello"), name="hello")
        log = vm.bochs(image, cpu="corei7_haswell_4770").expect(0).log
        vm.expect_in("the log", "vmos: ACPI: CPUs: 1, switched off: 0, I/O APICs: 1\n", log)


PCI = "ACPI: PCI configuration space of segment 0, buses 0-255, at 0xb0000000"
NODES = ("-smp 4,maxcpus=6 -object memory-backend-ram,id=a,size=96M -object memory-backend-ram,id=b,size=160M "
         "-numa node,cpus=0-2,memdev=a -numa node,cpus=3-5,memdev=b")


def tests():
    yield "pc, 4 CPUs", qemu("pc", "-smp 4", "ACPI: CPUs: 4, switched off: 0, I/O APICs: 1")
    yield "q35, 255 CPUs", qemu("q35", "-smp 255", "ACPI: CPUs: 255, switched off: 0, I/O APICs: 1", PCI)
    yield "q35, two nodes", qemu("q35", NODES, "ACPI: CPUs: 4, switched off: 2, I/O APICs: 1", PCI,
        "ACPI: 6 CPUs, 255 MiB of memory and 0 MiB that can be unplugged belong to 2 nodes")
    yield "MP table, 3 CPUs", qemu("pc,acpi=off", "-smp 3,sockets=3", "MP table: CPUs: 3, switched off: 0, I/O APICs: 1",
        "ACPI: no root pointer, so no power-off and no PM timer")
    yield "Bochs", bochs
