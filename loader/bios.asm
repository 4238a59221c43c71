; The way to the BIOS and back: long mode -> 16-bit compatibility mode -> real mode, one interrupt, and back. All of it
; lies below 64 KiB (loader.ld), so real mode runs with segments 0 and the linker's addresses. Nothing is assumed to
; survive a BIOS call but SS:SP and memory: no register, no flag, not those of GDT and IDT.
%include "layout.inc"

extern loader_gdt_pointer, loader_idt_pointer
global bios_call, bios_calls

CODE16 equ 0x10 ; in the GDT of entry.asm
REGS equ 40 ; sizeof(struct bios_regs)
CR0_PE equ 1 << 0 ; protection
CR0_PG equ 1 << 31 ; paging
CR4_PAE equ 1 << 5 ; physical address extension
MSR_EFER equ 0xc0000080
EFER_LME equ 1 << 8 ; long mode enable

default abs ; all of it lies below 64 KiB

section .text16 progbits alloc exec nowrite align=16
bits 64
; void bios_call(u8 interrupt, struct bios_regs *regs)
; in: registers and flags of the call in *regs. out: the same after the call.
; The high halves of registers do not survive compatibility mode (AMD APM 3 1.2.5), so callee-saved ones are pushed.
bios_call:
        push rbx
        push rbp
        push r12
        push r13
        push r14
        push r15
        push rsi
        inc dword [bios_calls]
        mov [interrupt + 1], dil ; int takes its number from the instruction only
        mov edi, REAL_STACK_END - REGS
        mov ecx, REGS / 8
        rep movsq
        mov [long_rsp], rsp
        push CODE16
        push to_real
        o64 retf

; Intel SDM 3 9.8.5.4 and 9.9.2: paging off first, then protection off. The data segments need no new 64 KiB limits:
; long mode ignores them (AMD APM 2 4.5.3), so nothing has loaded them since real mode was left.
bits 16
to_real:
        mov eax, cr0
        and eax, ~CR0_PG
        mov cr0, eax
        mov ecx, MSR_EFER
        rdmsr
        and eax, ~EFER_LME
        wrmsr
        mov eax, cr4
        and eax, ~CR4_PAE
        mov cr4, eax
        mov eax, cr0
        and eax, ~CR0_PE
        mov cr0, eax
        jmp 0:real
real:
        xor ax, ax
        mov ds, ax
        lidt [real_idt_pointer]
        mov ax, REAL_STACK >> 4
        mov ss, ax
        mov esp, REAL_STACK_END - REAL_STACK - REGS
        popad
        pop ds
        pop es
        popf
        sti ; disk and timer of the BIOS need interrupts
interrupt:
        int 0
        pushf
        cli ; the last call may have left interrupts on, and there is no real-mode IDT from here
        cld
        push es
        push ds
        pushad
        xor ax, ax
        mov ds, ax
        o32 lgdt [loader_gdt_pointer]
        mov eax, cr4
        or eax, CR4_PAE
        mov cr4, eax
        mov eax, BOOT_PML4
        mov cr3, eax
        mov ecx, MSR_EFER
        rdmsr
        or eax, EFER_LME
        wrmsr
        mov eax, cr0
        or eax, CR0_PE | CR0_PG
        mov cr0, eax
        jmp KERNEL_CS:to_long

bits 64
to_long:
        lidt [loader_idt_pointer]
        mov rsp, [long_rsp]
        mov esi, REAL_STACK_END - REGS
        pop rdi
        mov ecx, REGS / 8
        rep movsq
        pop r15
        pop r14
        pop r13
        pop r12
        pop rbp
        pop rbx
        ret

        align 8
long_rsp:
        dq 0
bios_calls:
        dd 0
real_idt_pointer: ; the interrupt vector table
        dw 0x3ff
        dd 0
