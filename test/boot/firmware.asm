; A boot sector that stands between the firmware and vmos, which lies on the second disk: takes memory from the top of
; the conventional part as a BIOS does, hooks int 10h, 13h and 15h and starts the real sector. What those calls then do
; wrong is in the words below; firmware.py finds each by its name in this file and patches it. One byte per call goes
; to port TRACE: e extended read, c read by CHS (E, C: with a fault), r reset, g geometry, k EDD check, p parameters,
; x call for another drive, m memory map, a A20, l long mode, v video mode, t a letter on the screen.
        bits 16
        org 0
SECTORS equ 30          ; of this, code and memory map
MAP     equ 2560        ; entries of 20 bytes
TRACE   equ 0x403
MBR     equ 0x7c00
        jmp 0x7c0:begin
        align 8

; ---- words ----
memory_kib      dw 620          ; what 0x413 says; this code lies above, behind 1 KiB of room for the EBDA
ebda            dw 0            ; segment the EBDA is moved to; 0: it stays
real            dw 0x81         ; the disk with vmos on it, in the firmware's numbers
drive           dw 0x80         ; the number by which vmos reaches it
start_dl        dw 0x80
start_cs        dw 0            ; 0 or 0x7c0
start_flags     dw 0x202
video_mode      dw 0            ; set before the start, if not 0
timer           dw 0            ; divisor of the timer's 1193182 Hz, if not 0
mode_hangs      dw 0            ; int 10h does not come back from setting a mode
flags_keep      dw 0xffff       ; what a call leaves of the flags,
flags_set       dw 0            ;   and what it sets
trash           dw 0            ; 1: all registers but results, and GDTR, 2: ES, DS, FS, GS
edd             dw 1            ; 0: no such calls, 1: they are there, 2: AH=41h promises them and reads fail
sector_size     dw 512          ; what AH=48h says
spt             dw 63           ; the geometry
spt_told        dw 63           ;   and what AH=08h says
heads           dw 16
geometry_carry  dw 0            ; AH=08h succeeds with CF set
edd_most        dw 127          ; sectors of one read
chs_most        dw 63
size_mask       dw 0            ; an extended read fails when its count has one of these bits
over            dw 0            ; too many: 0 error, 1 error behind the first ones, 2 fewer and says so, 3 fewer and lies
fail_from       dw 1            ; reads, counted from 1, that go wrong
fail_count      dw 0
fail_every      dw 0            ;   and every k-th
fault           dw 0            ; 0 error, 1 data and error, 2 a wrong bit, 3 half and error, 4 nothing arrives
fault_status    dw 4
sticky          dw 0            ; after an error no read works until the reset
slow            dw 0            ; ticks of 55 ms for a read
lba_shift       dw 0
a20_off         dw 0            ; 1: at the start, 2: after each int 13h, 4: after each int 10h
a20_call        dw 0            ; int 15h 2401h: 0 works, 1 lies, 2 fails
map_count       dw 0            ; entries of the memory map; 0: the firmware's own
map_mode        dw 0            ; 1: ends by CF, 2: never ends, 4: writes what differs only, 8: 24 bytes, 16: SMAP lost
pokes           times 32 dw 0   ; offset and byte: changes to the sector in memory

; ---- the start ----
begin:  cli
        cld
        xor ax, ax
        mov ss, ax
        mov sp, MBR
        mov es, ax
        mov ax, MBR >> 4
        mov ds, ax
        sti
        mov ax, [memory_kib]
        mov [es:0x413], ax
        shl ax, 6
        add ax, 64
        mov [packet + 6], ax
        push ax
        push main
        mov dl, 0x80
        call read_packet
        retf

; in: packet, dl drive
read_packet:
        push ds
        push cs
        pop ds
        mov si, packet
        mov ah, 0x42
        pushf
        call far [old13]
        pop ds
        ret
first13:                                ; int 13h before it is hooked
        int 0x13
        retf 2

packet  dw 16, SECTORS, 0, 0
        dq 0
no_gdt  dw 0, 0, 0
old10   dd 0
old13   dw first13, MBR >> 4
old15   dd 0

        times 510 - ($ - $$) db 0
        dw 0xaa55

%macro hook 1
        mov eax, [es:0x%1 * 4]
        mov [old%1], eax
        mov word [es:0x%1 * 4], int%1
        mov [es:0x%1 * 4 + 2], cs
%endmacro

main:   mov ax, cs
        mov ds, ax
        xor ax, ax
        mov es, ax
        cli
        hook 10
        hook 13
        hook 15
        mov ax, [ebda]
        test ax, ax
        jz .stays
        push ds
        push es
        mov ds, [es:0x40e]
        mov [es:0x40e], ax
        mov es, ax
        xor si, si
        mov di, si
        mov cx, 512
        rep movsw
        pop es
        pop ds
.stays: sti
        mov word [packet + 2], 1
        mov word [packet + 4], MBR
        mov [packet + 6], es
        mov dl, [real]
        call read_packet
        mov si, pokes
.poke:  lodsw
        xchg bx, ax
        lodsw
        test bx, bx
        jz .poked
        mov [es:MBR + bx], al
        jmp .poke
.poked: mov ax, [video_mode]
        test ax, ax
        jz .text
        int 0x10
.text:  mov ax, [timer]
        test ax, ax
        jz .slow
        out 0x40, al
        mov al, ah
        out 0x40, al
.slow:  mov al, 1
        call a20
        mov ax, 0x5000
        mov ss, ax
        mov esp, 0xdead1234
        push word [start_flags]
        mov ax, [start_cs]
        push ax
        shl ax, 4
        neg ax
        add ax, MBR
        push ax
        mov edx, 0xdeadbe00
        mov dl, [start_dl]
        mov eax, 0xdeadbeef
        mov ebx, eax
        mov ecx, eax
        mov esi, eax
        mov edi, eax
        mov ebp, eax
        mov ds, ax
        mov es, ax
        mov fs, ax
        mov gs, ax
        iret

; Switches A20 off if a20_off has the bit in al. Clobbers ax.
a20:    test [cs:a20_off], al
        jz .end
        in al, 0x92
        and al, 0xfc
        out 0x92, al
.end:   ret

; ---- what the three calls share: bp = the caller's registers, ds = cs ----
%define EDI     bp
%define ESI     bp + 4
%define EBP     bp + 8
%define EBX     bp + 16
%define EDX     bp + 20
%define ECX     bp + 24
%define EAX     bp + 28
%define DS_     bp + 32
%define ES_     bp + 34
%define FLAGS   bp + 40

%macro enter_call 0
        push es
        push ds
        pushad
        mov bp, sp
        push cs
        pop ds
        sti
        cld
%endmacro

; Spoils what no result is: called before results are put into the frame.
spoil:  test byte [trash], 1
        jz .segments
        push eax
        mov eax, 0xdeadbeef
        mov [EDI], eax
        mov [ESI], eax
        mov [EBP], eax
        mov [EBX], eax
        mov [EDX], eax
        mov [ECX], eax
        mov [EAX], eax
        pop eax
        lgdt [no_gdt]
.segments:
        test byte [trash], 2
        jz .end
        mov word [DS_], 0xdead
        mov word [ES_], 0xbeef
        mov fs, [DS_]
        mov gs, [ES_]
.end:   ret

; al: 1 the call failed. Does not come back.
leave_call:
        mov cx, [FLAGS]
        and cx, [flags_keep]
        or cx, [flags_set]
        and cl, 0xfe
        or cl, al
        mov [FLAGS], cx
        popad
        pop ds
        pop es
        iret

%macro trace 1
        push ax
        push dx
        mov al, %1
        mov dx, TRACE
        out dx, al
        pop dx
        pop ax
%endmacro

; ---- int 10h ----
int10:  enter_call
        cmp byte [EAX + 1], 0x0e
        je .teletype
        cmp byte [EAX + 1], 0
        je .mode
        cmp word [EAX], 0x4f02
        jne .chain
.mode:  trace 'v'
        cmp word [mode_hangs], 0
        jne $
.chain: popad
        pop ds
        pop es
        jmp far [cs:old10]
.teletype:
        trace 't'
        mov ax, [EAX]
        mov bx, [EBX]
        pushf
        call far [old10]
        mov bp, sp
        mov al, 4
        call a20
        call spoil
        mov al, 0
        jmp leave_call

; ---- int 15h ----
int15:  enter_call
        mov ax, [EAX]
        cmp ax, 0x2401
        je .a20
        cmp ax, 0xe820
        je map
        cmp ax, 0xec00
        jne .chain
        trace 'l'
        jmp .fail
.a20:   trace 'a'
        cmp word [a20_call], 1
        je .done
        ja .fail
        in al, 0x92
        or al, 2
        out 0x92, al
.done:  call spoil
        mov byte [EAX + 1], 0
        mov al, 0
        jmp leave_call
.fail:  call spoil
        mov byte [EAX + 1], 0x86
        mov al, 1
        jmp leave_call
.chain: popad
        pop ds
        pop es
        jmp far [cs:old15]

map:    trace 'm'
        mov cx, [map_count]
        test cx, cx
        jz .real
        cmp dword [EDX], 0x534d4150
        jne int15.fail
        cmp dword [ECX], 20
        jb int15.fail
        mov bx, [EBX]
        cmp bx, cx
        je int15.fail                   ; the call behind the last entry
        imul si, bx, 20
        add si, MAP
        mov di, [EDI]
        mov es, [ES_]
        mov dx, 5
.field: mov eax, [si]
        test byte [map_mode], 4
        jz .write
        test bx, bx
        jz .write
        cmp eax, [si - 20]
        je .same
.write: mov [es:di], eax
.same:  add si, 4
        add di, 4
        dec dx
        jnz .field
        test byte [map_mode], 8
        jz .short
        mov dword [es:di], 0
.short: inc bx
        cmp bx, cx
        jb .more
        test byte [map_mode], 2
        jz .last
        mov bx, 1
        jmp .more
.last:  test byte [map_mode], 1
        jnz .more
        xor bx, bx
.more:  call spoil
        movzx ebx, bx
        mov [EBX], ebx
        mov dword [ECX], 20
        test byte [map_mode], 8
        jz .twenty
        mov byte [ECX], 24
.twenty:
        mov dword [EAX], 0x534d4150
        test byte [map_mode], 16
        jz .signed
        cmp bx, 2
        jne .signed
        mov byte [EAX], 0
.signed:
        mov al, 0
        jmp leave_call
; The firmware's own map: what it gives back goes to the caller with the rest spoilt.
.real:  mov eax, [EAX]
        mov ebx, [EBX]
        mov ecx, [ECX]
        mov edx, [EDX]
        mov di, [EDI]
        mov es, [ES_]
        pushf
        call far [old15]
        mov bp, sp
        setc dl
        call spoil
        mov [EAX], eax
        mov [EBX], ebx
        mov [ECX], ecx
        mov al, dl
        jmp leave_call

; ---- int 13h ----
int13:  enter_call
        mov al, [EDX]
        cmp al, [drive]
        jne .other
        mov al, [EAX + 1]
        cmp al, 0x42
        je extended
        cmp al, 2
        je by_chs
        cmp al, 0
        je .reset
        cmp al, 8
        je .geometry
        cmp al, 0x41
        je .check
        cmp al, 0x48
        je .parameters
.other: trace 'x'
.fail:  mov ah, 1
end13:  mov al, 2
        push ax
        call a20
        pop ax
        call spoil
        mov [EAX + 1], ah
        cmp ah, 0
        setne al
carry13:
        jmp leave_call

int13.reset:
        trace 'r'
        mov word [stuck], 0
        mov ah, 0
        jmp end13
int13.geometry:
        trace 'g'
        call spoil
        mov cl, [spt_told]
        and cl, 0x3f
        mov ch, 0xff
        mov [ECX], cx
        mov dh, [heads]
        dec dh
        mov dl, 1
        mov [EDX], dx
        mov word [ES_], 0xdead
        mov word [EDI], 0xdead
        mov byte [EAX + 1], 0
        mov al, [geometry_carry]
        jmp carry13
int13.check:
        trace 'k'
        cmp word [edd], 0
        je int13.fail
        call spoil
        mov byte [EAX + 1], 0x30
        mov word [EBX], 0xaa55
        mov word [ECX], 7
        mov al, 0
        jmp carry13
int13.parameters:
        trace 'p'
        cmp word [edd], 1
        jne int13.fail
        push ds
        mov si, [ESI]
        mov ax, [sector_size]
        mov ds, [DS_]
        mov word [si], 26
        mov [si + 24], ax
        pop ds
        mov ah, 0
        jmp end13

; Each read fills the packet and says in [most] how many sectors there may be.
most    dw 0
reads   dw 0
stuck   dw 0
kind    db 0
bad     db 0                            ; 1: this read is one of those that go wrong
full    dw 0
slot    dd 0                            ; where the caller's packet keeps its count; 0: it has none

extended:
        mov byte [kind], 'e'
        mov es, [DS_]
        mov si, [ESI]
        lea ax, [si + 2]
        mov [slot], ax
        mov [slot + 2], es
        cmp word [es:si], 16            ; what is reserved is 0, as is the upper half of the sector's number
        jne broken
        cmp dword [es:si + 12], 0
        jne broken
        mov eax, [es:si + 2]            ; count, offset
        mov [packet + 2], eax
        mov ax, [es:si + 6]
        mov [packet + 6], ax
        mov eax, [es:si + 8]
        mov cx, [edd_most]
        cmp word [edd], 1
        je transfer
broken: trace 'E'
        jmp int13.fail

by_chs: mov byte [kind], 'c'
        mov dword [slot], 0
        mov al, [EAX]
        mov ah, 0
        mov [packet + 2], ax
        mov ax, [EBX]
        mov [packet + 4], ax
        mov ax, [ES_]
        mov [packet + 6], ax
        mov cx, [ECX]
        movzx ebx, cl
        and bl, 0x3f
        jz broken
        cmp bx, [spt]
        ja broken
        mov ax, [spt]                   ; no read goes on in the next track
        sub ax, bx
        inc ax
        cmp [packet + 2], ax
        ja broken
        movzx edx, byte [EDX + 1]
        cmp dx, [heads]
        jae broken
        shr cl, 6
        xchg cl, ch
        movzx eax, cx
        movzx ecx, word [heads]
        imul eax, ecx
        add eax, edx
        movzx ecx, word [spt]
        imul eax, ecx
        lea eax, [eax + ebx - 1]
        mov cx, [chs_most]

; eax: the sector, cx: most
transfer:
        mov [most], cx
        movzx ecx, word [lba_shift]
        add eax, ecx
        mov [packet + 8], eax
        mov ax, [packet + 2]
        mov [full], ax
        mov byte [bad], 0
        mov ah, 0x80                    ; a driver that waits for its interrupt waits for ever
        test word [FLAGS], 0x200
        jz fail_read
        inc word [reads]
        mov cx, [slow]
        call wait_ticks
        mov ah, 9                       ; no ISA DMA over a 64 KiB line
        movzx ebx, word [packet + 6]
        shl ebx, 4
        movzx edx, word [packet + 4]
        add ebx, edx
        movzx ecx, word [full]
        test cx, cx
        jz fail_read
        shl ecx, 9
        lea ecx, [ebx + ecx - 1]
        xor ecx, ebx
        shr ecx, 16
        jnz fail_read
        mov ah, 0x80
        cmp word [stuck], 0
        jne fail_read
        mov ah, 1
        mov cx, [full]
        cmp byte [kind], 'c'
        je .size
        test cx, [size_mask]
        jnz fail_read
.size:
        cmp cx, [most]
        ja too_many
        mov ax, [reads]
        mov cx, [fail_every]
        jcxz .from
        xor dx, dx
        div cx
        test dx, dx
        jz faulty
        mov ax, [reads]
.from:  sub ax, [fail_from]
        jb good
        cmp ax, [fail_count]
        jae good

faulty: mov byte [bad], 1
        mov ah, [fault_status]
        mov bx, [fault]
        cmp bx, 4
        je nothing
        cmp bx, 3
        je half
        cmp bx, 1
        jb fail_read
        push ax
        call deliver
        pop ax
        je answer                       ; flags are still those of cmp bx, 1
        mov es, [packet + 6]
        mov bx, [packet + 4]
        mov cx, [packet + 2]
        shl cx, 8                       ; the middle
        add bx, cx
        xor byte [es:bx], 4
nothing:
        mov ah, 0
        jmp answer
half:   shr word [packet + 2], 1
        jz fail_read
        push ax
        call deliver
        pop ax
        jmp said
too_many:
        mov byte [bad], 1
        mov cx, [most]
        mov [packet + 2], cx
        mov ah, 1
        cmp word [over], 1
        jb fail_read
        push ax
        call deliver
        pop ax
        je said                         ; as above
        mov ah, 0
        cmp word [over], 3
        je answer
said:   mov cx, [packet + 2]            ; how many it were
        cmp dword [slot], 0
        je answer
        les bx, [slot]
        mov [es:bx], cx
        jmp answer
fail_read:
        mov byte [bad], 1
        mov cx, [sticky]
        mov [stuck], cx
        jmp answer
good:   call deliver
answer: mov al, [kind]
        cmp byte [bad], 0
        je .small
        sub al, 0x20
.small: mov dx, TRACE
        out dx, al
        mov al, ah
        cmp word [fault], 1             ; data and error: CF, also with status 0
        jne .status
        cmp byte [bad], 1
        jne .status
        mov ah, al
        mov al, 2
        push ax
        call a20
        pop ax
        call spoil
        mov [EAX + 1], ah
        mov al, 1
        jmp carry13
.status:
        mov ah, al
        jmp end13

; Reads by the packet. Keeps the flags; ah = status
deliver:
        pushf
        push bp
        mov dl, [real]
        call read_packet
        pop bp
        jc .failed
        mov ah, 0
.failed:
        popf
        ret

; cx ticks
wait_ticks:
        jcxz .end
        push es
        mov bx, 0x40
        mov es, bx
        mov bx, [es:0x6c]
.wait:  hlt
        mov ax, [es:0x6c]
        sub ax, bx
        cmp ax, cx
        jb .wait
        pop es
.end:   ret

        times MAP - ($ - $$) db 0
