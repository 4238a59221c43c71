; First bytes of the loader. start.asm jumps here in long mode: interrupts off, first 2 MiB mapped one to one by the
; tables at BOOT_PML4, no IDT. Here too: the loader's GDT, and its IDT, whose gates and stubs the assembler builds.
%include "layout.inc"

extern loader_start, loader_exception
global loader_header, loader_gdt_pointer, loader_idt_pointer

GATE_INTERRUPT equ 0x8e00 ; present, ring 0, 64-bit interrupt gate (SDM 3 6.14.1)
ERROR_CODES equ 0x60227d00 ; bit n: the CPU pushes an error code for vector n (AMD APM 2 table 8-1)

; The loader's first sector (loader.ld): this and check.c.
section .header progbits alloc exec nowrite align=16
bits 64
; struct loader_header of boot/image.h; mkimage fills length and CRC
loader_header:
        jmp short start
        dw 0
        dd LOADER_MAGIC
        dd 0
        dd 0
start:  cld
        mov esp, LOADER_STACK_END
        xor ebp, ebp
        call loader_start ; does not return

section .text16 progbits alloc exec nowrite align=16
%assign vector 0
%rep 32
        align 8
exception_%[vector]:
    %if (ERROR_CODES >> vector & 1) == 0
        push 0
    %endif
        push vector
        jmp near exception
    %assign vector vector + 1
%endrep

; Never returns, so nothing is saved: struct exception_frame is what lies on the stack.
exception:
        cld
        mov rdi, rsp
        and rsp, ~15
        call loader_exception

        align 16
idt:
%assign vector 0
%rep 32
        dw exception_%[vector], KERNEL_CS, GATE_INTERRUPT, 0
        dq 0
    %assign vector vector + 1
%endrep
idt_end:

gdt:
        dq 0
        dq 0x00209b0000000000 ; KERNEL_CS: 64-bit code
        dq 0x00009b000000ffff ; CODE16 of bios.asm: base 0, limit 64 KiB, as real mode will keep them
gdt_end:

; Ten bytes in long mode; lgdt in 16-bit mode reads the first six.
loader_gdt_pointer:
        dw gdt_end - gdt - 1
        dq gdt
loader_idt_pointer:
        dw idt_end - idt - 1
        dq idt
