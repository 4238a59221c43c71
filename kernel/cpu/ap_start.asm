; Where the other CPUs come from: real mode in some page below 1 MiB, to which ap_start is copied, then the kernel. A
; machine check or an NMI before cpu_init() resets the machine: nobody can take it yet.
default rel

%include "layout.inc"

CR4_PAE      equ 0x20
MSR_EFER     equ 0xc0000080
CR0_PE_ET_PG equ 0x80000011             ; and the caches on, which INIT leaves off (CD = NW = 0)

extern cpus_root, cpus_next, cpus_made, cpu_arrive
global ap_start, ap_values, ap_enter

section .text

; From the SIPI: CS = the page / 16, IP = 0, everything else as after INIT. As in start.asm, protection and paging come in
; one write, and the far jump then goes from 16-bit to 64-bit code. DS keeps the page as its base until then.
bits 16
ap_start:
        cli
        mov     ax, cs
        mov     ds, ax
        o32 lgdt [ap_values.gdtr - ap_start]
        mov     eax, CR4_PAE
        mov     cr4, eax
        mov     eax, [ap_values.root - ap_start]
        mov     cr3, eax
        mov     ecx, MSR_EFER
        mov     eax, [ap_values.efer - ap_start]
        xor     edx, edx
        wrmsr
        mov     eax, CR0_PE_ET_PG
        mov     cr0, eax
        jmp     dword far [ap_values.jump - ap_start]

bits 64
.long_mode:
        jmp     [ap_values.entry]

gdt_code:
        dq      0x00209b0000000000      ; 64-bit code, ring 0

; struct ap_values, which cpus_wake() completes in the copy.
ap_values:
.entry: dq      0                       ; of the kernel
.root:  dd      0                       ; CR3
.efer:  dd      0
.jump:  dd      ap_start.long_mode - ap_start
        dw      KERNEL_CS
.gdtr:  dw      KERNEL_CS + 7           ; selector 0 is never read
        dd      gdt_code - ap_start - KERNEL_CS

; At its final address, on the first tables, whose upper half is the kernel's. Takes the next number, and with it a
; slot; a CPU for which none was made stops here.
ap_enter:
        mov     rax, [cpus_root]
        mov     cr3, rax
        mov     edi, 1
        lock xadd [cpus_next], edi
        cmp     edi, [cpus_made]
        jae     .none
        lea     ecx, [rdi + 1]
        imul    rcx, rcx, SLOT_SIZE
        mov     rsp, SLOTS
        add     rsp, rcx                ; the stack's top is the slot's end
        xor     ebp, ebp                ; backtraces end here
        call    cpu_arrive              ; edi = number; does not return
.none:  cli
        hlt
        jmp     .none

section .note.GNU-stack noalloc noexec nowrite progbits
