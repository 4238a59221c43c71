# Commands for gdb on QEMU's gdbstub, sourced by the script that "./build.sh debug" writes; "help user-defined" lists
# them. Two things stand against gdb here. QEMU calls the CPU x86-64 from reset on, so gdb decodes 16-bit code as 64-bit
# code: such code is shown by QEMU's monitor, which knows the CPU's mode. And gdb takes the instruction pointer for the
# address, which it is in real mode only while CS is 0: always in ours, not in the BIOS's.
set confirm off
set pagination off
set disassembly-flavor intel
set print pretty on

# 16-bit code with protection on is only found in these two places, on the way to long mode and back.
define hook-stop
    if !($cr0 & 1) || ($pc >= 0x7c00 && $pc < 0x7e00) || ($pc >= (long)&to_real && $pc < (long)&to_long)
        monitor x /1i $pc
    else
        x/i $pc
    end
end
document hook-stop
Shows the next instruction whenever the machine stops.
end

define x16
    if $argc
        eval "monitor x /%di $pc", $arg0
    else
        monitor x /8i $pc
    end
end
document x16
The next instructions as the CPU would decode them, 16-bit code included.
x16 [COUNT]: so many, or 8.
end

define regs16
    printf "ax %04x bx %04x cx %04x dx %04x si %04x di %04x bp %04x\n", $rax & 0xffff, $rbx & 0xffff, $rcx & 0xffff, $rdx & 0xffff, $rsi & 0xffff, $rdi & 0xffff, (long)$rbp & 0xffff
    printf "cs:ip %04x:%04x ss:sp %04x:%04x ds %04x es %04x ", $cs, (long)$pc & 0xffff, $ss, (long)$rsp & 0xffff, $ds, $es
    output $eflags
    echo \n
end
document regs16
The registers of real mode.
end

define over
    if $cr0 & 1
        nexti
    else
        set $over_code = *(unsigned short *)(($cs << 4) + (long)$pc)
        if ($over_code & 0xff) == 0xcd || ($over_code & 0xff) == 0xe8 || $over_code == 0xa4f3 || $over_code == 0xa5f3
            thbreak *(($cs << 4) + (long)$pc + (($over_code & 0xff) == 0xe8 ? 3 : 2))
            continue
        else
            stepi
        end
    end
end
document over
Like nexti, in real mode as well.
One instruction, but a BIOS call (int), a call or rep movs to its end.
end

define stage
    if $argc != 1
        help stage
    else
        if $_isvoid($stage_$arg0)
            echo there is no such stage, or the program has no symbols: see "help stage"\n
        else
            thbreak *$stage_$arg0
            continue
        end
    end
end
document stage
Goes on to the first instruction of a stage.
stage mbr|loader|low|high|load|entry|main: the boot sector, the loader, the kernel where the loader puts it,
the high kernel, its program_load, the program, the program's main.
end

define physical
    pipe maintenance packet Qqemu.PhyMemMode:$arg0 | cat >/dev/null
end
document physical
Whose addresses commands take.
physical 1: from now on all addresses are physical; physical 0: linear again.
end

define e820
    physical 1
    set $e820_left = *(unsigned int *)0x3000
    set $e820_at = 0x3008
    printf "%d entries at 0x3000\n", $e820_left
    while $e820_left > 0 && $e820_at < 0x6000
        set $e820_base = *(unsigned long *)$e820_at
        printf "0x%011lx up to 0x%011lx type %d\n", $e820_base, $e820_base + *(unsigned long *)($e820_at + 8), *(int *)($e820_at + 16)
        set $e820_at = $e820_at + 20
        set $e820_left = $e820_left - 1
    end
    physical 0
end
document e820
The memory map as the BIOS gave it to the boot sector.
It is gone when the kernel has finished booting.
end

define bootinfo
    physical 1
    print/x *(struct boot_info *)&'loader/main.c'::boot
    physical 0
end
document bootinfo
What the loader hands the kernel.
It is gone when the kernel has finished booting.
end

define pte
    set $pte_left = 4
    set $pte_for = (unsigned long)($arg0)
    set $pte_table = (unsigned long)$cr3
    if !($cr0 & 0x80000000)
        echo paging is off\n
        set $pte_left = 0
    end
    physical 1
    while $pte_left > 0
        set $pte_left = $pte_left - 1
        set $pte_at = ($pte_table & 0xffffffffff000) + 8 * (($pte_for >> (12 + 9 * $pte_left)) & 511)
        set $pte = *(unsigned long *)$pte_at
        printf "table at %#lx, entry %d: 0x%016lx", $pte_at & ~4095, ($pte_at & 4095) / 8, $pte
        if $pte & 1
            if $pte & 2
                echo \ write
            end
            if $pte & 4
                echo \ user
            end
            if $pte >> 63
                echo \ no-execute
            end
            echo \n
            if $pte_left == 0 || ($pte & 0x80 && $pte_left < 3)
                set $pte_mask = (1ul << (12 + 9 * $pte_left)) - 1
                printf "page of %d KiB; %#lx is physical %#lx\n", ($pte_mask + 1) / 1024, $pte_for, ($pte & 0xffffffffff000 & ~$pte_mask) + ($pte_for & $pte_mask)
                set $pte_left = 0
            end
        else
            echo \ not present\n
            set $pte_left = 0
        end
        set $pte_table = $pte
    end
    physical 0
end
document pte
The page table entries for a linear address.
pte ADDRESS: from the PML4 down, and where that leads.
end

# The kernel's GS base is the CPU's struct, at the bottom of its slot; while the program runs it is swapped out.
define cpu
    set $cpu_at = (unsigned long)$gs_base
    if $cpu_at < 0xffffff0000000000
        set $cpu_at = (unsigned long)$k_gs_base
    end
    if $cpu_at < 0xffffff0000000000
        echo the kernel has not set this CPU up yet\n
    else
        set $cpu = (struct cpu *)$cpu_at
        printf "CPU %u, APIC id %u, in slot %p\n", $cpu->number, $cpu->apic_id, $cpu
        if $cpu->current
            set $thread = (struct thread *)$cpu->current
            printf "thread %u at %p, last entered the kernel at rip %#lx with vector %#lx, rax %#lx\n", $thread->tid, $thread, $thread->context.regs.rip, $thread->context.regs.vector, $thread->context.regs.rax
        else
            echo no thread\n
        end
    end
end
document cpu
This CPU's number and its current thread.
Afterwards $cpu and $thread are pointers to their structs.
end

define log
    eval "shell cat %s/log", $directory
end
document log
vmos's log so far.
end
