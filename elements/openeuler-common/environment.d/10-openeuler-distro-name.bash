export DISTRO_NAME=openeuler
export DIB_RELEASE=${DIB_RELEASE:-22.03-LTS}
# Directories on mirrors are upper case: openEuler-22.03-LTS-SP4.
export DIB_RELEASE=${DIB_RELEASE^^}
export DIB_INIT_SYSTEM=systemd
export EFI_BOOT_DIR=EFI/openEuler
export YUM=${YUM:-dnf}
export DIB_DISTRIBUTION_MIRROR=${DIB_DISTRIBUTION_MIRROR:-https://repo.openeuler.org}
export DIB_DISTRIBUTION_MIRROR=${DIB_DISTRIBUTION_MIRROR%/}

export DIB_OPENEULER_REPOS=${DIB_OPENEULER_REPOS:-OS everything EPOL update}
export DIB_OPENEULER_GPGCHECK=${DIB_OPENEULER_GPGCHECK:-1}
export DIB_OPENEULER_KEEP_MIRROR=${DIB_OPENEULER_KEEP_MIRROR:-0}
# Without anything to boot it by the image is a container's, which runs on the kernel of its host.
if [ -z "${DIB_OPENEULER_MACHINE:-}" ]; then
    case " ${IMAGE_ELEMENT:-} " in
    *" vm "* | *" bootloader "* | *" baremetal "*) DIB_OPENEULER_MACHINE=1 ;;
    *) DIB_OPENEULER_MACHINE=0 ;;
    esac
fi
export DIB_OPENEULER_MACHINE
if [ "$DIB_OPENEULER_MACHINE" = 1 ]; then
    export DIB_OPENEULER_KERNEL=${DIB_OPENEULER_KERNEL:-kernel}
else
    export DIB_OPENEULER_KERNEL=${DIB_OPENEULER_KERNEL:-none}
fi
export DIB_OPENEULER_LOCALE=${DIB_OPENEULER_LOCALE:-}
export DIB_OPENEULER_KEYMAP=${DIB_OPENEULER_KEYMAP:-us}
