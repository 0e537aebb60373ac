export DIB_RAMDISK_COMPRESSION=${DIB_RAMDISK_COMPRESSION:-gzip}
case "$DIB_RAMDISK_COMPRESSION" in
gzip | zstd | xz) ;;
*)
    echo "DIB_RAMDISK_COMPRESSION must be gzip, zstd or xz: '$DIB_RAMDISK_COMPRESSION'" >&2
    exit 1
    ;;
esac
# The tree is thrown away: its kernel needs no initramfs of the distribution's. Source: initramfs-tools,
# /etc/kernel/postinst.d.
if [ "${IS_RAMDISK:-0}" = 1 ]; then
    export INITRD=No
fi
