"""Tests of boot/start.asm alone: a small payload stands for the loader, and for odd firmware a shim stands between the
BIOS and the sector. tests() gives (name, callable) pairs; a callable raises AssertionError if its promise is broken."""
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SECTOR = 512
CD_SECTOR = 2048
CD_DRIVE = 0xe0  # in SeaBIOS
DISK_SIZE = 4 * 516096  # whole cylinders of 16 heads and 63 sectors, as Bochs wants them
FLOPPY_SIZE = 1474560
SHIM_BASE = 2016  # where the real sector lies on a disk that begins with the shim
ORDERLY = 0x10 << 1 | 1  # QEMU's status when the payload ended
STOPPED = 0x20 << 1 | 1  # QEMU's status when the shim saw a letter on the screen

# Says on port E9 what it found: drive, E820 count and sum, control registers, whether tables and sectors are right.
PAYLOAD = r"""
%include "layout.inc"
bits 64
org LOADER
        jmp short start
        times 4 - ($ - $$) db 0
        dd LOADER_MAGIC
start:  mov esp, BOOT_STACK_END
        pushfq
        pop rbp
        cld
        mov al, 10
        out 0xe9, al
        movzx eax, byte [MBR_DRIVE]
        call hex
        mov eax, [E820_MAP]
        call hex
        mov ecx, [E820_MAP]
        imul ecx, ecx, 5
        xor eax, eax
        mov esi, E820_ENTRIES
.sum:   add eax, [rsi]
        add esi, 4
        loop .sum
        call hex
        mov rax, cr0
        call hex
        mov rax, cr4
        call hex
        mov ecx, 0xc0000080
        rdmsr
        call hex
        mov rax, cr3
        call hex
        mov eax, ebp            ; IF
        and eax, 0x200
        call hex
        rdtsc                   ; cycles since the stamp / 65536
        shl rdx, 32
        add rax, rdx
        sub rax, [MBR_TSC]
        shr rax, 16
        call hex
        mov eax, [BOOT_PML4]    ; the tables, without accessed and dirty bits
        and al, 0x9f
        call hex
        mov eax, [BOOT_PDPT]
        and al, 0x9f
        call hex
        mov eax, [BOOT_PD]
        and al, 0x9f
        call hex
        xor eax, eax            ; entries that are not 0 in all three tables
        mov esi, BOOT_PML4
        call count
        mov esi, BOOT_PDPT
        call count
        mov esi, BOOT_PD
        call count
        call hex
        xor eax, eax            ; sectors that are not what was built
        mov esi, LOADER + 512
        mov ecx, 2
.next:  cmp ecx, LOADER_SECTORS
        ja .done
        cmp [rsi], ecx
        setne dl
        movzx edx, dl
        add eax, edx
        cmp [rsi + 504], ecx
        setne dl
        movzx edx, dl
        add eax, edx
        add esi, 512
        inc ecx
        jmp .next
.done:  call hex
        mov eax, [MBR_CD]
        call hex
        mov al, 'K'
        out 0xe9, al
        mov al, 10
        out 0xe9, al
        mov al, 0x10
        out 0xf4, al
        mov esi, shutdown
        mov ecx, 8
        mov edx, 0x8900
        rep outsb
        hlt
count:  mov ecx, 512
.next:  cmp qword [rsi], 1
        sbb ebx, ebx
        inc ebx
        add eax, ebx
        add esi, 8
        loop .next
        ret
hex:    mov ebx, eax
        mov ecx, 8
.digit: rol ebx, 4
        mov al, bl
        and al, 15
        add al, '0'
        cmp al, '9'
        jbe .out
        add al, 'a' - '9' - 1
.out:   out 0xe9, al
        loop .digit
        mov al, ' '
        out 0xe9, al
        ret
shutdown: db "Shutdown"
        times 508 - ($ - $$) db 0
%if LOADER_SECTORS > 1
        dd 0
    %assign sector 2
    %rep LOADER_SECTORS - 1
        dd sector
        times 500 db 0xa5
        dd sector
        %if sector < LOADER_SECTORS
        dd 0
        %endif
        %assign sector sector + 1
    %endrep
%endif
        dd LOADER_END_MAGIC ^ SPOIL_END
"""

# Boots from LBA 0, hooks int 10h, 13h and 15h, loads the real sector from SHIM_BASE and starts it with odd registers.
# Disk calls for drives 00 and 80h are served by EDD calls on the real drive; with CD, those for START_DL, by EDD and in
# sectors of 2048 bytes. Trace on port E9: e = EDD read, c = CHS read, g = geometry, r = reset, m = E820 call, a = A20,
# <X> = letter on the screen.
SHIM = r"""
%include "layout.inc"
bits 16
org 0
HOME equ 0x6000
        mov ax, 0x7c0
        mov ds, ax
        mov ah, 0x42
        mov dl, 0x80
        mov si, packet
        int 0x13
        jmp HOME:main
packet: dw 16, 4, 0, HOME
        dq 0
        times 510 - ($ - $$) db 0
        dw 0xaa55

main:   mov ax, cs
        mov ds, ax
        xor ax, ax
        mov es, ax
%macro hook 1
        mov eax, [es:%1 * 4]
        mov [old%1], eax
        mov word [es:%1 * 4], new%1
        mov [es:%1 * 4 + 2], cs
%endmacro
        mov word [packet + 2], 1
        mov word [packet + 4], MBR
        mov word [packet + 6], 0
        mov dword [packet + 8], SHIM_BASE
        mov ah, 0x42
        mov dl, 0x80
        mov si, packet
        int 0x13
        hook 0x10
        hook 0x13
        hook 0x15
%ifdef STALE                            ; what a loader left in memory before a warm start
        mov ax, (LOADER + LOADER_SECTORS * 512 - 16) >> 4
        mov fs, ax
        mov dword [fs:12], LOADER_END_MAGIC
        mov dword [es:LOADER + 4], LOADER_MAGIC
%endif
%ifdef WRITE_BPB
        mov byte [es:MBR + 0x15], 0xf9
        mov dword [es:MBR + 0x1c], 0xffffffff
        mov byte [es:MBR + 0x24], 0x29
%endif
        push START_FLAGS
        popf
        mov ax, 0x5000
        mov ss, ax
        mov esp, 0xdead1235
        mov ax, 0xdead
        mov ds, ax
        mov es, ax
        mov fs, ax
        mov gs, ax
        mov eax, 0xdeadbeef
        mov ebx, eax
        mov ecx, eax
        mov edx, (0xdeadbe00 | START_DL)
        mov esi, eax
        mov edi, eax
        mov ebp, eax
        jmp START_CS:MBR - START_CS * 16

%macro say 1
        push ax
        mov al, %1
        out 0xe9, al
        pop ax
%endmacro

new0x10:
        cmp ah, 0x0e
        jne .end
        cmp bh, 0
        jne .end
        say '<'
        out 0xe9, al
        say '>'
        mov al, 0x20
        out 0xf4, al
.end:   iret

new0x13:
        sti
        cld
        cmp ah, 0
        je .reset
%ifdef CD
        cmp dl, START_DL
%else
        cmp dl, 0
        je .known
        cmp dl, 0x80
%endif
        jne bad
.known:
%ifdef DEAD_DRIVE
        cmp dl, DEAD_DRIVE
        je bad
%endif
        cmp ah, 8
        je .geometry
        cmp ah, 2
        je .chs
        cmp ah, 0x42
        jne bad
; ---- EDD
        say 'e'
%ifndef CD
        cmp dl, 0
        je bad
%endif
        mov bp, sp                      ; a disk driver may wait for an interrupt
        test word [bp + 4], 0x200
        jz bad
%ifdef NO_EDD
        jmp bad
%endif
        call failing
        jc bad
        cmp word [si], 16
        jne bad
        cmp word [si + 2], 1            ; 1..64 sectors, 32 KiB
        jb bad
        cmp word [si + 2], 64 >> CD_SHIFT
        ja bad
        cmp dword [si + 12], 0
        jne bad
        pushad
        movzx eax, word [si + 6]        ; a transfer over a 64 KiB line is refused
        shl eax, 4
        movzx ecx, word [si + 4]
        add eax, ecx
        movzx ecx, word [si + 2]
        shl ecx, 9 + CD_SHIFT
        lea ecx, [eax + ecx - 1]
        shr eax, 16
        shr ecx, 16
        cmp ax, cx
        popad
        jne bad
        pushad
        push ds
        mov eax, [si + 2]
        shl ax, CD_SHIFT
        mov [cs:packet + 2], eax
        mov ax, [si + 6]
        mov [cs:packet + 6], ax
        mov eax, [si + 8]
        shl eax, CD_SHIFT
        jmp transfer
.reset: say 'r'
        xor ax, ax
        jmp leave
.geometry:
        say 'g'
%ifdef NO_GEOMETRY
        jmp bad
%endif
        mov cx, SPT & 0x3f
        mov dx, (HEADS - 1) << 8 | 1
        mov bx, 0xdead
        mov si, bx
        mov di, bx
        mov es, bx
        mov ax, 0
%ifdef CF_GEOMETRY
        stc
        retf 2
%endif
        clc
        retf 2
.chs:   say 'c'
%ifdef CD
        jmp bad
%endif
        call failing
        jc bad
        cmp al, 1
        jne bad
        pushad
        push ds
        mov [cs:packet + 4], bx
        mov [cs:packet + 6], es
        mov word [cs:packet + 2], 1
        movzx eax, ch
        movzx ebx, dh
        movzx ecx, cl
        cmp ecx, SPT
        ja .outside
        cmp ecx, 1
        jb .outside
        cmp ebx, HEADS
        jae .outside
        imul eax, eax, HEADS
        add eax, ebx
        imul eax, eax, SPT
        lea eax, [eax + ecx - 1]
        jmp transfer
.outside:
        pop ds
        popad
        jmp bad
transfer:
%ifdef STALE                            ; "success", but nothing arrives
        pop ds
        popad
        jmp leave
%endif
        add eax, SHIM_BASE
        mov [cs:packet + 8], eax
        mov ax, cs
        mov ds, ax
        mov si, packet
        mov dl, 0x80
        mov ah, 0x42
        pushf
        call far [old0x13]
        pop ds
        popad
        mov ah, 0
        jnc leave
bad:    mov ah, 1
        stc
        retf 2
leave:
%ifdef TRASH
        mov ebx, 0xdead0000
        mov ecx, ebx
        mov edx, ebx
        mov esi, ebx
        mov edi, ebx
        mov ebp, ebx
        mov es, cx
        std
        cli
%endif
        clc
        retf 2
failing:                                ; CF = this read is to fail
        inc word [cs:reads]
        cmp word [cs:reads], FAIL_FROM
        jb .no
        cmp word [cs:reads], FAIL_TO
        ja .no
        stc
        ret
.no:    clc
        ret

new0x15:
        cmp ax, 0xe820
        je .map
        cmp ax, 0x2401
        jne .chain
        say 'a'
.chain: pushf
        call far [cs:old0x15]
.trash: mov edx, 0xdeadbeef
        mov esi, edx
        mov ebp, edx
        mov es, dx
        sti
        std
        retf 2
.map:   say 'm'
        cmp edx, 0x534d4150
        jne .missing
        cmp ecx, 20
        jne .missing
%ifdef MAP_MISSING
        jmp .missing
%endif
%ifndef MAP_ENTRIES
        jmp .chain
%else
        push edi
        mov edi, ebx
        shl edi, 20
        mov esi, edi
        pop edi
        mov [es:di], esi                ; entry n: n MiB, 7 bytes, type 3. Only what differs from entry 0 is written
        cmp ebx, 0
        jne .same
        mov dword [es:di + 4], 0
        mov dword [es:di + 8], 7
        mov dword [es:di + 12], 0
        mov dword [es:di + 16], 3
.same:
    %ifdef MAP_SIGNATURE_LOST
        cmp ebx, MAP_SIGNATURE_LOST
        jne .kept
        mov edx, 0
        inc ebx
        clc
        jmp .reply
.kept:
    %endif
    %ifdef MAP_ENDS_BY_CF
        cmp ebx, MAP_ENTRIES
        je .missing
        inc ebx
    %else
        inc ebx
        cmp ebx, MAP_ENTRIES
        jne .more
        xor ebx, ebx
.more:
    %endif
.reply: mov eax, edx
        mov ecx, 0xdead0014
        clc
        jmp .trash
%endif
.missing:
        mov eax, 0x8600
        xor ebx, ebx
        stc
        jmp .trash
old0x10: dd 0
old0x13: dd 0
old0x15: dd 0
reads:  dw 0
        times 2048 - ($ - $$) db 0
"""

FIELDS = ["drive", "count", "sum", "cr0", "cr4", "efer", "cr3", "flags", "cycles", "pml4", "pdpt", "pd", "entries",
          "wrong", "cd"]
PROMISED = {"cr0": 0x80000011, "cr4": 0x20, "efer": 0x500, "cr3": 0x1000, "flags": 0, "pml4": 0x2003,
            "pdpt": 0x6003, "pd": 0x83, "entries": 3, "wrong": 0, "cd": 0}


def assemble(folder, name, text=None, **defines):
    source = os.path.join(ROOT, "boot", name + ".asm")
    if text is not None:
        source = os.path.join(folder, name + ".asm")
        with open(source, "w") as out:
            out.write(text)
    layout = os.path.join(folder, "layout.inc")
    with open(os.path.join(ROOT, "boot", "layout.h")) as header, open(layout, "w") as out:
        for line in header:
            if line.startswith("#define"):
                out.write(line.replace("//", ";").replace("#define", "%define", 1))
    binary = os.path.join(folder, name + ".bin")
    arguments = ["-D%s=%s" % item for item in defines.items()]
    subprocess.run(["nasm", "-f", "bin", "-I" + folder + "/", *arguments, source, "-o", binary], check=True, timeout=60)
    with open(binary, "rb") as data:
        return data.read()


def constant(name):
    """A number of boot/layout.h."""
    with open(os.path.join(ROOT, "boot", "layout.h")) as header:
        return int(re.search(r"(?m)^#define %s +(\w+)" % name, header.read())[1], 0)


def iso(folder):
    """The bytes of a CD of ours."""
    path = os.path.join(folder, "disk")
    subprocess.run([*"out/mkimage --mbr out/start.bin --loader out/loader.bin --kernel out/kernel.strip --program".split(),
                    "out/demo", "--disk", path, "--cd", path + ".iso", "--cd-mbr", "out/start-cd.bin", "--", "demo"],
                   check=True, timeout=60, cwd=ROOT)
    with open(path + ".iso", "rb") as data:
        return data.read()


def image(folder, size, sectors=3, spoil=(0, 0), shim=None, cd=False):
    """The sector and the payload in an image file; with shim, a dict of its settings, the shim at LBA 0 before them. cd:
    the sector for CDs, and the payload where a CD has the loader."""
    mbr = bytearray(assemble(folder, "start", LOADER_SECTORS=sectors, **({"CD": 1} if cd else {})))
    assert len(mbr) == SECTOR, "start.asm is %d bytes" % len(mbr)
    assert mbr[0x1b8:0x1bc] != bytes(4), "no disk signature"
    payload = bytearray(assemble(folder, "payload", PAYLOAD, LOADER_SECTORS=sectors, SPOIL_END=spoil[1]))
    assert len(payload) == sectors * SECTOR, "payload is %d bytes" % len(payload)
    payload[4] ^= spoil[0]
    mbr[446:462] = struct.pack("<B3sB3sII", 0x80, b"\0\2\0", 0x7f, b"\xfe\xff\xff", 1, sectors)
    data = bytearray(size)
    start = 0
    if shim is not None:
        settings = dict(SHIM_BASE=SHIM_BASE, START_FLAGS=0x202, START_DL=0x80, START_CS=0, SPT=63, HEADS=16,
                        FAIL_FROM=1, FAIL_TO=0, LOADER_SECTORS=sectors, CD_SHIFT=2 if cd else 0)
        settings.update(shim, **({"CD": 1} if cd else {}))
        code = assemble(folder, "shim", SHIM, **settings)
        data[:len(code)] = code
        start = SHIM_BASE * SECTOR
    loader = start + (constant("CD_LOADER") * CD_SECTOR if cd else SECTOR)
    if cd and shim is None:
        data = bytearray(iso(folder))
        start = constant("CD_BOOT") * CD_SECTOR
    data[start:start + SECTOR] = mbr
    data[loader:loader + len(payload)] = payload
    path = os.path.join(folder, "image")
    with open(path, "wb") as out:
        out.write(data)
    return path


def run(command, folder, until=None, limit=40):
    """Runs to the end, or until the function says so; gives status (None: still running), port E9, COM1."""
    files = {name: os.path.join(folder, name) for name in ("e9", "com1")}
    for path in files.values():
        open(path, "wb").close()

    def read(name):
        with open(files[name], "rb") as data:
            return data.read().decode("latin-1")
    with open(os.path.join(folder, "err"), "wb") as errors, open(os.path.join(folder, "out"), "wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, cwd=folder,
                                   env=dict(os.environ, TERM="xterm"))
        deadline = time.monotonic() + limit
        while process.poll() is None and time.monotonic() < deadline:
            if until and until(read("com1")):
                time.sleep(0.3)
                break
            time.sleep(0.02)
        status = process.poll()
        if status is None:
            process.kill()
            process.wait()
    return status, read("e9"), read("com1")


def qemu(folder, *arguments, machine="pc", cpu="max", until=None, limit=40):
    return run(["qemu-system-x86_64", "-accel", "tcg", "-display", "none", "-nodefaults", "-no-user-config", "-monitor",
                "none", "-no-reboot", "-m", "32", "-M", machine, "-cpu", cpu, "-serial", "file:com1", "-chardev",
                "file,id=e9,path=e9", "-device", "isa-debugcon,iobase=0xe9,chardev=e9", "-device",
                "isa-debug-exit,iobase=0xf4,iosize=4", *arguments], folder, until, limit)


def report(text):
    """What the payload said, or None."""
    match = re.search(r"((?:[0-9a-f]{8} ){%d})K" % len(FIELDS), text)
    return dict(zip(FIELDS, (int(word, 16) for word in match.group(1).split()))) if match else None


def check_report(text, drive, status=None, **more):
    said = report(text)
    assert said, "the payload was not reached; status %s, port E9: %r" % (status, text[-400:])
    for name, value in dict(PROMISED, drive=drive, **more).items():
        assert said[name] == value, "%s is %#x, not %#x" % (name, said[name], value)
    assert said["cycles"] < 1 << 24, "%#x0000 cycles since the start" % said["cycles"]
    assert said["count"] >= 3, "only %d E820 entries" % said["count"]
    return said


MEDIA = {
    "cd ide": ("pc", CD_DRIVE, ["-drive", "file=image,format=raw,if=ide,media=cdrom"]),
    "cd usb": ("q35", CD_DRIVE, ["-device", "qemu-xhci,id=u", "-drive", "file=image,format=raw,if=none,id=d,media=cdrom",
                                 "-device", "usb-storage,drive=d,bus=u.0"]),
    "floppy": ("pc", 0x00, ["-drive", "file=image,format=raw,if=floppy"]),
    "floppy q35": ("q35", 0x00, ["-device", "isa-fdc,id=f", "-drive", "if=none,id=d,format=raw,file=image", "-device",
                                 "floppy,drive=d"]),
    "ide": ("pc", 0x80, ["-drive", "file=image,format=raw,if=ide"]),
    "ahci": ("q35", 0x80, ["-drive", "file=image,format=raw,if=ide"]),
    "virtio-blk": ("pc", 0x80, ["-drive", "file=image,format=raw,if=virtio"]),
    "nvme": ("q35", 0x80, ["-drive", "file=image,format=raw,if=none,id=d", "-device", "nvme,drive=d,serial=1"]),
    "usb xhci": ("q35", 0x80, ["-device", "qemu-xhci,id=u", "-drive", "file=image,format=raw,if=none,id=d", "-device",
                               "usb-storage,drive=d,bus=u.0"]),
}


def boots(medium, sectors=3, cpu="max"):
    machine, drive, arguments = MEDIA[medium]
    cd = drive == CD_DRIVE
    with tempfile.TemporaryDirectory() as folder:
        image(folder, FLOPPY_SIZE if drive == 0 else DISK_SIZE, sectors, cd=cd)
        status, text, serial = qemu(folder, *arguments, machine=machine, cpu=cpu)
        check_report(text, drive, status, cd=constant("CD_IMAGE") if cd else 0)
        assert status == ORDERLY and serial == "", "status %s, COM1 %r" % (status, serial)


def stops(letter, medium="ide", cpu="max", size=None, **arguments):
    """The letter comes once on COM1, and the machine neither goes on nor starts anew."""
    machine, drive, drives = MEDIA[medium]
    with tempfile.TemporaryDirectory() as folder:
        path = image(folder, DISK_SIZE if drive else FLOPPY_SIZE, cd=drive == CD_DRIVE, **arguments)
        if size:
            os.truncate(path, size)
        status, text, serial = qemu(folder, *drives, machine=machine, cpu=cpu, until=lambda said: said != "")
        assert (status, serial) == (None, letter), "status %s, COM1 %r, port E9 %r" % (status, serial, text)


def time_stamp():
    """With one cycle per instruction the sector takes thousands of cycles, not millions."""
    with tempfile.TemporaryDirectory() as folder:
        image(folder, DISK_SIZE)
        status, text, _ = qemu(folder, *MEDIA["virtio-blk"][2], "-icount", "shift=0,sleep=off")
        said = check_report(text, 0x80, status)
        assert said["cycles"] < 8, "%#x0000 cycles since the start" % said["cycles"]


def restarts():
    """Ctrl-Alt-Del works after a letter: QEMU ends by itself, since -no-reboot stands for a restart."""
    with tempfile.TemporaryDirectory() as folder:
        image(folder, DISK_SIZE, spoil=(1, 0))
        keys = "-chardev socket,id=m,path=keys,server=on,wait=off -mon chardev=m".split()

        def press(said):
            if said:
                time.sleep(0.1)
                with socket.socket(socket.AF_UNIX) as monitor:
                    monitor.settimeout(20)
                    monitor.connect(os.path.join(folder, "keys"))
                    monitor.sendall(b"sendkey ctrl-alt-delete\n")
                    while monitor.recv(4096):  # to QEMU's end; an earlier hanging up may take the line along
                        pass
            return said
        status, _, serial = qemu(folder, *MEDIA["ide"][2], *keys, until=press)
        assert (status, serial) == (0, "L"), "status %s, COM1 %r" % (status, serial)


def shim(settings, trace=".*", drive=0x80, sectors=3, cd=False, **more):
    """The sector behind the shim gets through, and its BIOS calls look like the trace."""
    more["cd"] = constant("CD_IMAGE") if cd else 0
    with tempfile.TemporaryDirectory() as folder:
        image(folder, DISK_SIZE, sectors, shim=settings, cd=cd)
        status, text, serial = qemu(folder, *MEDIA["virtio-blk"][2], limit=20)
        check_report(text, drive, status, **more)
        calls = text.split("\n")[0]
        assert re.fullmatch(trace + "a", calls), "BIOS calls were %r, not like %r" % (calls, trace)
        assert status == ORDERLY and serial == "", "status %s, COM1 %r" % (status, serial)


def shim_stops(letter, settings, trace=".*", sectors=3, **arguments):
    with tempfile.TemporaryDirectory() as folder:
        image(folder, DISK_SIZE, sectors, shim=settings, **arguments)
        status, text, serial = qemu(folder, *MEDIA["virtio-blk"][2], limit=20)
        assert (status, serial) == (STOPPED, letter), "status %s, COM1 %r, port E9 %r" % (status, serial, text[-400:])
        assert re.fullmatch(trace + "<%s>" % letter, text), "BIOS calls were %r, not like %r" % (text, trace)


BOCHSRC = """
plugin_ctrl: unmapped=1, biosdev=1, speaker=0, extfpuirq=1, parallel=0, serial=1, gameport=0, iodebug=1
config_interface: textconfig
display_library: term
romimage: file=/usr/share/bochs/BIOS-bochs-latest, address=0xfffe0000
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
megs: 32
cpu: model=%s, count=1, ips=50000000, reset_on_triple_fault=0
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
%s
port_e9_hack: enabled=1
log: bochs.log
panic: action=fatal
error: action=report
info: action=ignore
debug: action=ignore
clock: sync=none, time0=1000000000
"""


def bochs(model, medium):
    drive = {"disk": 0x80, "floppy": 0}[medium]
    device = {"disk": 'ata0-master: type=disk, path="image", mode=flat\nboot: disk',
              "floppy": "floppya: 1_44=image, status=inserted\nboot: floppy"}[medium]
    with tempfile.TemporaryDirectory() as folder:
        image(folder, DISK_SIZE if drive else FLOPPY_SIZE)
        with open(os.path.join(folder, "rc"), "w") as rc:
            rc.write(BOCHSRC % (model, device))
        with open(os.path.join(folder, "commands"), "w") as commands:
            commands.write("c\nq\n")
        run(["bochs", "-q", "-f", "rc", "-rc", "commands"], folder, limit=90)
        with open(os.path.join(folder, "out"), "rb") as out:
            text = out.read().decode("latin-1")
        check_report(text, drive)


def sum_of_map(entries):
    """Of what the shim's BIOS means by its map: n MiB, 7 bytes, type 3."""
    return sum((n << 20) + 7 + 3 for n in range(entries)) & 0xffffffff


def tests():
    found = []

    def add(name, function, *arguments, **named):
        found.append(("mbr: " + name, lambda: function(*arguments, **named)))
    for medium in MEDIA:
        add(medium, boots, medium)
    for sectors in (1, 64, 65, 128):
        add("ahci, loader of %d sectors" % sectors, boots, "ahci", sectors)
    add("floppy, loader of 128 sectors", boots, "floppy", 128)
    add("usb xhci, loader of 128 sectors", boots, "usb xhci", 128)
    for sectors in (1, 4, 5, 64, 65, 128):
        add("cd ide, loader of %d sectors" % sectors, boots, "cd ide", sectors)
    add("cpu qemu64", boots, "ide", 3, "qemu64")
    for cpu in ("qemu32", "486", "pentium3", "max,lm=off", "max,level=0,xlevel=0"):
        add("cpu %s gives C" % cpu, stops, "C", cpu=cpu)
    add("wrong first sector gives L", stops, "L", spoil=(1, 0))
    add("wrong last sector gives L", stops, "L", spoil=(0, 1 << 31))
    add("wrong sector on a floppy gives L", stops, "L", "floppy", spoil=(1, 0))
    add("cd with a wrong first sector gives L", stops, "L", "cd ide", spoil=(1, 0))
    add("cd with a wrong last sector gives L", stops, "L", "cd ide", spoil=(0, 1 << 31), sectors=5)
    add("cd of 24 sectors gives D", stops, "D", "cd ide", size=24 * CD_SECTOR)
    add("disk of one sector gives D", stops, "D", size=SECTOR)
    add("time stamp", time_stamp)
    add("Ctrl-Alt-Del after a letter", restarts)
    if shutil.which("bochs"):
        for model in ("corei7_sandy_bridge_2600k", "corei7_haswell_4770"):
            for medium in ("disk", "floppy"):
                add("bochs %s %s" % (model, medium), bochs, model, medium)
        add("bochs phenom disk", bochs, "phenom_8650_toliman", "disk")  # its CPUID leaves something in EBX

    for name, settings in {"0000:7C00, IF": {}, "07C0:0000": {"START_CS": 0x7c0}, "DF": {"START_FLAGS": 0x602},
                           "no IF": {"START_FLAGS": 2}, "all flags": {"START_FLAGS": 0xed7 & ~0x100},
                           "BPB written": {"WRITE_BPB": 1}, "DL 7F": {"START_DL": 0x7f}, "DL FF": {"START_DL": 0xff},
                           "DL 90": {"START_DL": 0x90}}.items():
        add("entry " + name, shim, settings, "m+e")
    add("DL 00 by its geometry", shim, {"START_DL": 0, "SPT": 18, "HEADS": 2}, "m+(gc){65}", 0, 65)
    add("DL 00 dead, then 80h", shim, {"START_DL": 0, "DEAD_DRIVE": 0}, "m+r{8}e")
    add("DL 01 dead, then 80h", shim, {"START_DL": 1}, "m+r{8}e")
    add("DL 00 and 80h dead gives D", shim_stops, "D", {"START_DL": 0, "NO_EDD": 1, "FAIL_TO": 999},
        "m+(gcr){8}(er){8}(gcr){8}")
    add("DL 8F dead gives D", shim_stops, "D", {"START_DL": 0x8f}, "m+r{16}")
    add("no geometry: 18 sectors, 2 heads", shim, {"START_DL": 0, "NO_GEOMETRY": 1, "SPT": 18, "HEADS": 2},
        "m+(gc){65}", 0, 65)
    add("geometry with CF", shim, {"NO_EDD": 1, "CF_GEOMETRY": 1, "SPT": 32, "HEADS": 64}, "m+(er){8}(gc){3}")
    for heads in (1, 2, 255):
        for spt in (1, 9, 63):
            add("CHS %d heads, %d sectors" % (heads, spt), shim, {"NO_EDD": 1, "HEADS": heads, "SPT": spt},
                "m+(er){8}(gc){128}", sectors=128)
    add("256 heads do not divide by 0", shim_stops, "D", {"NO_EDD": 1, "HEADS": 256, "SPT": 63}, ".*", 65)
    add("first read fails", shim, {"FAIL_TO": 1}, "m+ere")
    add("second chunk fails", shim, {"FAIL_FROM": 2, "FAIL_TO": 3}, "m+e(er){2}e{4}", sectors=128)
    add("second chunk by CHS", shim, {"FAIL_FROM": 2, "FAIL_TO": 10}, "m+e(er){8}gcr(gc){64}", sectors=128)
    add("floppy: seven errors", shim, {"START_DL": 0, "FAIL_FROM": 2, "FAIL_TO": 8}, "m+gc(gcr){7}(gc){2}", 0)
    add("all reads fail gives D", shim_stops, "D", {"FAIL_TO": 999}, "m+(er){8}(gcr){8}")
    add("a stale loader in memory gives L", shim_stops, "L", {"STALE": 1})
    for name, settings in {"EDD": {"TRASH": 1}, "CHS": {"TRASH": 1, "NO_EDD": 1}, "floppy": {"TRASH": 1, "START_DL": 0},
                           "reset": {"TRASH": 1, "FAIL_TO": 12}}.items():
        add("trashed registers, " + name, shim, settings, drive=settings.get("START_DL", 0x80), sectors=66)

    for dl in (0, 1, 0x7f, 0x80, 0x9f, 0xe0, 0xef, 0xff):
        add("cd, DL %02X" % dl, shim, {"START_DL": dl}, "m+e{2}", dl, 128, cd=True)
    cd = {"START_DL": CD_DRIVE}
    add("cd, first read fails", shim, dict(cd, FAIL_TO=1), "m+ere", CD_DRIVE, cd=True)
    add("cd, seven errors", shim, dict(cd, FAIL_FROM=2, FAIL_TO=8), "m+e(er){7}e", CD_DRIVE, 128, cd=True)
    add("cd, trashed registers", shim, dict(cd, TRASH=1, FAIL_TO=2), "m+(er){2}e{5}", CD_DRIVE, 66, cd=True)
    add("cd, all reads fail gives D", shim_stops, "D", dict(cd, FAIL_TO=999), "m+(er){16}", cd=True)
    add("cd, a stale loader in memory gives L", shim_stops, "L", dict(cd, STALE=1), "m+e", cd=True)
    for entries in (3, 614):
        for end in ({}, {"MAP_ENDS_BY_CF": 1}):
            add("E820 %d entries%s" % (entries, ", end by CF" if end else ""), shim, dict(end, MAP_ENTRIES=entries),
                "m{%d}e" % (entries + len(end)), count=entries, sum=sum_of_map(entries))
    add("E820 615 entries gives E", shim_stops, "E", {"MAP_ENTRIES": 615}, "m{615}")
    add("E820 without end gives E", shim_stops, "E", {"MAP_ENTRIES": 70000}, "m{615}")
    add("E820 missing gives E", shim_stops, "E", {"MAP_MISSING": 1}, "m")
    add("E820 signature lost gives E", shim_stops, "E", {"MAP_ENTRIES": 9, "MAP_SIGNATURE_LOST": 4}, "m{5}")
    return found


if __name__ == "__main__":
    import sys
    failed = 0
    for title, call in tests():
        if len(sys.argv) > 1 and sys.argv[1] not in title:
            continue
        began = time.monotonic()
        try:
            call()
            print("ok    %s (%.1f s)" % (title, time.monotonic() - began), flush=True)
        except AssertionError as error:
            failed += 1
            print("FAIL  %s: %s" % (title, error), flush=True)
    sys.exit(failed != 0)
