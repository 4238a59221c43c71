; Every way into the kernel and every way out (trap.h has the idea). Rules that hold on every line here:
; - interrupts are off, but an NMI, a #MC or a #DB can come between any two instructions; they have stacks of their own
;   and find out what GS is, so RSP and GS may hold the program's values for a moment;
; - while the program runs, KERNEL_GS_BASE is the CPU's struct; while the kernel runs, it is the program's GS base.
default rel
bits 64

%include "layout.inc"

RFLAGS_ONE  equ 2               ; the bit that is always set: interrupts, direction, trap and AC off
MSR_GS_BASE equ 0xc0000101

extern syscall_from_program, trap_from_program, trap_from_kernel, resume_failed, panic_with, panic_registers
global trap_stubs, syscall_entry, resume_by_iret, resume_by_sysret, resume_iretq, resume_iretq_failed, panic

section .text

; The general registers of struct registers, below vector and error. Clobbers only RSP.
%macro push_registers 0
        push    rax
        push    rcx
        push    rdx
        push    rbx
        push    rbp
        push    rsi
        push    rdi
        push    r8
        push    r9
        push    r10
        push    r11
        push    r12
        push    r13
        push    r14
        push    r15
%endmacro

%macro pop_registers 0
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     r11
        pop     r10
        pop     r9
        pop     r8
        pop     rdi
        pop     rsi
        pop     rbp
        pop     rbx
        pop     rdx
        pop     rcx
        pop     rax
%endmacro

; One stub per vector, so that the vector is known. The CPU pushes an error code for some (Intel SDM 3A 6.13); the
; others push a zero in its place.
        align   TRAP_STUB_SIZE
trap_stubs:
%assign vector 0
%rep 256
        align   TRAP_STUB_SIZE
  %if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
  %else
        push    0
  %endif
        push    dword vector
        jmp     near trap
  %assign vector vector + 1
%endrep

; In: the CPU's frame, error and vector on this vector's IST stack, which the CPU aligned to 16 bytes. From the program
; all of it goes into the current context and the kernel goes on with a fresh slot stack; from the kernel it stays here.
trap:
        cld
        push_registers
        mov     ecx, MSR_GS_BASE        ; CS would not tell: an NMI after SYSCALL comes from the kernel with the
        rdmsr                           ; program's GS
        shl     rdx, 32
        or      rax, rdx
        mov     rdx, rsp
        and     rdx, -SLOT_SIZE         ; IST stacks lie in struct cpu at the bottom of the slot
        xor     r12d, r12d
        cmp     rax, rdx
        je      .gs_is_ours
        swapgs
        inc     r12d                    ; swap back if this returns to the kernel
.gs_is_ours:
        mov     rdi, rsp
        test    byte [rsp + REGISTERS_CS], 3
        jz      .from_kernel
        mov     rsi, rsp
        mov     rdi, [gs:CPU_CURRENT]
        mov     ecx, REGISTERS_SIZE / 8
        rep movsq
        mov     rsp, [gs:CPU_STACK_TOP]
        push    RFLAGS_ONE              ; the program may have set AC, which lifts SMAP; CLAC is not on every CPU
        popfq
        xor     ebp, ebp                ; backtraces end here
        call    trap_from_program       ; does not return

.from_kernel:
        push    RFLAGS_ONE              ; the user copies run with AC
        popfq
        call    trap_from_kernel        ; rdi = struct registers, which it may change
        test    r12d, r12d
        jz      .return
        swapgs
.return:
        pop_registers
        add     rsp, 16                 ; vector, error
        iretq

; In: rcx = the program's rip, r11 = its rflags, everything else as the program left it, RSP and GS included.
syscall_entry:
        swapgs
        mov     [gs:CPU_SCRATCH], rsp
        mov     rsp, [gs:CPU_CURRENT]
        lea     rsp, [rsp + REGISTERS_SIZE]
        push    USER_SS
        push    qword [gs:CPU_SCRATCH]
        push    r11
        push    USER_CS
        push    rcx
        push    0                       ; error
        push    VECTOR_SYSCALL
        push_registers
        mov     rsp, [gs:CPU_STACK_TOP]
        xor     ebp, ebp
        call    syscall_from_program    ; does not return

; In: rdi = context, whose registers are the stack until they are loaded.
resume_by_iret:
        mov     rsp, rdi
        pop_registers
        swapgs
        add     rsp, 16                 ; vector, error
resume_iretq:
        iretq                           ; faults here, in the kernel, when rip is not canonical

; After such a fault, on a slot stack made anew; the interrupted GS was the program's and was given back.
resume_iretq_failed:
        swapgs
        xor     ebp, ebp
        call    resume_failed           ; does not return

; In: rdi = context with rcx == rip < USER_END and r11 == rflags: SYSRET takes them from there. A non-canonical rcx
; would fault in the kernel on the program's stack (Intel SDM 2B, SYSRET).
resume_by_sysret:
        mov     rsp, rdi
        pop_registers
        mov     rsp, [rsp + 40]         ; over vector, error, rip, cs, rflags
        swapgs
        o64 sysret

; void panic(const char *fmt, ...): stores the caller's registers as they are, then panic_with() with the same
; arguments, as if the caller had called it.
panic:
        push    rax
        lea     rax, [panic_registers + REGISTERS_SIZE]
        xchg    rax, rsp                ; rax = own stack
        push    KERNEL_SS
        push    rax
        add     qword [rsp], 16         ; rsp before the call: over rax and the return address
        pushfq
        push    KERNEL_CS
        push    qword [rax + 8]         ; rip: of the call, which is 5 bytes long
        sub     qword [rsp], 5
        push    0                       ; error, vector: none
        push    0
        push    qword [rax]             ; the caller's rax
        push    rcx
        push    rdx
        push    rbx
        push    rbp
        push    rsi
        push    rdi
        push    r8
        push    r9
        push    r10
        push    r11
        push    r12
        push    r13
        push    r14
        push    r15
        mov     rsp, rax
        pop     rax                     ; al: number of vector arguments, part of a variadic call
        jmp     panic_with

section .note.GNU-stack noalloc noexec nowrite progbits
