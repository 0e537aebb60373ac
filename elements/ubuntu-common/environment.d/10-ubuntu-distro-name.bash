export DISTRO_NAME=ubuntu
export DIB_RELEASE=${DIB_RELEASE:-noble}
export DIB_DEBIAN_COMPONENTS=${DIB_DEBIAN_COMPONENTS:-main,universe}
export EFI_BOOT_DIR=EFI/ubuntu

# Ubuntu has two archives, by architecture.
case "${ARCH:-}" in
amd64 | i386 | '') DIB_UBUNTU_DEFAULT_MIRROR=http://archive.ubuntu.com/ubuntu ;;
*) DIB_UBUNTU_DEFAULT_MIRROR=http://ports.ubuntu.com/ubuntu-ports ;;
esac
export DIB_UBUNTU_DEFAULT_MIRROR
export DIB_DISTRIBUTION_MIRROR=${DIB_DISTRIBUTION_MIRROR:-$DIB_UBUNTU_DEFAULT_MIRROR}
