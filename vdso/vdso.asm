; The vDSO: a shared object in a page of the program's that AT_SYSINFO_EHDR points to. C libraries look up the names of
; Linux's (vdso(7)) and call them instead of the system; dietlibc does so without a look at whether there is one. What
; they return is what the system call returns: 0 or a value, or an errno made negative.
        bits    64
        default rel

%macro entry 2                          ; name, number of the system call
        global  __vdso_%1:function (%%end - __vdso_%1)
        align   16, int3
__vdso_%1:
        mov     eax, %2
        syscall
        ret
%%end:
%endmacro

        section .text
        entry   clock_gettime, 228
        entry   gettimeofday, 96
        entry   time, 201
        entry   getcpu, 309
        entry   clock_getres, 229

        section .note.GNU-stack noalloc noexec nowrite progbits
