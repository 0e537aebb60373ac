# shellcheck shell=bash
# Which apt sources a Debian-family target gets. Sourced by root.d hooks on the host.
#
# No mirror is named here: what the user does not set comes from the host's own apt
# configuration, and what that does not say from the bootstrap tool's default.

# One line per package index of the host's apt: ORIGIN|LABEL|URI|SUITE|COMPONENT. "known": of the indexes
# that are there; "configured": of all that are configured, origin unknown. That needs no lists, and apt
# takes half a second to read them.
host_apt_indexes() {
    command -v apt-get >/dev/null || return 0
    case $1 in
    known) set -- ;;
    configured) set -- --no-release-info -o Dir::State::Lists=/nonexistent/ -o Dir::State::status=/dev/null ;;
    esac
    # shellcheck disable=SC2016 # the dollar signs are apt's own
    apt-get indextargets "$@" --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)' \
        'Created-By: Packages' 2>/dev/null || true
}

# ID of the host's distribution, as in DISTRO_NAME.
host_distro() {
    # shellcheck disable=SC1091 # the host's own file
    (. /etc/os-release 2>/dev/null && printf '%s\n' "${ID:-}") || true
}

# The first of the indexes on stdin that is of the wanted archive, "archive" or "security", by its
# path or by its origin.
pick_archive() {
    awk -F'|' -v wanted="$1" -v by="$2" -v distro="$DISTRO_NAME" '
        $5 != "main" { next }
        {
            uri = $3
            sub(/\/+$/, "", uri)
            if (by == "path" && uri !~ "/" distro "(-security)?$") next
            if (by == "origin" && tolower($1) != distro) next
            security = $4 ~ /-security$|\/updates$/
            if (security != (wanted == "security")) next
            if (!security && $4 ~ /-(updates|backports|proposed-updates|proposed)$/) next
            if (!found++) print uri
        }'
}

# URI on which the host gets the wanted archive: "archive" or "security". Empty when unknown.
#
# The configured path decides: it is there before the first `apt-get update`, and while another one
# runs. A mirror of an unusual path is known by the origin in its lists. That a suite has the name
# of a release is not enough: third parties use those names too.
host_archive() {
    local uri
    [ "$(host_distro)" = "$DISTRO_NAME" ] || return 0
    uri=$(host_apt_indexes configured | pick_archive "$1" path)
    if [ -z "$uri" ]; then
        uri=$(host_apt_indexes known | pick_archive "$1" origin)
    fi
    printf '%s\n' "$uri"
}

# Lines "name:deb URI SUITE COMPONENT..." for the mirror $1 and the security mirror $2.
# Debian alone has its suites spelt out here; other distributions set DIB_APT_SOURCES_CONF.
default_apt_sources() {
    local mirror=$1 security=${2:-} components suite
    components=${DIB_DEBIAN_COMPONENTS:-main}
    components=${components//,/ }
    printf 'default:deb %s %s %s\n' "$mirror" "$DIB_RELEASE" "$components"
    [ "$DISTRO_NAME" = debian ] || return 0
    case "$DIB_RELEASE" in
    testing | unstable | sid | experimental) return 0 ;;
    jessie | stretch | buster) suite=$DIB_RELEASE/updates ;;
    *) suite=$DIB_RELEASE-security ;;
    esac
    if [ -n "${DIB_DEBIAN_SECURITY_SUBPATH:-}" ]; then
        suite=$DIB_RELEASE$DIB_DEBIAN_SECURITY_SUBPATH
    fi
    printf 'updates:deb %s %s-updates %s\n' "$mirror" "$DIB_RELEASE" "$components"
    if [ -n "$security" ]; then
        printf 'security:deb %s %s %s\n' "$security" "$suite" "$components"
    fi
}

# The security archive beside the mirror $1, as Debian's mirrors lay it out.
sibling_security_mirror() {
    case "${1%/}" in
    */debian) printf '%s-security\n' "${1%/}" ;;
    esac
}

# The sources of the target as "name:deb ..." lines; nothing when only the bootstrap tool knows.
target_apt_sources() {
    local mirror security
    if [ -n "${DIB_APT_SOURCES_CONF:-}" ]; then
        printf '%s\n' "$DIB_APT_SOURCES_CONF" | awk 'NF'
        return
    fi
    mirror=${DIB_DISTRIBUTION_MIRROR:-$(host_archive archive)}
    [ -n "$mirror" ] || return 0
    security=${DIB_DEBIAN_SECURITY_MIRROR:-}
    if [ -z "$security" ]; then
        security=$(host_archive security)
    fi
    if [ -z "$security" ]; then
        security=$(sibling_security_mirror "$mirror")
    fi
    default_apt_sources "$mirror" "$security"
}

# The sources that the bootstrap tool chose by itself, read back from the tree $1.
bootstrapped_apt_sources() {
    local mirror security
    mirror=$(awk '$1 == "deb" { print $2; exit }' "$1/etc/apt/sources.list")
    security=$(awk '$1 == "deb" && $3 ~ /-security$|\/updates$/ { print $2; exit }' \
        "$1/etc/apt/sources.list")
    default_apt_sources "$mirror" "${security:-$(sibling_security_mirror "$mirror")}"
}

# Writes "name:deb ..." lines from stdin to $1/etc/apt/sources.list.d/NAME.list.
write_apt_sources() {
    local name line
    mkdir -p "$1/etc/apt/sources.list.d"
    while IFS= read -r line; do
        [ -n "$line" ] || continue
        name=${line%%:*}
        if [[ ! $line =~ ^[[:space:]]*[A-Za-z0-9_.-]+:[[:space:]]*deb(-src)?[[:space:]] ]]; then
            echo "DIB_APT_SOURCES_CONF: '$line' is not of the form 'name:deb URI SUITE COMPONENT...'" >&2
            return 1
        fi
        name=${name//[[:space:]]/}
        printf '%s\n' "${line#*:}" | sed 's/^[[:space:]]*//' >>"$1/etc/apt/sources.list.d/$name.list"
    done
}

# What the host's administrator decided about reaching and trusting archives, as apt.conf lines:
# an image built from the host's mirrors has to reach them the way the host does.
host_apt_settings() {
    command -v apt-config >/dev/null || return 0
    apt-config dump | awk '
        /^Acquire::(Check-Valid-Until|Check-Date|Retries|ForceIPv4|ForceIPv6) / { print }
        /^Acquire::https?::(Proxy|Timeout)[ :]/ && !/ "";$/ { print }'
}
