# Where things are in files that were built. Read by build.sh.

# The value of a symbol of a file, in hexadecimal, moved by $3; empty when there is none.
symbol() {
    value=$(nm "$1" 2>/dev/null | awk -v name="$2" '$3 == name { print $1; exit }')
    [ -z "$value" ] || printf '%x' $((0x$value + ${3-0}))
}

# Where a program's symbols count from: static-PIE programs are moved.
base_of() {
    readelf -h "$1" | awk '$1 == "Type:" { print $2 == "DYN" ? "0x555555554000" : 0 }'
}

# The program's first instruction.
entry_of() {
    printf '0x%x' $(($(readelf -h "$1" | awk '/Entry point/ { print $4 }') + $(base_of "$1")))
}

# symbol() for the kernel where it stays: KERNEL_BASE ends in 30 zero bits, and sh cannot count beyond 63.
high_symbol() {
    value=$(symbol out/kernel.elf "$1" 0xc0000000)
    [ -z "$value" ] || echo "fffffeff$value"
}

main_of_program() {
    symbol "$program" main "$(base_of "$program")"
}
