# shellcheck shell=bash
# The module of dracut that runs the fragments of init.d when udev has settled.

check() {
    return 0
}

depends() {
    echo bash udev-rules
}

# shellcheck disable=SC2154 # dracut sets it
install() {
    inst_hook cmdline 80 "$moddir/deploy-cmdline.sh"
    inst_hook pre-mount 50 "$moddir/init.sh"
}
