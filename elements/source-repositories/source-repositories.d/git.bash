# Sources of type git: a bare clone in the cache, and from it a clone in the image.
# shellcheck shell=bash

# A build that was started by a hook of git has these, and they are about another repository.
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_COMMON_DIR GIT_NAMESPACE GIT_PREFIX
# Nobody is there to type a password, and a server that stalls for a minute is as good as gone.
export GIT_TERMINAL_PROMPT=${GIT_TERMINAL_PROMPT:-0}
export GIT_HTTP_LOW_SPEED_LIMIT=${GIT_HTTP_LOW_SPEED_LIMIT:-1000}
export GIT_HTTP_LOW_SPEED_TIME=${GIT_HTTP_LOW_SPEED_TIME:-60}

# git in the repository $1, whoever owns that: the cache may be older than this build's user. What git
# tidies up, it does before it ends: a process left in the background would hold our lock. It keeps no diary
# (reflog) of who did what when: that would be another one in each build.
in_repository() {
    GIT_CEILING_DIRECTORIES=$(dirname "$1") git -C "$1" -c "safe.directory=$1" \
        -c gc.autoDetach=false -c maintenance.autoDetach=false -c core.logAllRefUpdates=false "${@:2}"
}

# Puts a repository into the image. The key is what the variables of this source end in.
put_git() {
    local cache=$1 location=$2 ref=$3 place=$4 key=$5 commit=
    prepare_git_cache "$cache" "$location"
    if ! is_cached "$cache" "$ref"; then
        echo "Updating '$cache' for ref '$ref'"
        update_git_cache "$cache" "$location" "$ref" ||
            fail "cannot fetch from '$(without_secret "$location")', see git's words above"
    fi
    if [ "$ref" != '*' ]; then
        commit=$(commit_of "$cache" "$ref") ||
            fail "unknown ref '$ref': '$(without_secret "$location")' has no such branch, tag or commit. \
Set DIB_REPOREF_$key to one that it has"
    fi
    if [ -e "$place" ] && [ -n "$(ls -A "$place")" ]; then
        check_clone "$cache" "$ref" "$place"
    else
        clone_into_image "$cache" "$ref" "$place" "$commit"
    fi
    in_repository "$place" rev-parse --quiet --verify HEAD >/dev/null ||
        fail "'$(without_secret "$location")' has no branch to check out"
}

# Leaves a repository in the cache that no killed build has left locks in.
prepare_git_cache() {
    local cache=$1 location=$2 directory
    fresh_clone=
    if [ -e "$cache" ]; then
        if directory=$(in_repository "$cache" rev-parse --absolute-git-dir); then
            # We hold the lock of the cache, so whoever held these is gone.
            find "$directory" -name '*.lock' -type f -delete
            return
        fi
        echo "'$cache' is no repository: it is cloned anew"
        rm -rf "$cache"
    fi
    echo "Cloning into '$cache'"
    clone_into_cache "$cache" "$location" ||
        fail "cannot clone '$(without_secret "$location")', see git's words above"
    fresh_clone=yes
}

clone_into_cache() {
    case $2 in
    # Trying again does not make a directory appear.
    /* | file://*) clone_once "$@" ;;
    *) retry clone_once "$@" ;;
    esac && mv --no-target-directory "$1.tmp" "$1"
}

clone_once() {
    rm -rf "$1.tmp"
    git clone --quiet --bare -- "$2" "$1.tmp"
}

is_commit_id() {
    [[ $1 =~ ^([0-9a-f]{40}|[0-9a-f]{64})$ ]]
}

# The commit that a ref means in the repository $1.
commit_of() {
    in_repository "$1" rev-parse --quiet --verify --end-of-options "$2^{commit}"
}

# Whether the cache need not ask the network about a ref.
is_cached() {
    if [ "$2" = '*' ]; then
        [ -n "${DIB_OFFLINE:-}$fresh_clone" ]
    else
        { [ -n "${DIB_OFFLINE:-}$fresh_clone" ] || is_commit_id "$2"; } && commit_of "$1" "$2" >/dev/null
    fi
}

# Fetches what the ref means now: that alone where the remote knows it by name, else all there is.
update_git_cache() {
    local cache=$1 location=$2 ref=$3 full
    if is_commit_id "$ref"; then
        # Not every server gives a commit away by its id, so a refusal is no news.
        if in_repository "$cache" fetch --quiet -- "$location" "+$ref:refs/dibkit/$ref" 2>/dev/null; then
            return
        fi
    elif [ "$ref" != '*' ]; then
        full=$(full_name "$location" "$ref") || return
        if [ -n "$full" ] &&
            in_repository "$cache" fetch --quiet --update-head-ok -- "$location" "+$full:$full"; then
            return
        fi
    fi
    retry in_repository "$cache" fetch --quiet --prune --update-head-ok -- "$location" \
        '+refs/heads/*:refs/heads/*' '+refs/tags/*:refs/tags/*' &&
        follow_head "$cache" "$location"
}

# The full name by which a remote has a ref. Of several, the one that git itself would take. Nothing
# when it has none. Source: gitrevisions(7).
full_name() {
    local listed candidate
    listed=$(retry git ls-remote --quiet -- "$1" "$2") || return
    for candidate in "$2" "refs/$2" "refs/tags/$2" "refs/heads/$2"; do
        if [[ $candidate == refs/* ]] && [[ $'\n'$listed$'\n' == *$'\t'"$candidate"$'\n'* ]]; then
            echo "$candidate"
            return
        fi
    done
}

# The branch that clones check out is the remote's, which may have a new one.
follow_head() {
    local listed
    listed=$(retry git ls-remote --quiet --symref -- "$2" HEAD) || return
    if [[ $listed =~ ref:\ (refs/heads/[^[:space:]]+) ]]; then
        in_repository "$1" symbolic-ref HEAD "${BASH_REMATCH[1]}"
    fi
}

# Accepts what is in the image already when it came from the same place.
check_clone() {
    local cache=$1 ref=$2 place=$3 origin
    origin=$(in_repository "$place" config --local remote.origin.url) || origin='something else'
    if [ "$origin" != "$cache" ]; then
        fail "'$place' is in use: it holds a clone of '$origin', and not of '$cache'"
    fi
    if [ "$ref" != '*' ] &&
        ! in_repository "$place" rev-parse --quiet --verify "refs/heads/fetch_$ref" >/dev/null; then
        fail "'$place' is in use: it has no branch 'fetch_$ref', so another ref was asked for before"
    fi
    echo "'$place' has it already"
}

# The objects are copied, not linked: a chown in the image must not reach the cache. The branch
# fetch_REF says what was asked for (compat).
clone_into_image() {
    local cache=$1 ref=$2 place=$3 commit=$4 serve
    mkdir -p "$(dirname "$place")"
    printf -v serve 'git -c safe.directory=%q upload-pack' "$cache"
    git -c core.logAllRefUpdates=false clone --quiet --no-hardlinks --origin origin --upload-pack "$serve" \
        ${commit:+--no-checkout} -- "$cache" "$place"
    if [ -z "$commit" ]; then
        in_repository "$place" fetch --quiet --prune --update-head-ok --upload-pack "$serve" -- "$cache" \
            '+refs/heads/*:refs/heads/*' '+refs/tags/*:refs/tags/*'
    else
        in_repository "$place" update-ref "refs/heads/fetch_$ref" "$commit"
        in_repository "$place" reset --quiet --hard "$commit"
    fi
    # An index without times and inode numbers of the files: git looks for itself when it is next asked.
    if in_repository "$place" rev-parse --quiet --verify HEAD >/dev/null; then
        in_repository "$place" read-tree HEAD
    fi
}
