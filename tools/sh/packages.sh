# The tools and packages that the commands need. Read by build.sh.

# The versions of tools that the tree was written for: those of Debian 12. Whatever they say is an error. What another
# version alone says is shown and fails nothing, so that a new release of a tool breaks no build. Three versions of
# clang-format, of Debian 12, 13 and sid, agree about the tree: what they would spell in different ways is written otherwise.
versions="
gcc 12.
nasm 2.16.01
clang-format (14|19|21).
shellcheck 0.9.
cppcheck 2.10
"

# named TOOL: whether its version is that one.
named() {
    version=$(echo "$versions" | sed -n "s/^$1 //p" | sed 's/[.]/[.]/g')
    "$1" --version | grep -Eq "(^| )$version([0-9]+[.]?)*\$"
}

# The flags of warnings, for this script and those it starts.
warnings() {
    gcc_warnings=
    nasm_warnings=
    ! named gcc || gcc_warnings=-Werror
    ! named nasm || nasm_warnings="-Wall -Werror" # later versions have warnings about relocations in -Wall
    export gcc_warnings nasm_warnings
}

# What each package is there for, and the command, the files or the header by which one sees that it is. The compiler
# is asked for headers, since releases have them in different places.
packages="
build gcc gcc
build ld binutils
build nasm nasm
build musl-gcc musl-tools
build <stdio.h> libc6-dev
build <bsd/sys/tree.h> libbsd-dev
run qemu-system-x86_64 qemu-system-x86
bochs bochs bochs
bochs /usr/share/bochs/BIOS-bochs-latest bochsbios
bochs /usr/share/vgabios/vgabios.bin vgabios
bochs /usr/lib/*/bochs/plugins/libbx_term_gui.so bochs-term
check clang-format clang-format
check shellcheck shellcheck
check cppcheck cppcheck
check python3 python3
test busybox busybox-static
test clang clang
test /usr/lib/llvm-*/lib/clang/*/lib/*/libclang_rt.fuzzer*.a libclang-rt-dev
test g++ g++
test /usr/lib/*/liblzma.a liblzma-dev
test /usr/lib/*/libjemalloc.a libjemalloc-dev
busybox busybox busybox-static
lua /usr/include/lua5.4/lua.h liblua5.4-dev
sqlite3 /usr/include/sqlite3.h libsqlite3-dev
debug gdb gdb
test python3 python3
test /sbin/losetup mount
test /sbin/mkfs.ext4 e2fsprogs
bench python3 python3
releases /usr/sbin/debootstrap debootstrap
"

# need PURPOSE...: installs what is missing for these. A machine that has everything sees no apt, no sudo, no network.
need() {
    missing=$(echo "$packages" | while read -r purpose what package; do
        case " $* " in *" ${purpose:-none} "*) ;; *) continue ;; esac
        # shellcheck disable=SC2086 # a pattern
        case $what in
        /*) ls $what >/dev/null 2>&1 || echo "$package" ;;
        "<"*) echo "#include $what" | gcc -E - >/dev/null 2>&1 || echo "$package" ;;
        *) command -v "$what" >/dev/null || echo "$package" ;;
        esac
    done)
    [ -n "$missing" ] || return 0
    missing=$(echo "$missing" | tr '\n' ' ')
    command -v apt-get >/dev/null || fail "these Debian packages are missing, and there is no apt-get: $missing"
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    echo "build.sh: installing what is missing: $missing" >&2
    # shellcheck disable=SC2086 # lists of words
    { $sudo apt-get update && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        -o DPkg::Lock::Timeout=300 $missing; } >&2 </dev/null || fail "apt-get could not install: $missing"
}
