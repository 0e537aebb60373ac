/**
 * The cell of `cell.ts`, as bash for a process in a mount namespace of its own.
 *
 *     /            a small read-only tmpfs, mounted over the target; seen by nobody else
 *     /tool, /lib  the program that writes, with its libraries
 *     /input       what it reads, where it wants a file
 *     /target      the target itself, without what is mounted below it
 *
 * So whatever an archive names (`..`, absolute names, links that it has made or found) leads into
 * the target or to nothing. Not a chroot into the target: the C library would load what the archive
 * put at /etc/nsswitch.conf and /lib there, as root. Mounts below the target, such as caches that
 * builds share, are out of reach too.
 *
 * The library list is ldd's: on glibc and musl alike, `NAME => FILE`, and the loader by itself.
 */
const CELL = `
set -u
fail() { printf '%s\\n' "$1" >&2; exit 90; }
root=$1 tool=$2
shift 2
tool=$(command -v "$tool") || fail "$tool is not installed"
libraries=$(ldd "$tool" 2>/dev/null)
exec 4<"$root" || fail "cannot open $root"
mount -t tmpfs -o mode=0755,size=256m dibkit-cell "$root" || fail 'cannot mount a tmpfs'
cd "$root" && mkdir target lib && : >input || fail 'cannot fill the tmpfs'
mount --no-canonicalize --bind /proc/self/fd/4 "$root/target" || fail 'cannot bind the target'
exec 4<&-
cp -L "$tool" tool || fail "cannot copy $tool"
enter=(chroot . /tool)
declare -A needed=()
while read -r first arrow file rest; do
    case $first$arrow in
    *=\\>) [ -e "$file" ] && needed[\${file##*/}]=$file ;;
    /*/ld*.so*)
        cp -L "$first" loader || fail "cannot copy $first"
        enter=(chroot . /loader --library-path /lib /tool)
        ;;
    esac
done <<<"$libraries"
[ "\${#needed[@]}" -eq 0 ] || cp -L -- "\${needed[@]}" lib/ || fail 'cannot copy the libraries'
`;

const LOCK = `mount -o remount,ro "$root" || fail 'cannot make the tmpfs read-only'\n`;

/**
 * Arguments: target, program, number of the feeder's words, those, the program's arguments.
 * Descriptor 3 is the input, as it is where there is no feeder. Prints `ended FEEDER WRITER`, their statuses.
 *
 * What the program leaves unread is read as well, for the sake of a checksum at the very end.
 */
export const STREAM_SCRIPT: string = `${CELL}${LOCK}
count=$1
shift
feed=("\${@:1:count}")
shift "$count"
exec <&3 3<&-
write() {
    "\${enter[@]}" "$@"
    local status=$?
    [ "$status" -ne 0 ] || cat >/dev/null
    return "$status"
}
if [ "$count" -eq 0 ]; then
    write "$@"
    printf 'ended 0 %s\\n' "$?"
else
    "\${feed[@]}" | write "$@"
    printf 'ended %s\\n' "\${PIPESTATUS[*]}"
fi
`;

/**
 * Arguments: target, program, its arguments. Descriptor 3 is the input. Prints `ended 0 STATUS`.
 *
 * The input is opened anew: what was opened in another mount namespace cannot be bound in this one.
 */
export const FILE_SCRIPT: string = `
file=$(readlink /proc/self/fd/3)
exec 5<"$file" && [ /proc/self/fd/3 -ef /proc/self/fd/5 ] || { echo "$file has gone" >&2; exit 90; }
${CELL}
mount --no-canonicalize --bind /proc/self/fd/5 "$root/input" || fail 'cannot bind the input'
${LOCK}
"\${enter[@]}" "$@" 3<&- 5<&-
printf 'ended 0 %s\\n' "$?"
`;
