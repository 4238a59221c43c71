; The vDSO as a file: build.sh links it of vdso/.
        section .rodata
        global  vdso_image, vdso_image_end
vdso_image:
        incbin  "out/vdso.so"
vdso_image_end:

        section .note.GNU-stack noalloc noexec nowrite progbits
