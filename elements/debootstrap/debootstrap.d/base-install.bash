# shellcheck shell=bash
# What a bootstrapped root needs before hooks can run in it. Sourced by root.d hooks on the host.

in_target() {
    chroot "$TARGET_ROOT" /usr/bin/env -u TMPDIR DEBIAN_FRONTEND=noninteractive \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

# debootstrap knows one suite only: updates and security are still to come. mmdebstrap used all of
# the sources, and its package lists are still there.
lists_complete() {
    local suite
    while IFS= read -r suite; do
        compgen -G "$TARGET_ROOT/var/lib/apt/lists/*_dists_${suite//\//_}_*Release" >/dev/null || return 1
    done < <(awk '{ sub(/\[[^]]*\]/, "") } $1 == "deb" { print $3 }' \
        "$TARGET_ROOT"/etc/apt/sources.list.d/*.list)
}

# Brings the target up to date and installs these packages, with what they recommend.
install_base() {
    local mounted=() filesystem mount_point
    for filesystem in dev proc sys; do
        # The device nodes of the bootstrap do; an ordinary user can make none.
        if [ "$filesystem" = dev ] && [ -c "$TARGET_ROOT/dev/null" ]; then
            continue
        fi
        if ! mountpoint --quiet "$TARGET_ROOT/$filesystem"; then
            case $filesystem in
            proc) mount --types proc none "$TARGET_ROOT/proc" ;;
            # A user namespace may bind the host's, whole, and mount none of its own.
            *) mount --rbind "/$filesystem" "$TARGET_ROOT/$filesystem" ;;
            esac
            mounted+=("$TARGET_ROOT/$filesystem")
        fi
    done
    # The target reaches the mirrors by the host's name servers.
    cp --dereference /etc/resolv.conf "$TARGET_ROOT/etc/resolv.conf"

    if ! lists_complete; then
        in_target apt-get update
        in_target apt-get dist-upgrade --yes --option Dpkg::Use-Pty=0
    fi
    "$TMP_HOOKS_PATH/bin/refresh-package-lists" --mark "$TARGET_ROOT"
    local packages=("$@")
    # An https mirror needs the certificates before the first `apt-get update` in the target.
    if grep --quiet --recursive 'https://' "$TARGET_ROOT/etc/apt/sources.list.d"; then
        packages+=(ca-certificates)
    fi
    local install=(apt-get install --yes --option APT::Install-Recommends=true --option Dpkg::Use-Pty=0)
    # The first try fails when another build was writing the same package into the shared cache.
    in_target "${install[@]}" "${packages[@]}" || in_target "${install[@]}" "${packages[@]}"

    rm -f "$TARGET_ROOT/etc/resolv.conf"
    for mount_point in "${mounted[@]}"; do
        umount --lazy "$mount_point"
    done
}
