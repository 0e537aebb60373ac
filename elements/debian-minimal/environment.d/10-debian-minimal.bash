export DISTRO_NAME=debian
export DIB_RELEASE=${DIB_RELEASE:-stable}
export DIB_INIT_SYSTEM=systemd
export EFI_BOOT_DIR=EFI/debian
export DIB_DEBIAN_COMPONENTS=${DIB_DEBIAN_COMPONENTS:-main}

# Left empty, the host's apt configuration or the bootstrap tool decides: see root.d/08-debootstrap.
export DIB_DISTRIBUTION_MIRROR=${DIB_DEBIAN_DISTRIBUTION_MIRROR:-${DIB_DISTRIBUTION_MIRROR:-}}
export DIB_DEBIAN_SECURITY_MIRROR=${DIB_DEBIAN_SECURITY_MIRROR:-}
export DIB_APT_SOURCES_CONF=${DIB_APT_SOURCES_CONF:-}

# A container runs on the kernel of its host.
if [ "${DIB_CONTAINER_BUILD:-0}" = 1 ]; then
    export DIB_DEBIAN_KERNEL=${DIB_DEBIAN_KERNEL:-0}
else
    export DIB_DEBIAN_KERNEL=${DIB_DEBIAN_KERNEL:-1}
fi
