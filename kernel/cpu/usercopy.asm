; The only code of the kernel that touches the program's memory. A page fault in here at a user address is mended by
; the program's rooms, or goes on at usercopy_failed; so nothing here may have anything on the stack but its return.
default rel
bits 64

global usercopy_start, usercopy_end, usercopy_failed, usercopy_copy, usercopy_clear, usercopy_string
global usercopy_smap

; With SMAP a user page may be touched only while AC is set; without it STAC is an invalid instruction.
%macro allow 0
        cmp     byte [usercopy_smap], 0
        je      %%no_smap
        stac
%%no_smap:
%endmacro

%macro forbid 0
        cmp     byte [usercopy_smap], 0
        je      %%no_smap
        clac
%%no_smap:
%endmacro

section .text

usercopy_start:

; bool usercopy_copy(rdi = to, rsi = from, rdx = bytes), one of the two being the program's.
usercopy_copy:
        allow
        mov     rcx, rdx
        shr     rcx, 3
        rep movsq
        mov     ecx, edx
        and     ecx, 7
        rep movsb
        forbid
        mov     eax, 1
        ret

; bool usercopy_clear(rdi = to, rsi = bytes)
usercopy_clear:
        allow
        xor     eax, eax
        mov     rcx, rsi
        shr     rcx, 3
        rep stosq
        mov     ecx, esi
        and     ecx, 7
        rep stosb
        forbid
        mov     eax, 1
        ret

; s64 usercopy_string(rdi = to, rsi = from, rdx = max): bytes before the NUL, or max, or usercopy_failed's value.
usercopy_string:
        allow
        xor     ecx, ecx
.next:
        cmp     rcx, rdx
        je      .done
        mov     al, [rsi + rcx]
        mov     [rdi + rcx], al
        test    al, al
        jz      .done
        inc     rcx
        jmp     .next
.done:
        forbid
        mov     rax, rcx
        ret

usercopy_end:

; rax = -256: negative for the string, and al = 0 is false for the others.
usercopy_failed:
        forbid
        mov     rax, -256
        ret

section .bss
usercopy_smap: resb 1

section .note.GNU-stack noalloc noexec nowrite progbits
