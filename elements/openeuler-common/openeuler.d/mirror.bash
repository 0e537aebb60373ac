# shellcheck shell=bash
# Functions about openEuler's mirrors, for hooks on the host: `. "$TMP_HOOKS_PATH/openeuler.d/mirror.bash"`.
# dib-lint: disable=sete setu setpipefail dibdebugtrace
# shellcheck disable=SC2034 # used where this is sourced

# The file in the target that has the keys of openEuler.
OPENEULER_KEY=/etc/pki/rpm-gpg/RPM-GPG-KEY-openEuler
OPENEULER_ARCHIVE=https://archives.openeuler.openatom.cn

# openEuler's own name of ARCH, as on mirrors.
openeuler_arch() {
    case "${ARCH:?}" in
    amd64 | x86_64) echo x86_64 ;;
    arm64 | aarch64) echo aarch64 ;;
    loong64 | loongarch64) echo loongarch64 ;;
    *) echo "$ARCH" ;;
    esac
}

# Where a repository is below the release.
openeuler_repository_path() {
    case "$1" in
    EPOL)
        # Flat in the first releases.
        case "$DIB_RELEASE" in
        20.03-LTS | 20.09) echo "EPOL/\$basearch/" ;;
        *) echo "EPOL/main/\$basearch/" ;;
        esac
        ;;
    EPOL-update) echo "EPOL/update/main/\$basearch/" ;;
    source) echo source/ ;;
    update-source) echo update/source/ ;;
    *) echo "$1/\$basearch/" ;;
    esac
}

# The content of a repository file with the repositories DIB_OPENEULER_REPOS of the mirror; packages
# must be signed with the key at the URL $1.
openeuler_repositories() {
    local id ids
    read -r -a ids <<<"$DIB_OPENEULER_REPOS"
    for id in "${ids[@]}"; do
        printf '[%s]\nname=%s\n' "$id" "$id"
        printf 'baseurl=%s/openEuler-%s/%s\n' "$DIB_DISTRIBUTION_MIRROR" "$DIB_RELEASE" \
            "$(openeuler_repository_path "$id")"
        printf 'enabled=1\ngpgcheck=%s\ngpgkey=%s\n' "$DIB_OPENEULER_GPGCHECK" "$1"
        # The cache is of other builds too: what it has must not hide what the mirror got since.
        printf 'metadata_expire=300\n'
        # A repository that is down must be an error, not a package that does not exist.
        printf 'skip_if_unavailable=0\n\n'
    done
}

# The names of the directories in the listing at URL, one per line; nothing where there is no listing.
directory_listing() {
    local listing
    listing=$(mktemp "$TMP_BUILD_DIR/listing.XXXXXXXX")
    if "$TMP_HOOKS_PATH/bin/cache-url" -f "$1" "$listing" >/dev/null 2>&1; then
        grep -oE 'href="?(\./)?[A-Za-z0-9._-]+/' "$listing" | sed -E 's/^href="?(\.\/)?//; s/\/$//' |
            LC_ALL=C sort -uV || true
    fi
    rm -f "$listing" "$listing".*
}

# Prints why MIRROR may not have what was asked of it, and fails if it knows nothing:
# explain_absence MIRROR DIRECTORY, where DIRECTORY has one directory for each architecture.
explain_absence() {
    local mirror=$1 directory=$2 arch releases parts architectures
    arch=$(openeuler_arch)
    releases=$(directory_listing "$mirror/" | sed -n 's/^openEuler-//p')
    if [ -n "$releases" ] && ! grep -qxF "$DIB_RELEASE" <<<"$releases"; then
        echo "Cannot find openEuler '$DIB_RELEASE' on $mirror; it has: $(paste -sd' ' <<<"$releases")"
        echo "Set DIB_RELEASE to one of them; for older ones set DIB_DISTRIBUTION_MIRROR=$OPENEULER_ARCHIVE"
        return
    fi
    parts=$(directory_listing "$mirror/openEuler-$DIB_RELEASE/")
    if [ -z "$parts" ]; then
        # A mirror without listings, or none at all.
        return 1
    fi
    architectures=$(directory_listing "$mirror/openEuler-$DIB_RELEASE/$directory/" | grep -vxE 'update|source' || true)
    if [ -z "$architectures" ]; then
        echo "Cannot find '$directory' for openEuler $DIB_RELEASE on $mirror; it has: $(paste -sd' ' <<<"$parts")"
    elif ! grep -qxF "$arch" <<<"$architectures"; then
        echo "Cannot find openEuler $DIB_RELEASE for '$arch' on $mirror; it has: $(paste -sd' ' <<<"$architectures")"
    else
        return 1
    fi
}

# Fails when programs of the target cannot run: what follows runs its dnf, and scripts of its packages.
assert_target_runs() {
    local arch
    if chroot "$TARGET_ROOT" /bin/sh -c : 2>/dev/null; then
        return
    fi
    arch=$(openeuler_arch)
    if [ "$arch" = "$(uname -m)" ]; then
        echo "Cannot run programs of the target: its /bin/sh does not start" >&2
        return 1
    fi
    {
        echo "Cannot run programs for $arch on this host, which is $(uname -m)"
        echo "Install the package qemu-user-static (Debian) with its binfmt support, or build on a machine of that architecture"
    } >&2
    printf '%s\n' host "Cannot run programs for $arch on this host" >"$DIB_FAILURE_FILE"
    return 3
}

# Mounts what scriptlets of packages need in the target; unmount_kernel_filesystems undoes it.
mount_kernel_filesystems() {
    mkdir -p "$TARGET_ROOT/proc" "$TARGET_ROOT/sys" "$TARGET_ROOT/dev"
    mount --types proc none "$TARGET_ROOT/proc"
    # With what is mounted in them: a user namespace may bind them whole only.
    mount --rbind /dev "$TARGET_ROOT/dev"
    mount --rbind --options ro /sys "$TARGET_ROOT/sys"
}

unmount_kernel_filesystems() {
    umount --lazy "$TARGET_ROOT/sys" "$TARGET_ROOT/dev" "$TARGET_ROOT/proc"
}
