# Set but empty means none. A container runs on the kernel of its host.
if [ "${DIB_CONTAINER_BUILD:-0}" = 1 ]; then
    export DIB_UBUNTU_KERNEL=${DIB_UBUNTU_KERNEL-}
else
    export DIB_UBUNTU_KERNEL=${DIB_UBUNTU_KERNEL-linux-image-generic}
fi
