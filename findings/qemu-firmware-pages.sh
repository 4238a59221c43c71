#!/bin/sh
# QEMU 1:7.2+dfsg-7+deb12u18 (TCG) with SeaBIOS 1.16.2-1: RAM in which the firmware once ran stays slow to write to.
#
# Guess: RAM that INT 15h, E820h calls usable is all alike, and once the firmware is done the guest owns it. A page with
#   code that QEMU has translated is slow at its first store, which drops the translations, as self-modifying code is.
# Seen: SeaBIOS copies its initialization code to just below the top of low RAM and runs it there. The guest below stores to
#   one word of each of the highest 128 usable pages: in some of them a store takes many times as long as in the others, and
#   each traps (memory_notdirty_write_access), however many it has made, since QEMU drops only translations of the very
#   bytes that are stored to, and watches the page as long as it has any left. After one REP STOSD over the whole page,
#   which drops all of them, the same stores are as fast as elsewhere. QEMU 10.0.13 does the same.
# Why it matters: a guest whose stack, or whatever it writes to often, is there runs many times slower than one that has it
#   elsewhere: a kernel's 20,000 calls of mmap and munmap took 3.25 s instead of 0.16 s. Other firmware, another size of RAM
#   or one page more or less in the kernel moves it: a benchmark shows a slowdown that no code has. Overwrite the top of
#   free RAM once before using it.
# Source: seen; QEMU's trace-events name the event, and accel/tcg has notdirty_write() and what it calls.
. "$(dirname "$0")/common.sh"
fetch "qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3" "qemu-system-common=1:7.2+dfsg-7+deb12u18+b3" \
    "qemu-system-data=1:7.2+dfsg-7+deb12u18" "seabios=1.16.2-1" "nasm=2.16.01-1"
runs "$tmp/root/usr/bin/qemu-system-x86_64"
cat >"$tmp/guest.s" <<'END'
; Tells by port 0xe9, in hexadecimal, for each page its address and the least time that STORES stores took in ROUNDS rounds,
; before and after the page was overwritten; then ends QEMU. The least of several, since others use this machine, too.
PAGES equ 128
MEASURED equ 0x100 ; which word of the page
range equ 0x1000 ; these have pages without code: the guest's own stores are to be fast
started equ 0x1100
before equ 0x2000
after equ before + PAGES * 4
stack equ 0x5000
    bits 16
    org 0x7c00
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, stack
    cld
    xor ebx, ebx
next_range:
    mov eax, 0xe820
    mov edx, 0x534d4150
    mov ecx, 20
    mov di, range
    int 0x15
    jc flat
    cmp dword [range + 16], 1
    jne other
    cmp dword [range + 4], 0
    jne other
    mov ebp, [range]
    add ebp, [range + 8]
other:
    test ebx, ebx
    jnz next_range
flat:
    cli
    lgdt [gdtr]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp 8:main
    bits 32
main:
    mov ax, 16
    mov ds, ax
    mov es, ax
    mov ss, ax
    sub ebp, PAGES << 12
    or eax, -1
    mov edi, before
    mov ecx, 2 * PAGES
    rep stosd
    mov esi, before
    call measure
    mov edi, ebp
    mov ecx, PAGES << 10
    rep stosd
    mov esi, after
    call measure
    mov esi, before
tell:
    mov eax, ebp
    call hexadecimal
    mov eax, [esi]
    call hexadecimal
    mov eax, [esi + after - before]
    call hexadecimal
    mov al, 10
    out 0xe9, al
    add ebp, 0x1000
    add esi, 4
    cmp esi, after
    jb tell
    mov al, 16
    out 0xf4, al ; 33
stop:
    hlt
    jmp stop

; to the table at ESI
measure:
    mov ecx, ROUNDS
round:
    push ecx
    xor ebx, ebx
page:
    mov edi, ebx
    shl edi, 12
    rdtsc
    mov [started], eax
    mov ecx, STORES
store:
    mov [ebp + edi + MEASURED], ecx
    dec ecx
    jnz store
    rdtsc
    sub eax, [started]
    cmp eax, [esi + ebx * 4]
    jae no_less
    mov [esi + ebx * 4], eax
no_less:
    inc ebx
    cmp ebx, PAGES
    jb page
    pop ecx
    loop round
    ret

; EAX and a space
hexadecimal:
    mov ecx, 8
digit:
    rol eax, 4
    push eax
    and al, 15
    cmp al, 10
    sbb al, 0x69
    das
    out 0xe9, al
    pop eax
    loop digit
    mov al, ' '
    out 0xe9, al
    ret

gdt:
    dq 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdtr:
    dw $ - gdt - 1
    dd gdt
    times 510 - ($ - $$) db 0
    dw 0xaa55
END

# guest STORES ROUNDS OPTION...: what it tells, into $tmp/pages.
guest() {
    "$tmp/root/usr/bin/nasm" "-DSTORES=$1" "-DROUNDS=$2" "$tmp/guest.s" -o "$tmp/disk"
    shift 2
    status=0
    QEMU_MODULE_DIR=$(echo "$tmp"/root/usr/lib/*/qemu) timeout 100 "$tmp/root/usr/bin/qemu-system-x86_64" \
        -L "$tmp/root/usr/share/qemu" -L "$tmp/root/usr/share/seabios" -M pc -accel tcg -m 16M \
        -nodefaults -no-user-config -display none -debugcon "file:$tmp/pages" -device isa-debug-exit,iobase=0xf4,iosize=1 \
        -drive "file=$tmp/disk,format=raw,if=ide" "$@" </dev/null || status=$?
    expect "status and pages that the guest measured" "$status $(grep -c . "$tmp/pages")" "33 128"
}

# slowest WHEN COLUMN WANTED: how the slowest page's time in that column compares with the median page's.
slowest() {
    cut -d " " -f "$2" "$tmp/pages" | while read -r time; do echo $((0x$time)); done | sort -n >"$tmp/times"
    median=$(sed -n 64p "$tmp/times")
    most=$(sed -n 128p "$tmp/times")
    seen="from 2 to 5"
    [ "$most" -le $((median * 5)) ] || seen="more than 5"
    [ "$most" -ge $((median * 2)) ] || seen="less than 2"
    echo "$1: median page $median ticks, slowest page $most"
    expect "$1: the slowest page takes so many times as long as the median page" "$seen" "$3"
}

guest 1000 20
slowest "1,000 stores" 2 "more than 5"
slowest "1,000 stores after all pages were overwritten" 3 "less than 2"

# The same without time. The firmware, and the overwriting itself, may store to that word, too: a few are not counted.
guest 1000 1 -trace memory_notdirty_write_access -D "$tmp/trace"
while read -r page _; do
    page=${page#00}
    stores=$(grep -ci "access 0x${page%000}100 " "$tmp/trace") || true
    seen=$stores
    [ "$stores" -ge 10 ] || seen=none
    [ "$stores" -lt 1000 ] || [ "$stores" -ge 1010 ] || seen=first
    echo "$seen 0x$page"
done <"$tmp/pages" >"$tmp/trapped"
sed -n 's/first //p' "$tmp/trapped" >"$tmp/slow"
echo "pages where the first 1,000 stores trap: $(wc -l <"$tmp/slow"), $(head -1 "$tmp/slow") to $(tail -1 "$tmp/slow")"
expect "which stores trap in a page" "$(cut -d ' ' -f 1 "$tmp/trapped" | sort -u | tr '\n' ' ')" "first none "
