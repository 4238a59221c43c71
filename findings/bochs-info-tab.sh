#!/bin/sh
# Bochs 2.7+dfsg-4+deb12u1: the debugger's "info tab" leaves out what is mapped from 0xffff800000000000 on.
#
# Guess: it lists all that the page tables map (the manual of the debugger: "show page tables"), in long mode all 512 entries
#   of the PML4.
# Seen: of entries 0, 256 and 511, which map the same 2 MiB, the list has the first and the last; "page" translates an
#   address under entry 256 as the CPU does.
# Why it matters: 0xffff800000000000 is where kernels put their window onto physical memory; there it looks unmapped.
. "$(dirname "$0")/common.sh"
fetch "bochs=2.7+dfsg-4+deb12u1" "bochsbios=2.7+dfsg-4+deb12u1" "vgabios=0.8a+ds-2" "nasm=2.16.01-1"
runs "$tmp/root/usr/bin/bochs-bin"
unshare -rn true || { echo "Bochs serves its screen to the network: this wants a network of its own" >&2; exit 125; }
cat >"$tmp/sector.asm" <<'END'
        bits 16
        org 0x7c00
        cli
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov di, 0x1000
        mov cx, 0x1800
        cld
        rep stosw
        mov word [0x1000], 0x2003       ; PML4 at 0x1000: entries 0,
        mov word [0x1800], 0x2003       ;   256
        mov word [0x1ff8], 0x2003       ;   and 511
        mov word [0x2000], 0x3003
        mov word [0x3000], 0x0083       ; the first 2 MiB
        mov eax, 0x20                   ; PAE
        mov cr4, eax
        mov eax, 0x1000
        mov cr3, eax
        mov ecx, 0xc0000080             ; EFER.LME
        rdmsr
        or ah, 1
        wrmsr
        mov eax, 0x80000001
        mov cr0, eax
        lgdt [gdtr]
        jmp 8:end
        bits 64
        times 0x100 - ($ - $$) nop
end:    hlt
        jmp end
        align 8
gdt:    dq 0, 0x00209a0000000000
gdtr:   dw 15
        dd gdt
        times 510 - ($ - $$) db 0
        dw 0xaa55
END
"$tmp/root/usr/bin/nasm" -f bin "$tmp/sector.asm" -o "$tmp/disk"
truncate -s 10M "$tmp/disk"
cat >"$tmp/rc" <<END
config_interface: textconfig
display_library: rfb, options="timeout=0"
romimage: file=$tmp/root/usr/share/bochs/BIOS-bochs-latest, address=0xfffe0000
vgaromimage: file=$tmp/root/usr/share/vgabios/vgabios.bin
megs: 32
cpu: model=corei7_haswell_4770
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, path="$tmp/disk", mode=flat
boot: disk
log: $tmp/log
END
printf 'pb 0x7c00\nc\nlb 0x7d00\nc\ninfo tab\npage 0xffff800000007c00\nq\n' >"$tmp/commands"
LTDL_LIBRARY_PATH=$(echo "$tmp"/root/usr/lib/*/bochs/plugins)
export LTDL_LIBRARY_PATH
timeout 300 unshare -rn "$tmp/root/usr/bin/bochs-bin" -q -f "$tmp/rc" -rc "$tmp/commands" >"$tmp/said" 2>/dev/null </dev/null || :
expect "info tab" "$(sed -n 's/ -> .*//; /^0x.*-0x/p' "$tmp/said")" "0x0000000000000000-0x00000000001fffff
0xffffff8000000000-0xffffff80001fffff"
expect "page 0xffff800000007c00" "$(grep '^linear page' "$tmp/said")" \
    "linear page 0xffff800000007000 maps to physical page 0x000000007000"
