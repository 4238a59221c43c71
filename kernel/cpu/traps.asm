; Every way into the kernel and every way out (trap.h has the idea). Rules that hold on every line here:
; - interrupts are off, but an NMI, a #MC or a #DB can come between any two instructions; they have stacks of their own
;   and find out what GS is, so RSP and GS may hold the program's values for a moment;
; - from an NMI to its IRETQ nothing faults or traps, and no other IRETQ runs: with it the CPU would let the next NMI in,
;   onto the same stack. A machine check in between never returns;
; - while the program runs, KERNEL_GS_BASE is the CPU's struct; while the kernel runs, it is the program's GS base.
default rel
bits 64

%include "layout.inc"

RFLAGS_ONE  equ 2               ; the bit that is always set: interrupts, direction, trap and AC off
RFLAGS_TF   equ 1 << 8
RFLAGS_IF   equ 1 << 9
RFLAGS_RF   equ 1 << 16
RFLAGS_AC   equ 1 << 18
MSR_GS_BASE equ 0xc0000101

extern syscall_from_program, syscall_quick, quick_calls, trap_from_program, trap_from_kernel, panic_at
global trap_stubs, syscall_entry, resume_by_iret, resume_by_sysret
global user_compare_exchange, usercopy, usercopy_failed, usercopy_end, panic

; each push, a, b: push a, then push b
%macro each 2-*
  %xdefine instruction %1
  %rep %0 - 1
    %rotate 1
        instruction %1
  %endrep
%endmacro

; The general registers of struct registers, below vector and error. Clobbers only RSP.
%define push_registers each push, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
%define pop_registers each pop, r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax

section .text

; One stub per vector, so that the vector is known. The CPU pushes an error code for some (Intel SDM 3A 6.13); the
; others push a zero in its place. A vector is pushed as a signed byte, the shortest way; trap takes the sign away.
trap_stubs:
%assign vector 0
%rep 256
  %if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
        push    0
  %endif
        push    byte vector - (vector >> 7 << 8)
        jmp     near trap
        times (vector + 1) * TRAP_STUB_SIZE - ($ - trap_stubs) int3 ; to the next stub's place
  %assign vector vector + 1
%endrep

; In: the CPU's frame, error and vector on this vector's IST stack, which the CPU aligned to 16 bytes. From the program
; all of it goes into the current context and the kernel goes on with a fresh slot stack; from the kernel it stays here.
trap:
        cld
        push_registers
        movzx   eax, byte [rsp + REGISTERS_VECTOR]
        mov     [rsp + REGISTERS_VECTOR], rax
        mov     ecx, MSR_GS_BASE        ; CS would not tell: an NMI after SYSCALL comes from the kernel with the
        rdmsr                           ; program's GS
        shl     rdx, 32
        or      rax, rdx
        mov     rdi, rsp
        mov     rdx, rsp
        and     rdx, -SLOT_SIZE         ; IST stacks lie in struct cpu at the bottom of the slot
        xor     r12d, r12d
        cmp     rax, rdx
        je      .gs_is_ours
        swapgs
        inc     r12d                    ; swap back if this returns to the kernel
.gs_is_ours:
        test    byte [rsp + REGISTERS_RFLAGS + 1], RFLAGS_IF >> 8
        jz      .from_kernel            ; cpu_ran_program in cpu.h says why this tells
        cmp     byte [gs:CPU_OPEN], 1
        je      .from_kernel
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
        push    RFLAGS_ONE              ; usercopy runs with AC
        popfq
        push    qword [rdi + REGISTERS_RIP] ; as if it had called this, for backtraces: a return address lies behind
        inc     qword [rsp]             ; its call
        push    rbp
        mov     rbp, rsp
        call    trap_from_kernel        ; rdi = struct registers, which it may change
        add     rsp, 16
        mov     rdi, rsp
        test    r12d, r12d
        jnz     resume_by_iret
        pop_registers
        add     rsp, 16                 ; vector, error
        iretq

; In: rcx = the program's rip, r11 = its rflags, everything else as the program left it, RSP and GS included.
;
; Calls that are done in a few instructions, and never wait, look at no memory of the program and change no register but
; the result, are tried first (quick_calls has a bit for each number): for them the C compiler keeps what a function has
; to keep, and the others are on the stack. What is not done then begins anew, with all registers.
syscall_entry:
        swapgs
        mov     [gs:CPU_SCRATCH], rsp
        cmp     eax, QUICK_NUMBERS
        jae     ..@all
        bt      [quick_calls], eax
        jnc     ..@all
        test    r11d, RFLAGS_TF | RFLAGS_RF ; SYSRET cannot go on with these (trap_can_sysret)
        jnz     ..@all
        mov     rsp, [gs:CPU_STACK_TOP]
        each push, rcx, r11, rax, r9, r8, r10, rdx, rsi, rdi, rbp
        mov     rdi, [gs:CPU_CURRENT]
        lea     rsi, [rsp + 8]          ; struct quick
        xor     ebp, ebp                ; backtraces end here
        call    syscall_quick
        each pop, rbp, rdi, rsi, rdx, r10, r8, r9
        cmp     rax, QUICK_NOT
        je      ..@not_done
        lea     rsp, [rsp + 8]
        each pop, r11, rcx
        mov     rsp, [gs:CPU_SCRATCH]
        swapgs
        o64 sysret
..@not_done:
        each pop, rax, r11, rcx
..@all:
        mov     rsp, [gs:CPU_CURRENT]
        lea     rsp, [rsp + REGISTERS_SIZE]
        each push, USER_SS, qword [gs:CPU_SCRATCH], r11, USER_CS, rcx
        each push, 0, VECTOR_SYSCALL      ; error, vector
        push_registers
        mov     rsp, [gs:CPU_STACK_TOP]
        xor     ebp, ebp
        call    syscall_from_program    ; does not return

; In: rdi = struct registers with the program's GS and a canonical rip. RSP points into it until all are loaded.
resume_by_iret:
        mov     rsp, rdi
        pop_registers
        swapgs
        add     rsp, 16                 ; vector, error
        iretq

; In: rdi = context with rcx == rip, canonical, and r11 == rflags: SYSRET takes them from there. A non-canonical rcx
; would fault in the kernel on the program's stack (Intel SDM 2B, SYSRET).
resume_by_sysret:
        mov     rsp, rdi
        pop_registers
        mov     rsp, [rsp + 40]         ; over vector, error, rip, cs, rflags
        swapgs
        o64 sysret

; bool usercopy(rdi = to, rsi = from, rdx = bytes), one of the two being the program's. With SMAP a user page may be
; touched only while AC is set; POPFQ sets it on every CPU, STAC only where there is SMAP. Clobbers what C functions may.
; bool user_compare_exchange(rdi = u32 of the program, rsi = u32 that it is expected to be and then was, edx = new one)
user_compare_exchange:
        push    RFLAGS_ONE | RFLAGS_AC
        popfq
        mov     eax, [rsi]
        lock cmpxchg [rdi], edx
        mov     [rsi], eax
        jmp     usercopy_end
usercopy:
        push    RFLAGS_ONE | RFLAGS_AC
        popfq
        mov     rcx, rdx
        shr     rcx, 3
        rep movsq
        mov     ecx, edx
        and     ecx, 7
        rep movsb
usercopy_end:
        mov     eax, 1
.return:
        push    RFLAGS_ONE
        popfq
        ret
usercopy_failed:
        xor     eax, eax
        jmp     usercopy_end.return

; void panic(const char *fmt, ...): panic_at(fmt, its other arguments as a va_list, the caller's registers as they are).
panic:
        each push, KERNEL_SS, rsp
        pushfq
        add     qword [rsp + 8], 16     ; rsp before the call: over ss and the return address
        each push, KERNEL_CS, qword [rsp + 32]
        sub     qword [rsp], 5          ; rip: of the call, which is 5 bytes long
        each push, 0, 0                 ; error, vector
        push_registers
        mov     r10, rsp
        lea     r11, [rsp + REGISTERS_SIZE + 8] ; arguments on the stack
        each push, r9, r8, rcx, rdx, rsi, rdi
        mov     rcx, rsp
        each push, rcx, r11             ; va_list (System V psABI, x86-64, 3.5.7): arguments in registers, those on the
        mov     rcx, 48 << 32 | 8       ; stack, and how many bytes of the former are used up: vector ones all, of the
        push    rcx                     ; general ones fmt
        mov     rsi, rsp
        mov     rdx, r10
        call    panic_at                ; does not return

section .note.GNU-stack noalloc noexec nowrite progbits
