# Sources of type tar and file: downloads in the cache, and what they hold in the image.
# shellcheck shell=bash

download() {
    local cache=$1 location=$2
    if [ -f "$cache" ] && [ -n "${DIB_OFFLINE:-}" ]; then
        echo "Offline: using '$cache'"
        return
    fi
    "$TMP_HOOKS_PATH/bin/cache-url" "$location" "$cache" ||
        fail "cannot download '$(without_secret "$location")', see above"
}

put_file() {
    local cache=$1 location=$2 place=$3
    download "$cache" "$location"
    if [ -d "$place" ]; then
        fail "'$place' is a directory, where a file is to be: name the file in the destination"
    fi
    install -D --mode=0644 --no-target-directory "$cache" "$place"
}

# Puts the content of directories of an archive into the image. The ref is a pattern for their names.
put_tar() {
    local cache=$1 location=$2 ref=$3 place=$4 tree directory real
    local -a directories=()
    download "$cache" "$location"
    mkdir -p "$TMP_MOUNT_PATH/tmp"
    scratch=$(mktemp -d "$TMP_MOUNT_PATH/tmp/.source-repositories.XXXXXXXX")
    tree=$scratch/tree
    mkdir -m 0755 "$tree"
    dib-extract "$cache" "$tree" || fail "cannot extract '$cache', from '$(without_secret "$location")'"

    mapfile -t directories < <(cd "$tree" && compgen -G "$ref/." | LC_ALL=C sort)
    if [ "${#directories[@]}" -eq 0 ]; then
        fail "the archive has no directory '$ref'"
    fi
    mkdir -p "$place"
    for directory in "${directories[@]}"; do
        real=$(realpath "$tree/$directory")
        case $real in
        "$(realpath "$tree")" | "$(realpath "$tree")"/*) ;;
        *) fail "'${directory%/.}' leads out of the archive" ;;
        esac
        # Files of the image are replaced and not written through: they may be links.
        cp -a --remove-destination "$real/." "$place"
    done
    rm -rf "$scratch"
    scratch=
}
