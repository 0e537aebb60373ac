# Set but empty means none.
export DIB_UBUNTU_KERNEL=${DIB_UBUNTU_KERNEL-linux-image-generic}
