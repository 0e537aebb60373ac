#!/bin/bash
# The module of dracut that runs the fragments of init.d when udev has settled.
# dib-lint: disable=sete setu setpipefail dibdebugtrace

check() {
    return 0
}

depends() {
    echo bash udev-rules
}

# shellcheck disable=SC2154 # dracut sets moddir and initdir
install() {
    local name
    inst_hook cmdline 80 "$moddir/deploy-cmdline.sh"
    inst_hook pre-mount 50 "$moddir/init.sh"
    inst_multiple busybox bash
    # What fragments may call and nobody has brought, such as udhcpc, ifconfig, route, nc, tftp and wget.
    for name in $(busybox --list); do
        if [ ! -e "$initdir/bin/$name" ] && [ ! -e "$initdir/sbin/$name" ]; then
            ln -s busybox "$initdir/bin/$name"
        fi
    done
}
