/**
 * The defaults of mke2fs for our images, whatever the host's are: a file system that only the
 * newest GRUB, kernel or e2fsck can read would not boot an older release, and two hosts would make
 * two images. Each feature is known to e2fsprogs 1.43 and GRUB 2.04; what somebody wants beyond
 * that is `--mkfs-options '-O ...'`. Source: mke2fs.conf(5), ext4(5).
 */
export const MKE2FS_CONFIG = `[defaults]
base_features = sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr
default_mntopts = acl,user_xattr
enable_periodic_fsck = 0
blocksize = 4096
inode_size = 256
inode_ratio = 16384

[fs_types]
ext3 = {
  features = has_journal
}
ext4 = {
  features = has_journal,extent,huge_file,flex_bg,metadata_csum,64bit,dir_nlink,extra_isize
}
small = {
  blocksize = 1024
  inode_ratio = 4096
}
floppy = {
  blocksize = 1024
  inode_ratio = 8192
}
`;
