# shellcheck shell=bash
# Building as an ordinary user: who owns the mounted /dev, /proc and /sys of the target is the kernel's to
# say, and rpm must not try. Sourced by hooks on the host.

# Prints rpm's macros for a build in a user namespace; nothing where root is the host's.
namespace_rpm_macros() {
    if ! grep -qE '^ *0 +0 +4294967295$' /proc/self/uid_map; then
        echo '%_netsharedpath /dev:/proc:/sys'
    fi
}
