/**
 * Elements of diskimage-builder that are not built in: distributions and hardware that we cannot test. They run from its
 * package. Source: diskimage_builder/elements of 3.13.0 and of the master branch of August 2026.
 */
export const NOT_BUILT_IN: ReadonlySet<string> = new Set(
  `
  almalinux-container centos centos-minimal centos7 debian-upstart deploy-baremetal deploy-kexec
  deploy-targetcli deploy-tgtadm dracut-network elrepo fedora fedora-container fedora-minimal gentoo
  hpdsa hwburnin hwdiscovery ibft-interfaces ilo iscsi-boot keylime-agent lvm mellanox
  nm-dhcp-ib-interfaces oat-client openstack-ci-mirrors opensuse opensuse-minimal proliant-tools
  python-brickclient python-stow-versions rax-nova-agent replace-partition replace-partition-redhat
  rhel rhel-common rhel7 rocky-container tpm-emulator uboot ubuntu-signed ubuntu-systemd-container
  zipl zypper zypper-minimal
  `
    .trim()
    .split(/\s+/),
);
