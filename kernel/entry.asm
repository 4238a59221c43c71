; The three places where the kernel is entered or moves: from the loader, out of the low kernel, into the high kernel.
default rel
bits 64

%include "layout.inc"

extern kernel_low, kernel_high
global kernel_entry, kernel_leave_low, kernel_high_entry

section .text

; From the loader: rdi = struct boot_info, identity map, interrupts off, the loader's stack and IDT. Does not return.
kernel_entry:
        xor     ebp, ebp                ; backtraces end here
        call    kernel_low
        ud2                             ; kernel_low never returns

; rdi = the handover as seen in the window, rsi = final CR3, rdx = stack top, rcx = address of kernel_high_entry in the
; final address space. The loader's tables map all four already, so the stack can go before the identity map does.
kernel_leave_low:
        mov     rsp, rdx
        jmp     rcx

; rdi, rsi as above. From here on there is no identity map.
kernel_high_entry:
        mov     cr3, rsi
        xor     ebp, ebp
        call    kernel_high
        ud2                             ; kernel_high never returns

section .note.GNU-stack noalloc noexec nowrite progbits
