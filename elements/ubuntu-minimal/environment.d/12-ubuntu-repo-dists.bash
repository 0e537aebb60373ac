export DIB_UBUNTU_MIRROR_DISTS=${DIB_UBUNTU_MIRROR_DISTS-updates,security,backports}

# What the debootstrap element bootstraps from, and what apt in the image uses.
if [ -z "${DIB_APT_SOURCES_CONF:-}" ]; then
    DIB_APT_SOURCES_CONF="default:deb $DIB_DISTRIBUTION_MIRROR $DIB_RELEASE ${DIB_DEBIAN_COMPONENTS//,/ }"
    for dib_ubuntu_dist in ${DIB_UBUNTU_MIRROR_DISTS//,/ }; do
        DIB_APT_SOURCES_CONF+=$'\n'"$dib_ubuntu_dist:deb $DIB_DISTRIBUTION_MIRROR $DIB_RELEASE-$dib_ubuntu_dist ${DIB_DEBIAN_COMPONENTS//,/ }"
    done
    unset dib_ubuntu_dist
fi
export DIB_APT_SOURCES_CONF
