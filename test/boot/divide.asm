; A boot sector that divides signed numbers of 64 bits, which Bochs 3.1 does wrongly: "vmos: divides" goes to port e9, and
; behind it "vmos: rightly" when all is well. A #DE, without an IDT, ends the machine before.
CR0_PE_PG  equ 0x80000001               ; protection, paging
CR4_PAE    equ 0x20
MSR_EFER   equ 0xc0000080
TABLES     equ 0x1000                   ; three, a page each
LARGE      equ 0x83                     ; present, writable, 2 MiB

        bits 16
        org 0x7c00
        cli
        cld
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov di, TABLES
        mov cx, 3 * 4096 / 2
        rep stosw
        mov word [TABLES], TABLES + 0x1000 + 3
        mov word [TABLES + 0x1000], TABLES + 0x2000 + 3
        mov word [TABLES + 0x2000], LARGE
        mov eax, CR4_PAE
        mov cr4, eax
        mov eax, TABLES
        mov cr3, eax
        mov ecx, MSR_EFER
        rdmsr
        or ah, 1                        ; long mode enable
        wrmsr
        lgdt [gdt_pointer]
        mov eax, cr0
        or eax, CR0_PE_PG
        mov cr0, eax
        jmp 8:wide

        bits 64
        default abs
wide:   mov esi, divides
        call say
        mov rbx, table
.next:  mov rax, [rbx]
        cqo
        idiv qword [rbx + 8]
        cmp rax, [rbx + 16]
        jne stop
        add ebx, 24
        cmp ebx, table_end
        jne .next
        mov esi, rightly
        call say
stop:   mov esi, shutdown               ; Bochs ends when this is written to its port
        mov dx, 0x8900
        call say_to
        hlt

say:    mov dx, 0xe9
say_to: lodsb
        test al, al
        jz .end
        out dx, al
        jmp say_to
.end:   ret

divides  db "vmos: divides", 10, 0
rightly  db "vmos: rightly", 10, 0
shutdown db "Shutdown", 0

        align 8
gdt:    dq 0, 0x00209b0000000000        ; 64-bit code
gdt_pointer:
        dw gdt_pointer - gdt - 1
        dd gdt

        align 8
table:  dq 1000000000000000, 10000000, 100000000 ; dividend, divisor, quotient
        dq -100, 7, -14
        dq 100, -7, -14
        dq 0, 5, 0
table_end:
        times 510 - ($ - $$) db 0
        dw 0xaa55
