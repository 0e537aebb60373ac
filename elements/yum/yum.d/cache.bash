# shellcheck shell=bash
# The package cache that builds of one release share, for hooks on the host.
# dib-lint: disable=sete setu setpipefail dibdebugtrace

# Mounts it where dnf in TREE looks for it, unless it is there already: mount_yum_cache TREE.
mount_yum_cache() {
    local shared=$DIB_IMAGE_CACHE/yum/$ARCH/$DIB_RELEASE place=$1/var/cache/dnf
    mkdir -p "$shared" "$place"
    if ! mountpoint --quiet "$place"; then
        mount --bind "$shared" "$place"
    fi
}
