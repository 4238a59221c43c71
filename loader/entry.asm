; First bytes of the loader. start.asm jumps here in long mode: interrupts off, first 2 MiB mapped one to one by the
; tables at BOOT_PML4, no IDT. Leaves: checked loader, own GDT, IDT, stack, zeroed .bss; then C. Here too: the stubs of
; the 32 exceptions, whose gates are built by the assembler, and the jump into the kernel.
%include "layout.inc"

extern loader_bss, loader_bss_end, loader_main, loader_exception
global loader_header, loader_gdt_pointer, loader_idt_pointer, enter_kernel

GATE_INTERRUPT equ 0x8e00 ; present, ring 0, 64-bit interrupt gate (SDM 3 6.14.1)
CPUID_1_ECX_SSE42 equ 20 ; bit: crc32 instruction
CRC32C_REFLECTED equ 0x82f63b78
COM1_DATA equ 0x3f8
COM1_LINE_STATUS equ 0x3fd
LINE_STATUS_EMPTY equ 1 << 5 ; the transmitter takes a byte
POLLS equ 100000
WHITE_ON_RED equ 0x4f

; This section is the loader's first sector (loader.ld): it must be sound for the rest to be checked.
section .header progbits alloc exec nowrite align=16
bits 64
; struct loader_header of boot/image.h; mkimage fills length and CRC
loader_header:
        jmp short start
        dw 0
        dd LOADER_MAGIC
.length:
        dd 0
.crc:
        dd 0
start:  cld
        rdtsc
        shl rdx, 32
        or rdx, rax
        mov r12, rdx
        mov esp, LOADER_STACK_END

; CRC-32C of the whole loader, its own field counted as 0. Without the instruction four bits at a time: slow, but small.
        mov eax, 1
        cpuid
        mov esi, loader_header
        mov edi, [loader_header.length]
        cmp edi, LOADER_END - LOADER
        ja damaged
        add edi, esi
        xor ebp, ebp
        xchg ebp, [loader_header.crc]
        mov eax, -1
        bt ecx, CPUID_1_ECX_SSE42
        jnc .byte
.quad:  crc32 rax, qword [rsi]
        add esi, 8
        cmp esi, edi
        jb .quad
        jmp .compare
.byte:  xor al, [rsi]
%rep 2
        mov edx, eax
        and edx, 15
        shr eax, 4
        xor eax, [nibbles + rdx * 4]
%endrep
        inc esi
        cmp esi, edi
        jb .byte
.compare:
        not eax
        cmp eax, ebp
        jne damaged
        mov [loader_header.crc], ebp

        lgdt [loader_gdt_pointer]
        lidt [loader_idt_pointer]
        mov edi, loader_bss
        mov ecx, loader_bss_end
        sub ecx, edi
        shr ecx, 3
        xor eax, eax
        rep stosq
        mov rdi, r12 ; the time stamp
        xor ebp, ebp
        call loader_main ; does not return

; Says so by nothing that could be damaged: text memory, and port e9 if an emulator listens there, else COM1 as the
; BIOS left it. Then ends the emulator or stands still: the way back to real mode is not to be trusted.
damaged:
        mov esi, message
        mov edi, TEXT_SCREEN
        mov ah, WHITE_ON_RED
        mov ebx, COM1_DATA
        in al, DEBUGCON_PORT
        cmp al, DEBUGCON_PORT
        jne .next
        mov bl, DEBUGCON_PORT
        mov bh, 0
.next:  lodsb
        test al, al
        jz .said
        stosw
        mov edx, ebx
        out dx, al
        mov ecx, POLLS ; bounded, and once only on port e9, where the status reads ff
        mov edx, COM1_LINE_STATUS
.wait:  in al, dx
        test al, LINE_STATUS_EMPTY
        loopz .wait
        jmp .next
.said:  cmp bl, DEBUGCON_PORT
        jne .stop
        mov edx, DEBUGCON_PORT
        mov ecx, status_end - status
        rep outsb
        mov edx, BOCHS_SHUTDOWN_PORT
        mov ecx, shutdown_end - shutdown
        rep outsb
        mov al, DEBUG_EXIT_ORDERLY
        out DEBUG_EXIT_PORT, al
.stop:  hlt
        jmp .stop

message:
        db "vmos! the image is damaged: its loader, from byte 512 on, has a wrong CRC; write it again", 0
status: ; follows message, as rsi does
        db 10, "vmos: exit 125", 10
status_end:
shutdown:
        db "Shutdown"
shutdown_end:

; What four bits do to the CRC
nibbles:
%assign nibble 0
%rep 16
    %assign crc nibble
    %rep 4
        %assign crc (crc >> 1) ^ ((crc & 1) * CRC32C_REFLECTED)
    %endrep
        dd crc
    %assign nibble nibble + 1
%endrep

section .text16 progbits alloc exec nowrite align=16
; void enter_kernel(u64 entry, struct boot_info *boot): the stack starts anew, with a null return address
enter_kernel:
        mov rax, rdi
        mov rdi, rsi
        mov rsp, LOADER_STACK_END
        push 0
        xor ebp, ebp
        jmp rax

; The CPU pushes an error code for vectors 8, 10-14, 17, 21, 29 and 30 (AMD APM 2 table 8-1); the others get a 0.
%assign vector 0
%rep 32
        align 8
exception_%[vector]:
    %if vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21 && vector != 29 && vector != 30
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

        align 8
gdt:
        dq 0
        dq 0x00209b0000000000 ; KERNEL_CS: 64-bit code
        dq 0x00cf93000000ffff ; KERNEL_SS
        dq 0x00009b000000ffff ; CODE16 of bios.asm: base 0, limit 64 KiB, as real mode will keep them
        dq 0x000093000000ffff ; DATA16
gdt_end:

; Ten bytes in long mode; lgdt in 16-bit mode reads the first six.
loader_gdt_pointer:
        dw gdt_end - gdt - 1
        dq gdt
loader_idt_pointer:
        dw idt_end - idt - 1
        dq idt
