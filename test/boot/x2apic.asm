; A boot sector that does what some firmware does, and boots the second disk: it switches x2APIC on (Intel SDM 3A
; 11.12.1). There is no way back but a reset.
RESIDENT equ 0x9000 ; where it goes, out of the next sector's way

        bits 16
        org 0
        jmp 0x7c0:start

start:  xor ax, ax
        mov ss, ax
        mov sp, 0x7c00
        mov ax, cs
        mov ds, ax
        mov ax, RESIDENT
        mov es, ax
        xor si, si
        xor di, di
        mov cx, 256
        cld
        rep movsw
        jmp RESIDENT:moved

moved:  mov ds, ax
        mov ecx, 0x1b
        rdmsr
        or eax, 1 << 10
        wrmsr
        mov si, mbr
        mov ah, 0x42
        mov dx, 0x81
        int 0x13
        jc $
        jmp 0:0x7c00

        align 4
mbr:    dw 16, 1, 0x7c00, 0
        dq 0
        times 510 - ($ - $$) db 0
        dw 0xaa55
