; The master boot record: the first 512 bytes of the medium and the first instructions of ours that the CPU executes.
; On entry the BIOS has put this sector at 0x7c00 and gives the drive number in DL; nothing else is certain, not even
; CS: 0000:7C00 and 07C0:0000 both occur. The code therefore uses relative jumps only and reaches data through DS = 0.
; It leaves long mode, page tables for the first 2 MiB, the E820 map and the loader in memory, and jumps to the loader.
; Assembled with -DLOADER_SECTORS=n: the loader's length; it lies in the sectors behind this one. A second time with
; -DCD for CDs (El Torito without emulation): there the BIOS counts sectors of 2048 bytes, knows no cylinders, and gives
; the drive any number.
;
; When a step fails, its letter goes to the screen and to COM1, and the machine waits for Ctrl-Alt-Del:
;       C       the CPU has no long mode
;       E       the BIOS gives no memory map (E820), a broken one, or one with more than E820_MAX entries
;       D       the disk cannot be read
;       L       what was read is not the loader
;
; boot/layout.h has the addresses, in order. The stack begins at MBR: the first words pushed, MBR_DRIVE and MBR_TSC, are
; results and stay.
%include "layout.inc"

%ifdef CD
UNIT            equ CD_SECTOR_SIZE
FIRST           equ CD_LOADER
%else
UNIT            equ SECTOR_SIZE         ; of the medium
FIRST           equ 1                   ; sector of the loader
%endif
SECTORS         equ (LOADER_SECTORS * SECTOR_SIZE + UNIT - 1) / UNIT
EDD_SECTORS     equ 0x8000 / UNIT       ; at first; at most 127 (Phoenix EDD), 31 on CDs; these end at the 64 KiB line
                                        ;   0x10000
TRIES           equ 0x70                ; see `next`
PARAGRAPHS      equ UNIT / 16           ; of one sector, in the unit of segment registers
BUFFER          equ 16                  ; sectors are read to ES:BUFFER, so that ES:BUFFER - 2 can be reached as well
PAGE_USABLE     equ 0x03                ; present, writable (SDM 3 4.5)
PAGE_2MIB       equ 0x80                ; page size bit of a page directory entry: it maps 2 MiB itself
CR4_PAE         equ 0x20                ; physical address extension: 8-byte page table entries
EFER            equ 0xc0000080          ; extended feature enable register
EFER_LME        equ 0x100               ; long mode enable
CR0_PE_ET_PG    equ 0x80000011          ; protection, the always-one ET bit, paging; caches on (CD = NW = 0)

%if LOADER_SECTORS < 1 || LOADER_SECTORS > (LOADER_END - LOADER) / SECTOR_SIZE
    %error "the loader does not fit between LOADER and LOADER_END"
%endif
%if MBR_DRIVE != MBR - 2 || MBR_TSC != MBR - 12 || BOOT_STACK_END != MBR_TSC
    %error "the first pushes do not land where boot/layout.h says"
%endif
%if E820_ENTRIES + E820_MAX * E820_ENTRY_SIZE != E820_END || BOOT_STACK - MBR_E820_BUFFER < E820_ENTRY_SIZE
    %error "the bound of the E820 loop is not the end of its map, or the buffer is too short"
%endif

bits 16
org MBR

; ---- 0x00: the jump and, before the BIOS parameter block, eight bytes of code ----
; EB xx 90 is how a boot sector begins; a BIOS that checks for it would call the medium not bootable without it.
        jmp short begin
        nop
begin:
        xor ax, ax
        mov ds, ax                      ; data is addressed from 0, whatever CS is
        mov es, ax                      ; for the string instructions below
        jmp short start
        times 0x0b - ($ - $$) db 0      ; a fence: negative, and so an error, when the code above grows

; ---- 0x0b..0x2a: BIOS parameter block ----
; Where a FAT disk has its BIOS parameter block, a BIOS that takes the stick for a floppy writes to the copy in memory:
; the fields at 0x15, 0x1c-0x1f and 0x24 are known. Other fields must be plausible: 512, 18 and 2. What nobody touches
; holds constants of ours, since the 440 bytes are short.
        dw SECTOR_SIZE                  ; 0x0b: bytes per sector
gdt_code:                               ; 0x0d: our one segment descriptor: 64-bit code, ring 0 (SDM 3 3.4.5). Base
        dq 0x00209b0000000000           ;   and limit mean nothing in 64-bit mode, and no data segment is needed there
        db 0xf0                         ; 0x15: media descriptor; BIOSes write it
most:   dw EDD_SECTORS                  ; 0x16: per read
        dw 18                           ; 0x18: sectors per track
        dw 2                            ; 0x1a: heads
        dd 0                            ; 0x1c: hidden sectors; BIOSes write it
smap:   dd 0x534d4150                   ; 0x20: "SMAP", the signature of the E820 call
        db 0                            ; 0x24: drive number; BIOSes write it
gdtr:   dw KERNEL_CS + 7                ; 0x25: limit of the table: selector 0, which is never read, and KERNEL_CS
        dd gdt_code - KERNEL_CS         ;   its base, so that gdt_code is the descriptor of KERNEL_CS
        times 0x2b - ($ - $$) db 0

; ---- 0x2b: a stack, the drive ----
start:
        mov ss, ax                      ; the CPU takes no interrupt between these two (SDM 3 6.8.3), so no cli
        mov sp, MBR
%ifndef CD
; DL should be 00-0Fh (floppy) or 80h-8Fh (hard disk). Some BIOSes pass nonsense; nearly all of them boot from 80h.
        test dl, 0x70
        jz .drive
        mov dl, 0x80
%endif
.drive: push dx                         ; MBR_DRIVE
        push 'C'                        ; the letter of the step under way is the last thing pushed when it fails

; ---- is there long mode? (AMD APM 3 E.4) ----
; CPUs without extended leaves answer 80000000h like their last basic leaf, with bit 31 clear. The others answer with
; their last leaf, 800000xxh: putting 1 in the low byte asks for the extended features.
        mov eax, 0x80000000
        cpuid
        test eax, eax
        jns bad
        mov al, 1
        cpuid
        shl edx, 3                      ; bit 29, long mode, is the last one shifted out: to CF
        jnc bad
        rdtsc                           ; when did we start? Every CPU with long mode has the counter
        push edx
        push eax                        ; MBR_TSC

; ---- clear the page tables, the E820 buffer and the count of entries ----
        cld                             ; stosd and movsw go upwards
        xor eax, eax
        mov di, BOOT_PML4
        mov cx, (BOOT_STACK - BOOT_PML4) / 4
        rep stosd
        mov di, E820_ENTRIES

; ---- the memory map (ACPI 15.1) ----
; Across the loop: DI = where the next entry goes, EBX = the BIOS's bookmark, 0 to begin and 0 again at the end.
; A BIOS may change every other register, DS, ES and the direction flag. Two quirks: some write only those fields that
; differ from the entry before, so the buffer stays the same one and entries are copied out; and some report 24-byte
; entries with nonsense in the last 4, so exactly 20 bytes are asked for.
        push 'E'
        xor ebx, ebx
.next:  push di
        mov di, MBR_E820_BUFFER
        mov eax, 0xe820                 ; all 32 bits count
        mov edx, [smap]
        xor ecx, ecx
        mov cl, E820_ENTRY_SIZE
        int 0x15
        push ss
        pop ds
        push ss
        pop es
        cld
        pop di
        jc .end                         ; how some BIOSes say that the entry before was the last
        cmp eax, [smap]                 ; no signature, no valid entry: a map that lost it cannot be trusted
        jne bad
        cmp di, E820_END                ; full: a BIOS that never ends, or a map whose rest could be a reserved range
        je bad
        mov si, MBR_E820_BUFFER
        mov cx, E820_ENTRY_SIZE / 2
        rep movsw
        inc word [E820_MAP]
        test ebx, ebx
        jnz .next
.end:   cmp di, E820_ENTRIES            ; not one entry: the BIOS has no such call
        jne disk
bad:    jmp short die                   ; in reach of the short jumps above

; ---- read the loader ----
; Across the loop: SI = next sector (LBA), DL = drive, DH = tries left. pusha and popa keep these around each BIOS
; call, since some BIOSes change registers they should not; popa leaves CF, the result, alone. Each failure
; halves [most], for good: some BIOSes do fewer sectors a call than they should.
disk:
        push 'D'                        ; before `drive`: if 00 is read and is not ours, the letter stays L
drive:
; A loader that was in memory before a warm start must not pass for one that was read: spoil it. Any word that differs
; will do; SP cannot look like the magic number.
        mov [LOADER + 4], sp
        mov dl, [MBR_DRIVE]
        mov dh, dl                      ; bit 7, use EDD: hard disks only. Floppies do not have it, and USB sticks
                                        ;   dressed up as floppies may translate sector numbers for CHS calls only
        mov si, FIRST
; Each chunk has eight tries in bits 4-6 of DH. When those of EDD (80h set) are used up, 80h - 10h = 70h leaves eight
; by CHS, and CHS stays: from then on no chunk starts at an odd place and runs over the 64 KiB line. On a CD all
; tries are EDD's.
next:   or dh, TRIES
try:    imul ax, si, PARAGRAPHS
        add ax, (LOADER - BUFFER) / 16 - FIRST * PARAGRAPHS
        mov es, ax                      ; ES:BUFFER = LOADER + (SI - FIRST) * UNIT
        mov bx, BUFFER
        mov cx, FIRST + SECTORS
        sub cx, si                      ; sectors left
        jz done
%ifndef CD
        test dh, dh
        jns chs
%endif
        mov ax, [most]
        cmp cx, ax
        jbe .edd
        xchg cx, ax
.edd:   pusha
        xor di, di                      ; the disk address packet, last field first (Phoenix EDD):
        push di                         ;   sector number, 64 bits: 0, 0, 0, SI
        push di
        push di
        push si
        push es                         ;   buffer: segment, offset
        push bx
        push cx                         ;   sectors
        push bx                         ;   size of the packet, which happens to be BUFFER: 16
        mov si, sp
        mov ah, 0x42                    ; extended read, DL = drive, DS:SI = packet
        call disk_call
        popa                            ; takes the packet's 16 bytes off the stack; the values are of no use
read:   popa                            ; both ways to read meet here
        jc fail
        add si, cx
        jmp next
fail:   pusha
        ror byte [most], 1              ; half; never 0: what comes after 1 is everything
        mov ah, 0                       ; reset: a drive may stay in its error state until then, and a floppy's motor
        call disk_call                  ;   gets the time to start. Whether it succeeds, the next read will show
        popa
        sub dh, 0x10
        jnc try
switch:
%ifndef CD
; A BIOS can pass DL = 00 for a hard disk (Phoenix 4.0 R6), so 80h comes after floppies.
        test dl, dl
        mov byte [MBR_DRIVE], 0x80
        jns drive
%endif

; ---- say which step failed, and stop ----
die:    pop ax                          ; AL = the letter
        mov dx, 0x3f8                   ; COM1, as the BIOS left it; when there is none, nobody listens
        out dx, al
        mov bx, 7                       ; page 0; light grey in graphics modes
        mov ah, 0x0e                    ; teletype output
        int 0x10
.halt:  sti                             ; so that the BIOS's keyboard handler sees Ctrl-Alt-Del
        hlt
        jmp .halt

; int 13h. out: CF, the call failed: carry and a status; a carry alone means nothing on some BIOSes. DS = 0
disk_call:
        sti                             ; disk drivers need timer and disk interrupts; some calls return with IF = 0
        int 0x13
        push ss
        pop ds
        jnc .end
        add ah, 0xff                    ; carry again unless AH is 0
.end:   ret

%ifndef CD
; One sector by cylinder, head and sector. in: SI = LBA, ES:BX = buffer, DL = drive.
chs:    mov cl, 1                       ; for `read`: one sector; CH is 0
        pusha
        push es                         ; AH=08 returns things in ES, DI, BL and DX, and SI is not safe either
        push si
        push bx
        push dx
        mov ah, 8                       ; drive parameters: CL bits 0-5 = sectors per track, DH = last head
        xor cx, cx                      ; a failing BIOS leaves CX alone or clears it. CF says nothing: some BIOSes
        int 0x13                        ;   set it and succeed
        mov ch, dh
        pop dx
        pop bx
        pop si
        pop es
        inc ch                          ; heads; 256 do not fit and no BIOS means it
        jz .default
        and cl, 0x3f
        jnz .divide
.default:
        mov cx, 2 << 8 | 18             ; a 1.44 MB floppy
.divide:                                ; example: sector 64, 18 per track, 2 heads = cylinder 1, head 1, sector 11
        xchg ax, si                     ; AX = LBA, at most 128: no division overflows
        div cl                          ; AL = 64 / 18 = 3 (track), AH = 10
        mov cl, ah
        inc cx                          ; CL = sector, counted from 1
        mov ah, 0
        div ch                          ; AL = 3 / 2 = 1 (cylinder), AH = 1 (head)
        mov ch, al
        mov dh, ah
        mov ax, 0x0201                  ; read, one sector
        call disk_call
        jmp read
%endif

; ---- is it the loader? Here ES:BUFFER is its end ----
done:
        push 'L'
%ifdef CD
        mov dword [MBR_CD], CD_IMAGE
        push (LOADER + LOADER_SECTORS * SECTOR_SIZE - BUFFER) / 16 ; in the midst of the last sector
        pop es
%endif
        mov ax, [LOADER + 4]            ; half of each magic number at once; the loader checks the rest of itself
        xor ax, [es:bx - 2]
        cmp ax, (LOADER_MAGIC ^ LOADER_END_MAGIC >> 16) & 0xffff
        jne switch

; ---- long mode, straight from real mode (AMD APM 2 14.6) ----
; Address line 20 may be held at 0, as on the first PCs: then every odd MiB would be its even neighbour. The BIOS is
; asked to free it; the loader, which has room for the other ways, checks. It also tells the BIOS about long mode.
        mov ax, 0x2401
        int 0x15
        push ss
        pop ds
        cli                             ; from here on an interrupt would find real-mode vectors in protected mode
        mov ax, BOOT_PDPT + PAGE_USABLE
        mov [BOOT_PML4], ax
        mov ah, BOOT_PD >> 8
        mov [BOOT_PDPT], ax
        mov byte [BOOT_PD], PAGE_2MIB + PAGE_USABLE ; physical address 0; the loader maps the rest
        lgdt [gdtr]
        push dword CR4_PAE              ; shorter than a 32-bit move; EAX = 20h
        pop eax
        mov cr4, eax                    ; long mode wants PAE before paging
        mov ax, EFER_LME                ; EAX = 100h
        cdq                             ; EDX = 0, the upper half of the register written
        mov ecx, EFER
        wrmsr
        mov ah, BOOT_PML4 >> 8          ; EAX = BOOT_PML4
        mov cr3, eax
        mov eax, CR0_PE_ET_PG           ; protection and paging in one write: the CPU is in long mode now, still
        mov cr0, eax                    ;   executing 16-bit code, until CS holds a 64-bit segment
        jmp KERNEL_CS:LOADER            ; the loader brings its own stack and GDT

; ---- 0x1b8: disk signature and partition table ----
        times 440 - ($ - $$) db 0       ; a fence: the code ends here
        db "vmos"                       ; Windows writes a signature of its own where it finds 0
        dw 0
        times 64 db 0                   ; the table: filled in by tools/mkimage
        dw 0xaa55                       ; what makes a sector bootable
        times 512 - ($ - $$) db 0
