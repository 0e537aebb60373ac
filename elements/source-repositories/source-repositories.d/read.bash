# Reading source-repository-* files: lines `NAME TYPE DESTINATION LOCATION [REF]`, what the user's
# variables make of them, and everything that is wrong with them.
# shellcheck shell=bash

# One entry per line, in the order of file names and lines.
repo_names=()
repo_keys=()         # the name as it is in variables: letters, digits and underscores
repo_types=()        # git, tar, file, package
repo_destinations=() # paths of the image, as written
repo_locations=()
repo_refs=()
repo_wheres=() # FILE:LINE
repo_skips=()  # why it is not fetched, or nothing
repo_problems=()
declare -A repo_claims=() # destination to index

# Parts may be missing here, because an override can supply the location.
repo_pattern='^([^ ]+) (git|tar|file|package) ?(/[^ ]+)? ?([^ ]+)? ?([^ ]*)$'

# Reads all files in the hook tree.
read_sources() {
    local repo_file
    while IFS= read -r -d '' repo_file; do
        read_source_file "$repo_file"
    done < <(find "$TMP_HOOKS_PATH" -maxdepth 1 -xtype f -name 'source-repository-*' ! -name '*~' \
        -print0 | LC_ALL=C sort -z)
}

# Every variable here starts with repo_: the lines are expanded by this shell, and may use any other.
read_source_file() {
    local repo_origin repo_number=0 repo_line repo_more repo_start repo_expanded
    repo_origin=$(origin_of "$1")
    while IFS= read -r repo_line || [ -n "$repo_line" ]; do
        repo_number=$((repo_number + 1))
        repo_start=$repo_number
        while [[ $repo_line =~ (^|[^\\])(\\\\)*\\$ ]] &&
            { IFS= read -r repo_more || [ -n "$repo_more" ]; }; do
            repo_number=$((repo_number + 1))
            repo_line+=$'\n'$repo_more
        done
        if ! repo_expanded=$(expand_line "${repo_line%$'\r'}"); then
            repo_problems+=("$repo_origin:$repo_start: cannot expand '$repo_line'")
        elif [ -n "$repo_expanded" ]; then
            add_source "$repo_expanded" "$repo_origin:$repo_start"
        fi
    done <"$1"
}

# What the shell makes of a line; nothing for a comment. `*` stays: it may be a ref.
expand_line() {
    local repo_read
    # A backslash is taken away once by read and once by eval (compat).
    # shellcheck disable=SC2162
    IFS= read repo_read <<<"$1"
    set -f
    eval "echo $repo_read"
}

# The file of an element that a file of the hook tree is a copy of.
origin_of() {
    local file=${1##*/} found=$1 directory
    local -A directories=()
    if declare -F get_image_element_array >/dev/null; then
        eval "directories=($(get_image_element_array))"
    fi
    for directory in "${directories[@]}"; do
        if cmp -s "$1" "$directory/$file"; then
            found=$directory/$file
        fi
    done
    echo "$found"
}

# Takes an expanded line, found at $2, into the lists or its problems into theirs.
add_source() {
    local line=$1 where=$2
    if ! [[ $line =~ $repo_pattern ]]; then
        repo_problems+=("$where: cannot parse '$line': expected NAME TYPE DESTINATION LOCATION [REF], \
with an absolute DESTINATION and git, tar, file or package as TYPE")
        return
    fi
    local name=${BASH_REMATCH[1]} type=${BASH_REMATCH[2]} destination=${BASH_REMATCH[3]}
    local location=${BASH_REMATCH[4]} ref=${BASH_REMATCH[5]}
    local key=${name//[^A-Za-z0-9]/_}
    local type_override=DIB_REPOTYPE_$key location_override=DIB_REPOLOCATION_$key
    local ref_override=DIB_REPOREF_$key install_override=DIB_INSTALLTYPE_$key

    type=${!type_override:-$type}
    ref=${!ref_override:-$ref}
    if [ -n "${!location_override:-}" ]; then
        location=${!location_override}
    elif [ "$type" = git ] && [ -n "${DIB_GITREPOBASE:-}" ]; then
        location=$(rebase_location "$location")
    fi

    local skip='' install=${!install_override:-${DIB_DEFAULT_INSTALLTYPE:-source}}
    if [ "$install" != source ]; then
        skip="its install type is '$install'"
    elif [ "$type" = package ]; then
        skip='it is installed as packages'
    else
        check_source || return 0
    fi
    add_entry
}

# Puts DIB_GITREPOBASE in the place of scheme, host and `~user` of a URL.
rebase_location() {
    local base=$DIB_GITREPOBASE
    if ! [[ $1 =~ ^[^:]+://[^/]+/(~[^/]+/)?(.*)$ ]]; then
        echo "$1"
        return
    fi
    case $base in
    */ | *:) ;;
    *) base=$base/ ;;
    esac
    echo "$base${BASH_REMATCH[2]}"
}

# Finds out what is wrong with the source that add_source is at, and settles its ref.
check_source() {
    local found=()
    case $type in
    git) ref=${ref:-master} ;;
    tar)
        if [ -z "$ref" ]; then
            echo "$where: warning: '$name' says nothing about what to take of the archive: say '.' for" \
                "all of it, or '*', which is assumed, for what is in its directories" >&2
            ref='*'
        fi
        ;;
    file) ;;
    *) found+=("unknown type '$type' of '$name' (DIB_REPOTYPE_$key): git, tar, file or package") ;;
    esac
    if [ -z "$destination" ]; then
        found+=("'$name' has no destination: it must be an absolute path")
    fi
    if [ -z "$location" ]; then
        found+=("'$name' has no location: add one, or set DIB_REPOLOCATION_$key")
    fi
    case $location in
    -*) found+=("the location of '$name' starts with a hyphen: '$location'") ;;
    esac
    case $ref in
    -*) found+=("the ref of '$name' starts with a hyphen: '$ref'") ;;
    esac
    if [ "${#found[@]}" -gt 0 ]; then
        repo_problems+=("${found[@]/#/$where: }")
        return 1
    fi
    claim_destination
}

# Two sources in one place would be one over the other; the same source twice is the same once.
claim_destination() {
    local place other
    place=$(realpath --canonicalize-missing --no-symlinks "$destination")
    other=${repo_claims[$place]:-}
    if [ -z "$other" ]; then
        repo_claims[$place]=${#repo_names[@]}
    elif [ "$key $type $location $ref" = \
        "${repo_keys[$other]} ${repo_types[$other]} ${repo_locations[$other]} ${repo_refs[$other]}" ]; then
        skip="it is the same as in ${repo_wheres[$other]}"
    else
        repo_problems+=("$where: '$name' has the destination of '${repo_names[$other]}' \
(${repo_wheres[$other]}): '$destination'")
        return 1
    fi
}

add_entry() {
    repo_names+=("$name")
    repo_keys+=("$key")
    repo_types+=("$type")
    repo_destinations+=("$destination")
    repo_locations+=("$location")
    repo_refs+=("$ref")
    repo_wheres+=("$where")
    repo_skips+=("$skip")
}
