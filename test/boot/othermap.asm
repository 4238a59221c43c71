; A boot sector that puts another memory map in the place of the firmware's and boots the second disk. The map follows
; in sectors 1 to SECTORS - 1 of its own disk: entries of 20 bytes, whose number is in the word before the signature.
; Everything lies at RESIDENT, where vmos has nothing before it has read the map.
RESIDENT equ 0x9000 ; segment
SECTORS  equ 40

        bits 16
        org 0
        jmp 0x7c0:start

start:  mov ax, cs
        mov ds, ax
        xor ax, ax
        mov ss, ax
        mov sp, 0x7c00
        mov si, own
        mov dx, 0x80
        call read
        jmp RESIDENT:resident

; in: ds:si disk address packet, dl drive; clobbers ah
read:   mov ah, 0x42
        int 0x13
        jc $
        ret

resident:
        mov ax, cs
        mov ds, ax
        xor ax, ax
        mov es, ax
        cli
        mov eax, [es:0x15 * 4]
        mov [old], eax
        mov word [es:0x15 * 4], int15
        mov [es:0x15 * 4 + 2], cs
        sti
        mov si, mbr
        mov dx, 0x81
        call read
        jmp 0:0x7c00

; in: eax 0xe820, ebx number of the entry, es:di room for it; out: as ACPI 6.4 section 15.1 has it
int15:  cmp ax, 0xe820
        je .map
        jmp far [cs:old]
.map:   push ds
        push si
        push di
        push cs
        pop ds
        imul si, bx, 20
        add si, 512
        mov cx, 20
        cld
        rep movsb
        pop di
        pop si
        inc bx
        movzx ebx, bx
        cmp bx, [count]
        jne .more
        xor ebx, ebx
.more:  pop ds
        mov eax, 0x534d4150 ; SMAP
        mov ecx, 20
        push bp
        mov bp, sp
        and word [bp + 6], ~1 & 0xffff ; carry of the caller
        pop bp
        iret

        align 4
own:    dw 16, SECTORS, 0, RESIDENT
        dq 0
mbr:    dw 16, 1, 0x7c00, 0
        dq 0
old:    dd 0

        times 508 - ($ - $$) db 0
count:  dw 0
        dw 0xaa55
