# The firmware of 64-bit ARM machines boots by EFI only.
case "${ARCH:-}" in
arm64 | aarch64)
    echo "Cannot use block-device-mbr for '$ARCH': use block-device-efi" >&2
    exit 1
    ;;
esac
export DIB_BLOCK_DEVICE=mbr
