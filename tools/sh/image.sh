# Images: which words make one, and the programs that Debian has for them. Read by build.sh.

# How many of the words in front belong to options, "--env K=V" and "--set WORD"; ends with 2 on any other option and on
# a bad PROGRAM.
check_words() {
    words=0
    option=
    for word; do
        case $option=$word in
        --env=*?=* | --set=[!-]*) option= ;;
        --env=*) usage "--env wants NAME=VALUE, not '$word'" ;;
        --set=*) usage "--set wants a word for the command line, not '$word'" ;;
        =--env | =--set) option=$word ;;
        =--) words=$((words + 1)); break ;;
        =-*) usage "unknown option $word" ;;
        *) break ;;
        esac
        words=$((words + 1))
    done
    [ -z "$option" ] || usage "$option wants a value"
    shift "$words"
    [ $# = 0 ] || { [ -f "$(path_of "$1")" ] && [ -r "$(path_of "$1")" ]; } || usage "$1 is not a readable file"
}

path_of() {
    case $1 in /*) echo "$1" ;; *) echo "$caller/$1" ;; esac
}

# image_of "MKIMAGE OPTION..." [--env K=V]... [--set WORD]... [--] [PROGRAM [ARG...]]: calls mkimage; the demo stands in for
# no PROGRAM. Ends with 2 when mkimage refuses a word.
image_of() {
    options=$1
    shift
    check_words "$@"
    if [ $# = "$words" ]; then
        program=out/demo
        set -- "$@" demo
    else
        program=$(eval "path_of \"\${$((words + 1))}\"")
    fi
    # By a pipe: as many words as exec lets in here are too many with ours. mkimage reads them all before it refuses any.
    # shellcheck disable=SC2086 # a list of words
    printf '%s\0' "$@" | out/mkimage --stdin --mbr out/start.bin --loader out/loader.bin \
        --kernel out/kernel.strip --program "$program" $options || exit $(($? == 2 ? 2 : 125))
}

image() {
    [ $# -gt 0 ] || usage "image wants a PROGRAM"
    check_words "$@"
    need build
    build
    rm -f out/vmos.img out/vmos-floppy.img out/vmos.iso
    image_of "--disk out/vmos.img --floppy out/vmos-floppy.img --cd out/vmos.iso --cd-mbr out/start-cd.bin" "$@"
    ls -l out/vmos*.i??
}

# program NAME: one of Debian's programs, static, as out/programs/NAME. The linker's warnings about dlopen and the like are
# shown only when it fails: no library is loaded in vmos.
program() {
    mkdir -p out/programs
    case ${1-} in
    busybox) libraries= ;;
    lua) libraries="-llua5.4 -lm -ldl" ;;
    sqlite3) libraries="-lsqlite3 -lm -ldl -lpthread" ;;
    *) usage "program knows: busybox, lua, sqlite3" ;;
    esac
    need build "$1"
    if [ "$1" = busybox ]; then
        cp "$(command -v busybox)" out/programs/busybox
    else
        # shellcheck disable=SC2086 # lists of flags
        gcc $flags -static "programs/$1.c" $libraries -o "out/programs/$1" 2>"out/programs/$1.log" || {
            cat "out/programs/$1.log" >&2
            fail "$1 could not be linked"
        }
    fi
    echo "out/programs/$1"
}
