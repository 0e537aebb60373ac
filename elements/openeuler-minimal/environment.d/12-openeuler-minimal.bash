# What a root needs to go on with its own dnf.
export DIB_YUM_MINIMAL_BOOTSTRAP_PACKAGES=${DIB_YUM_MINIMAL_BOOTSTRAP_PACKAGES:-bash coreutils dnf findutils gawk glibc-common grep gzip hostname passwd rpm sed shadow sudo systemd systemd-udev tar util-linux}
# As the package openEuler-release says it: 22.03LTS_SP4.
_dib_releasever=${DIB_RELEASE/-LTS/LTS}
export DIB_YUM_RELEASEVER=${_dib_releasever/-SP/_SP}
unset _dib_releasever
export DIB_YUM_MINIMAL_RELEASE_PACKAGES=${DIB_YUM_MINIMAL_RELEASE_PACKAGES:-basesystem filesystem openEuler-gpg-keys openEuler-release openEuler-repos setup}
