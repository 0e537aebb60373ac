# 64-bit POWER machines boot from a PReP partition.
case "${ARCH:-}" in
ppc64*)
    echo "Cannot use block-device-efi-4k for '$ARCH': use block-device-mbr" >&2
    exit 1
    ;;
esac
export DIB_BLOCK_DEVICE=efi
