# shellcheck shell=sh
# mkinitramfs asks coreutils several times for the name of every module: ten processes a module for
# what its shell can tell by itself. It reads this while an image is built; whatever is not plain goes
# to the programs as before. Source: initramfs-tools, hook-functions, copy_file().

# The absolute path $1 without empty parts, as realpath -ms prints it. Status 1: not plain.
plain_path() {
    local rest="$1"
    case "$1/" in
    /*[!/]*) ;;
    *) return 1 ;;
    esac
    case "$1/" in
    */./* | */../*) return 1 ;;
    esac
    while :; do
        case "$rest" in
        *//*) rest="${rest%%//*}/${rest#*//}" ;;
        *) break ;;
        esac
    done
    printf '%s\n' "${rest%/}"
}

realpath() {
    if [ "$#" -eq 2 ]; then
        case "$1" in
        -ms) plain_path "$2" && return ;;
        -s) [ -e "$2" ] && [ "${2%/}" = "$2" ] && plain_path "$2" && return ;;
        esac
    fi
    command realpath "$@"
}

readlink() {
    if [ "$#" -eq 2 ] && [ "$1" = -f ] && [ "${2#/}" != "$2" ]; then
        if [ -d "$2" ]; then
            (cd -P -- "$2" && pwd -P) && return
        elif [ -f "$2" ] && [ ! -h "$2" ]; then
            (cd -P -- "${2%/*}/" && printf '%s/%s\n' "${PWD%/}" "${2##*/}") && return
        fi
    fi
    command readlink "$@"
}

mkdir() {
    if [ "$#" -eq 2 ] && [ "$1" = -p ] && [ -d "$2" ]; then
        return 0
    fi
    command mkdir "$@"
}
