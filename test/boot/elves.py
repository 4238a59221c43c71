"""ELF files of odd shapes: what Linux does with each, vmos does too. The statuses were measured with Linux 6.18;
"python3 test/boot/elves.py" runs all of them on this host and prints where it differs."""
import functools
import pathlib
import struct
import subprocess
import sys
import tempfile

import vm

R, RX, RW, RWX = 4, 5, 6, 7
LOAD, INTERP, STACK = 1, 3, 0x6474E551  # p_type
EXEC, DYN = 2, 3  # e_type
BASE = 0x400000
SIGBUS, SIGSEGV = 135, 139
REFUSED = "refused"  # ENOEXEC, or EINVAL when there is no way back: the program dies before its first instruction
EXIT = "mov eax, 60\nsyscall\n"
EXIT_0 = "xor edi, edi\n" + EXIT


def assemble(source, at):
    with vm.directory() as tmp:
        (tmp / "source").write_text(f"bits 64\ndefault rel\norg {at:#x}\n{source}")
        vm.run(["nasm", "-f", "bin", tmp / "source", "-o", tmp / "code"])
        return (tmp / "code").read_bytes()


def checks(*conditions, before=""):
    """Code that ends with the number of the first comparison that is not equal, from 1 on, or with 0."""
    code = before
    for number, condition in enumerate(conditions, 1):
        code += f"mov edi, {number}\ncmp {condition}\njne end\n"
    return code + "xor edi, edi\nend: " + EXIT


def load(flags, offset, address, filesz, memsz=None, align=0x1000, kind=LOAD):
    return struct.pack("<IIQQQQQQ", kind, flags, offset, address, address, filesz, filesz if memsz is None else memsz, align)


def elf(headers, parts, entry=BASE + 0x1000, kind=EXEC, table=64, ident=b"\x7fELF\2\1\1", phentsize=56, phnum=None,
        sections=(0, 0, 0), size=None):
    """A file of program headers and parts {offset: bytes}. sections: e_shoff, e_shentsize, e_shnum."""
    count = len(headers) if phnum is None else phnum
    header = ident.ljust(16, b"\0") + struct.pack("<HHIQQQIHHHHHH", kind, 62, 1, entry, table, sections[0], 0, 64,
                                                  phentsize, count, sections[1], sections[2], 0)
    parts = [(0, header), (table, b"".join(headers)), *parts.items()]
    file = bytearray(max(at + len(data) for at, data in parts))
    for at, data in parts:
        file[at:at + len(data)] = data
    return bytes(file if size is None else file[:size].ljust(size, b"\0"))


def simple(*more, code=EXIT_0, entry=BASE + 0x1000, first=(), parts=None, **options):
    """Code at 0x401000 from offset 0x1000, with more program headers in front and behind."""
    code = assemble(code, BASE + 0x1000)
    text = load(RX, 0x1000, BASE + 0x1000, len(code))
    return elf([*first, text, *more], {0x1000: code, **(parts or {})}, entry, **options)


def tiny():
    """The program header lies over the end of the ELF header."""
    return assemble(f"""
        db 0x7f, "ELF", 2, 1, 1, 0
        dq 0
        dw 2, 62
        dd 1
        dq start, header - $$, 0
        dd 0
        dw 64, 56
header: dw 1, 0 ; e_phnum, e_shentsize: p_type
        dw 5, 0 ; e_shnum, e_shstrndx: p_flags
        dq 0, $$, $$, size, size, 4096
start:  mov edi, 42
        {EXIT}
size equ $ - $$""", BASE)


def many(count, kind=LOAD):
    last = 0x500000 + 0x2000 * (count - 1)
    code = assemble(checks(f"dword [{last:#x}], 0x22222222") if kind == LOAD else EXIT_0, BASE)
    segments = [load(RW, 0x21000, 0x500000 + 0x2000 * i, 16, 0x1800, kind=kind) for i in range(count)]
    return elf([load(RX, 0x20000, BASE, len(code)), *segments], {0x20000: code, 0x21000: b"\x22" * 16}, BASE)


def aligned(align):
    code = assemble(f"lea rax, [rel $$]\nmov rcx, {align - 1:#x}\nand rax, rcx\n" + checks("rax, 0"), 0)
    return elf([load(RX, 0x1000, 0, 0x100, align=align)], {0x1000: code.ljust(0x100)}, 0, DYN)


def auxv(want, body):
    """Finds the auxiliary vector's value for a key in rax, then runs body."""
    return f"""
        lea rsi, [rsp + 16]
        mov rcx, [rsp]
        lea rsi, [rsi + rcx * 8]
env:    lodsq
        test rax, rax
        jnz env
next:   lodsq
        mov rdx, rax
        lodsq
        cmp edx, {want}
        je found
        test edx, edx
        jnz next
        mov rax, -1
found:  {body}"""


DATA = BASE + 0x2000
NUMBER = struct.pack("<Q", 0x1234567)
PARTS = {0x2000: b"\x11" * 0x1000}
TINY = bytes.fromhex("31ff b83c000000 0f05")  # EXIT_0, which runs anywhere


def break_is(address):
    return f"mov eax, 12\nxor edi, edi\nsyscall\nmov rbx, {address:#x}\nmov edi, 1\ncmp rax, rbx\njb end\n"


def empty():
    """Segments without memory; the break is behind the highest all the same."""
    yield "plain", simple(), 0
    yield "empty at 0, first", simple(first=[load(R, 0x1000, 0, 0)]), 0
    yield "empty at 0, last", simple(load(R, 0x1000, 0, 0)), 0
    yield "empty with a nonsense offset", simple(load(R, 1 << 60, BASE + 0x5123, 0)), 0
    yield "empty in the kernel's half", simple(load(R, 0, 0xFFFF800000000000, 0)), REFUSED
    yield "empty and incongruent", simple(load(RW, 0x1010, DATA, 0)), 0
    code = break_is(BASE + 0x9000) + "xor edi, edi\nend: " + EXIT
    yield "the break is behind an empty one", simple(load(R, 0, BASE + 0x9000, 0), code=code), 0


def overlaps():
    """The later segment wins, page by page."""
    other = assemble("mov edi, 77\n" + EXIT, BASE + 0x1000)
    two = {0x2000: bytes(0x1000), 0x3000: NUMBER * 2}
    store = f"mov dword [{DATA:#x}], 5\n"
    yield "overlap, the later wins", simple(first=[load(RX, 0x2000, BASE + 0x1000, 16)], parts={0x2000: other}), 0
    yield "overlap, the later is not executable", simple(load(R, 0x2000, BASE + 0x1000, 16), parts=two), SIGSEGV
    yield "overlap, the later is writable", simple(load(R, 0x2000, DATA, 0x1000), load(RW, 0x3000, DATA, 16), parts=two,
                                                   code=store + checks(f"dword [{DATA + 8:#x}], 0x1234567")), 0
    yield "overlap, the later is read-only", simple(load(RW, 0x2000, DATA, 0x1000), load(R, 0x3000, DATA, 16), parts=two,
                                                    code=store + EXIT_0), SIGSEGV
    code = checks(f"dword [{DATA + 0x17fc:#x}], 0x22222222", f"dword [{DATA + 0x1800:#x}], 0")
    yield "a segment ends in the middle of another's page", simple(
        load(R, 0x2000, DATA, 0x2000), load(RW, 0x4000, DATA, 0x1800), code=code,
        parts={0x2000: b"\x11" * 0x2000, 0x4000: b"\x22" * 0x1800}), 0
    code = f"mov dword [{DATA + 0x1800:#x}], 0\n" + checks(
        f"dword [{DATA:#x}], 0x22222222", f"dword [{DATA + 0x10:#x}], 0", f"dword [{DATA + 0x1000:#x}], 0",
        f"dword [{DATA + 0x1ffc:#x}], 0", f"dword [{DATA + 0x2000:#x}], 0x11111111")
    yield "bss over another's file bytes", simple(
        load(R, 0x2000, DATA, 0x3000), load(RW, 0x5000, DATA, 0x10, 0x1800), code=code,
        parts={0x2000: b"\x11" * 0x3000, 0x5000: b"\x22" * 0x1000}), 0
    yield "without file bytes, from the middle of another's page", simple(
        load(RW, 0x2000, DATA, 0x10), load(RW, 0, DATA + 0x800, 0, 0x1000), parts=PARTS,
        code=checks(f"dword [{DATA:#x}], 0", f"dword [{DATA + 0x1000:#x}], 0")), 0
    code = checks(f"dword [{DATA + 0x800:#x}], 0x22222222", f"dword [{DATA + 0x500:#x}], 0x11111111",
                  f"dword [{DATA + 0x810:#x}], 0")
    yield "two segments in one page", simple(
        load(RW, 0x2000, DATA, 0x400, 0x700), load(RW, 0x2800, DATA + 0x800, 0x10, 0x1000), code=code,
        parts={0x2000: b"\x11" * 0x800 + b"\x22" * 0x800}), 0


def order():
    code = f"mov dword [{BASE + 0x3ff8:#x}], 5\n" + checks(f"dword [{BASE + 0x5000:#x}], 0x1234567",
                                                           f"dword [{BASE + 0x3000:#x}], 0")
    above = [load(RW, 0x2000, BASE + 0x5000, 8, 0x1000), load(RW, 0, BASE + 0x3000, 0, 0x1000)]
    yield "descending", simple(load(RW, 0, BASE, 0, 0x1000), first=above, code=code, parts={0x2000: NUMBER}), 0
    code = assemble(break_is(BASE + 0x301000) + f"mov byte [{BASE + 0x1FFFF0:#x}], 7\n" +
                    checks(f"dword [{BASE:#x}], 0x464c457f"), BASE + 0x201000)
    segments = [load(RW, 0, BASE, 0x1000, 0x200000), load(RX, 0, BASE + 0x200000, 0x1100, 0x101000)]
    yield "reserved by the first, code above", elf(segments, {0x1000: code.ljust(0x200)}, BASE + 0x201000), 0
    code = assemble(EXIT_0, 0x1000)
    text = load(RX, 0x1000, 0x1000, len(code))
    for name, segments in (("empty first", [load(R, 0, 0, 0), text]), ("bss first", [load(RW, 0, 0, 0, 0x1000), text]),
                           ("descending", [text, load(RW, 0, 0, 0x10)])):
        yield f"moved, {name}", elf(segments, {0x1000: code}, 0x1000, DYN), 0
    for count in 65, 1000:
        yield f"{count} segments", many(count), 0
    yield "1100 notes", many(1100, 4), 0
    yield "1171 headers", many(1170, 4), REFUSED


def alignments():
    """Only a program that is moved is aligned, as far as it can be."""
    for align in 0, 3, 0x1800, 1 << 63, (1 << 64) - 1:
        yield f"p_align {align:#x}", elf([load(RX, 0x1000, BASE, len(TINY), align=align)], {0x1000: TINY}, BASE), 0
    for align in 0x200000, 1 << 30, 1 << 32, 1 << 40:
        yield f"moved, p_align {align:#x}", aligned(align), 0
    for align in 3, 1 << 46, 1 << 47, 1 << 63:
        yield f"moved, p_align {align:#x}", elf([load(RX, 0x1000, 0, 64, align=align)], {0x1000: TINY}, 0, DYN), 0
    for base in 0x401000, 0x7F0000401000:
        yield f"moved, from {base:#x}", elf([load(RX, 0x1000, base, 64)], {0x1000: TINY}, base, DYN), 0


def headers():
    yield "header table over the ELF header", tiny(), 42
    yield "header table at an odd place, at the end", elf([load(RX, 0x1000, BASE, len(TINY))], {0x1000: TINY}, BASE,
                                                          table=0x1235), 0
    for name, ident in ("EI_CLASS 0", b""), ("EI_CLASS 1", b"\1\1\1"), ("EI_DATA 2", b"\2\2\1"), ("EI_OSABI 9", b"\2\1\1\x09"):
        yield name, simple(ident=b"\x7fELF" + ident), 0
    for size in 32, 64:
        yield f"e_phentsize {size}", simple(phentsize=size), REFUSED
    yield "e_phnum 0", simple(phnum=0), REFUSED
    yield "section headers of nonsense", simple(sections=(1 << 62, 17, 9)), 0
    yield "no segment", elf([load(R, 0, 0, 0, kind=4)], {}, BASE), REFUSED
    yield "interpreter", simple(load(R, 0x2000, 0, 16, kind=INTERP), parts={0x2000: b"/lib/nobody.so.1"}), REFUSED
    yield "incongruent", simple(load(R, 0x2010, DATA, 0x10), parts=PARTS), REFUSED
    yield "p_filesz > p_memsz", simple(load(R, 0x2000, DATA, 0x10, 0xF), parts=PARTS), REFUSED
    yield "p_filesz 2^64 - 1", simple(load(R, 0x2000, DATA, (1 << 64) - 1)), REFUSED
    yield "p_memsz 2^47", simple(load(RW, 0x2000, DATA, 0, 1 << 47)), REFUSED
    yield "p_offset 2^63", simple(load(R, 1 << 63, DATA, 0x10)), REFUSED


def entries():
    yield "entry outside of any segment", simple(entry=BASE + 0x100000), SIGSEGV
    yield "entry at 0", simple(entry=0), SIGSEGV
    yield "entry in data", simple(load(R, 0x2000, DATA, 16), parts=PARTS, entry=DATA), SIGSEGV
    yield "entry behind p_memsz, in its page", simple(entry=BASE + 0x1800, parts={0x1800: TINY}), 0
    yield "entry in the kernel's half", simple(entry=0xFFFFFFFF80000000), SIGSEGV
    yield "entry at no address", simple(entry=0x1234567890ABCDEF), SIGSEGV
    yield "no code", elf([load(R, 0x1000, BASE, len(TINY))], {0x1000: TINY}, BASE), SIGSEGV


def past_the_end():
    """Pages that the file does not have; what its last page lacks is zero."""
    def file(where, flags=R, memsz=0x3000):
        code = assemble(checks(f"byte [{where:#x}], 0"), BASE)
        return elf([load(RX, 0x1000, BASE, len(code)), load(flags, 0x2000, DATA, 0x3000, memsz)],
                   {0x1000: code, 0x2000: b"abc"}, BASE)

    yield "past the end, last page", file(DATA + 0x100), 0
    yield "past the end, next page", file(DATA + 0x1000), SIGBUS
    yield "past the end, writable", file(DATA + 0x100, RW), 0
    yield "past the end, writable, next page", file(DATA + 0x1000, RW), SIGBUS
    yield "past the end, bss in pages of the file", file(DATA + 0x100, RW, 0x4000), 0
    for flags, wanted in (RW, REFUSED), (R, 0):
        yield f"past the end, bss in a page past it, flags {flags}", simple(load(flags, 0x2000, DATA, 0x1800, 0x3000),
                                                                            parts={0x2000: b"a"}), wanted
    past = load(R, 0x20000, BASE + 0x20000, 0x1000)
    yield "wholly past the end", simple(past), 0
    code = f"mov edi, {BASE + 0x20000:#x}\nmov esi, 4096\nmov edx, 3\nmov eax, 10\nsyscall\nmov byte [rdi], 5\n"
    yield "past the end, touched after its rights changed", simple(past, code=code + EXIT_0), SIGBUS
    yield "past the end, given to a call", simple(past, code=WRITES.format(BASE + 0x20000)), 14


def rights():
    """What lies behind p_filesz, and who may use it."""
    for flags, memsz, wanted in ((R, 0x200, 0x55AA55AA), (RX, 0x200, 0x55AA55AA), (RW, 0x200, 0x55AA55AA),
                                 (R, 0x3000, 0x55AA55AA), (RW, 0x3000, 0), (RW, 0x210, 0)):
        code = checks(f"dword [{DATA + 0x800:#x}], {wanted:#x}", f"dword [{DATA + 0x1fc:#x}], 0x11111111")
        parts = {0x2000: b"\x11" * 0x800 + struct.pack("<I", 0x55AA55AA)}
        yield f"tail, flags {flags}, {memsz:#x} bytes", simple(load(flags, 0x2000, DATA, 0x200, memsz), code=code, parts=parts), 0
    store = "mov byte [{:#x}], 5\n" + EXIT_0
    bss = load(R, 0x2000, DATA, 0x10, 0x3000)
    yield "bss of a read-only segment is writable", simple(bss, parts=PARTS, code=store.format(DATA + 0x1000)), 0
    yield "its file bytes are not", simple(bss, parts=PARTS, code=store.format(DATA)), SIGSEGV
    yield "bss without rights is writable", simple(load(0, 0, DATA, 0, 0x3000), code=store.format(DATA + 0x1000)), 0
    run = f"mov dword [{DATA + 0x1000:#x}], 0x00c3c031\nmov eax, {DATA + 0x1000:#x}\ncall rax\n" + EXIT_0
    for flags, wanted in (RX, 0), (RW, SIGSEGV):
        yield f"bss is executed, flags {flags}", simple(load(flags, 0x2000, DATA, 0x10, 0x3000), parts=PARTS, code=run), wanted
    yield "no rights at all", simple(load(0, 0x2000, DATA, 0x10), parts=PARTS, code=checks(f"byte [{DATA:#x}], 0x11")), SIGSEGV
    run = "sub rsp, 64\nmov dword [rsp], 0x00c3c031\ncall rsp\n" + EXIT_0
    plain, executable = load(RW, 0, 0, 0, kind=STACK), load(RWX, 0, 0, 0, kind=STACK)
    yield "no PT_GNU_STACK", simple(code=run), SIGSEGV
    yield "PT_GNU_STACK RWX", simple(executable, code=run), 0
    yield "two of PT_GNU_STACK, the last wins", simple(executable, plain, code=run), SIGSEGV


def program_headers():
    """AT_PHDR is where the last segment that holds the headers has them."""
    def code(address):
        return auxv(3, checks(f"rax, {address:#x}"))

    one, other = load(R, 0, BASE + 0x5000, 0x1000), load(R, 0, BASE + 0x7000, 0x1000)
    yield "AT_PHDR, headers in no segment", simple(code=code(0)), 0
    yield "AT_PHDR, headers in the second", simple(one, code=code(BASE + 0x5040)), 0
    yield "AT_PHDR, headers in two", simple(one, other, code=code(BASE + 0x7040)), 0


VSYSCALL = 0xFFFFFFFFFF600000
WRITES = "mov edi, 1\nmov rsi, {:#x}\nmov edx, 1\nmov eax, 1\nsyscall\nmov edi, eax\nneg edi\n" + EXIT


def vsyscall(offset, before="", how="call"):
    return f"xor edi, edi\nxor esi, esi\n{before}mov rax, {VSYSCALL + offset:#x}\n{how} rax\n"


def vsyscalls():
    """The three entries of the page, which can only be jumped to."""
    room = "sub rsp, 32\nmov dword [rsp], -1\nmov rdi, rsp\n"
    yield "vsyscall time", simple(code=vsyscall(0x400) + "mov edi, 1\ncmp rax, 1500000000\njb end\nxor edi, edi\nend: " + EXIT), 0
    yield "vsyscall time, stored", simple(code=vsyscall(0x400, room) + checks("rax, [rsp]")), 0
    code = vsyscall(0, room) + "mov rbx, rax\nmov eax, 201\nxor edi, edi\nsyscall\nsub rax, [rsp]\n" # time
    yield "vsyscall gettimeofday", simple(code=code + checks("ebx, 0", "eax, 0")), 0
    code = vsyscall(0x800, room + "mov edx, 99\n") + "mov ebx, [rsp]\nshr ebx, 16\n"
    yield "vsyscall getcpu", simple(code=code + checks("eax, 0", "edx, 99", "ebx, 0")), 0
    yield "vsyscall, all NULL", simple(code=vsyscall(0) + vsyscall(0x800) + checks("rax, 0")), 0
    code = "lea rax, [there]\npush rax\n" + vsyscall(0x400, f"mov rax, {VSYSCALL:#x}\npush rax\n", "jmp")
    yield "vsyscall, returned to", simple(code=code + "there: mov edi, eax\n" + EXIT), 0
    for offset in 0xC00, 1, 0x401, 0x1000:
        yield f"vsyscall, no entry at {offset:#x}", simple(code=vsyscall(offset) + EXIT_0), SIGSEGV
    for name, access in ("read", "mov al, [rax]\n"), ("written", "mov [rax], al\n"):
        yield f"vsyscall, {name}", simple(code=f"mov rax, {VSYSCALL:#x}\n{access}" + EXIT_0), SIGSEGV
    yield "vsyscall, given to a call", simple(code=WRITES.format(VSYSCALL)), 14
    for name, before in (("bad pointer", "mov edi, 8\n"), ("bad second pointer", f"mov rsi, {VSYSCALL:#x}\n"),
                         ("bad stack", "xor esp, esp\n")):
        offset = 0 if "second" in name else 0x400
        yield f"vsyscall, {name}", simple(code=vsyscall(offset, before, "jmp") + EXIT_0), SIGSEGV
    for name, address in ("no address", 0x123456789ABCDEF0), ("the kernel", 0xFFFFFFFF80000000):
        code = vsyscall(0x400, f"mov rax, {address:#x}\npush rax\n", "jmp")
        yield f"vsyscall, returns to {name}", simple(code=code), SIGSEGV


def linked_at(address):
    code = assemble(EXIT_0, address)
    return elf([load(RX, 0x1000, address, len(code))], {0x1000: code}, address)


def places():
    yield "16 MiB below the end", linked_at(0x7FFFFF000000), 0


def under_the_stack():
    """Where vmos's stack begins nothing can be linked, and it says where it can."""
    with vm.directory() as tmp:
        (tmp / "program").write_bytes(linked_at(0x7FFFFFFFD000))
        result = vm.boot(tmp / "program", memory="32M")
        result.expect_unfit(
            "the program is linked for 0x7fffffffd000 to 0x7fffffffe000, and it can only lie between 0x1000 and 0x7fffffedc000")


def files():
    """Name, file, status."""
    for group in (empty, overlaps, order, alignments, headers, entries, past_the_end, rights, program_headers, places,
                  vsyscalls):
        yield from group()


def native(data):
    """The status that a shell would show, or REFUSED."""
    with tempfile.TemporaryDirectory() as tmp:
        path = pathlib.Path(tmp) / "program"
        path.write_bytes(data)
        path.chmod(0o755)
        try:
            status = subprocess.run([path], timeout=10, stdout=subprocess.PIPE).returncode
        except OSError:
            return REFUSED
        return status if status >= 0 else 128 - status


def boots(data):
    """The same inside."""
    with vm.directory() as tmp:
        (tmp / "program").write_bytes(data)
        try:
            image = vm.mkimage(tmp / "disk.img", tmp / "program")
        except vm.Failed as failure:
            vm.expect_in("what mkimage said", "mkimage: ", str(failure))
            return REFUSED
        return vm.qemu(image, memory="32M").status


SOON = [  # those that show most; the others are for "all"
    "16 MiB below the end",
    "empty at 0, first", "overlap, the later wins", "overlap, the later is writable", "bss over another's file bytes",
    "without file bytes, from the middle of another's page", "descending", "moved, p_align 0x40000000", "moved, descending",
    "header table over the ELF header", "EI_CLASS 0", "65 segments", "entry at no address", "past the end, last page",
    "past the end, touched after its rights changed", "tail, flags 5, 0x200 bytes", "tail, flags 6, 0x210 bytes",
    "bss of a read-only segment is writable", "no rights at all", "no PT_GNU_STACK", "AT_PHDR, headers in two",
    "vsyscall gettimeofday", "vsyscall getcpu", "vsyscall, returned to", "vsyscall, no entry at 0x401", "vsyscall, read",
    "vsyscall, bad pointer", "vsyscall, bad stack", "vsyscall, returns to no address", "incongruent", "interpreter"]


@functools.cache
def table():
    return {name: (file, wanted) for name, file, wanted in files()}


def check(name):
    file, wanted = table()[name]
    vm.expect("status", boots(file), wanted)


def tests():
    yield "under the stack", under_the_stack
    for name in SOON:
        yield name, lambda name=name: check(name)


def more_tests():
    for name in table():
        if name not in SOON:
            yield name, lambda name=name: check(name)


if __name__ == "__main__":
    wrong = 0
    for title, file, wanted in files():
        got = native(file)
        if got != wanted and (got, wanted) != (SIGSEGV, REFUSED): # without a way back it is ended by SIGSEGV
            wrong += 1
            print(f"{title}: {got}, expected {wanted}")
    sys.exit(bool(wrong))
