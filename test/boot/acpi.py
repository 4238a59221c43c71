"""Which CPUs and I/O APICs the firmware's tables give, in QEMU and Bochs."""
import struct

import gdb
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


RESET_FLAG = 1 << 10


def table(machine, address, signature):
    """The bytes of a table."""
    head = machine.physical(address, 8)
    vm.expect(f"the table at {address:#x}", head[:4], signature)
    return bytearray(machine.physical(address, struct.unpack_from("<I", head, 4)[0]))


def poke(machine, address, data):
    machine.gdb.ask("Qqemu.PhyMemMode:1")
    machine.gdb.write(address, bytes(data))
    machine.gdb.ask("Qqemu.PhyMemMode:0")


def reset_by_pci():
    """A FADT whose RESET_REG is byte 45h of function 3 of device 31, on a machine without a keyboard controller."""
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", vm.guest("hello"), words=["after=reboot"])
        trace = ["-trace", f"pci_cfg_write,file={tmp}/trace"]
        with gdb.Stopped(image, machine="q35,i8042=off", medium="ahci", extra=trace) as machine:
            machine.connect()
            machine.gdb.run_to("acpi_init")
            rsdp = machine.physical(machine.gdb["rdi"], 20)
            rsdt_at = struct.unpack_from("<I", rsdp, 16)[0]
            rsdt = table(machine, rsdt_at, b"RSDT")
            facp_at = next(at for at, in struct.iter_unpack("<I", rsdt[36:]) if machine.physical(at, 4) == b"FACP")
            facp = table(machine, facp_at, b"FACP")
            struct.pack_into("<I", facp, 112, struct.unpack_from("<I", facp, 112)[0] | RESET_FLAG)
            struct.pack_into("<4BQB", facp, 116, 2, 8, 0, 1, 0x1F00030045, 0xA6)
            facp[9] = (facp[9] - sum(facp)) & 255
            poke(machine, facp_at, facp)
            machine.gdb.run_to("emulator_exit")  # which does not: as on a PC
            machine.gdb["rip"], machine.gdb["rsp"] = machine.gdb.u64(machine.gdb["rsp"]), machine.gdb["rsp"] + 8
            machine.gdb.go()
            machine.process.wait(vm.HANG)
        vm.expect_in("the writes to PCI", " 00:1f.3 @0x45 <- 0xa6\n", (tmp / "trace").read_text())


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
    yield "reset by PCI", reset_by_pci
    yield "Bochs", bochs
