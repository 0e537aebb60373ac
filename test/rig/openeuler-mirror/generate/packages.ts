/**
 * Which Debian packages become which RPMs of the stand-in. A Debian package that no row names
 * becomes an RPM of its own name.
 */

/** One RPM. Files of our own lie in test/fixtures/openeuler-mirror/rpm/NAME, and win. */
export interface RpmRow {
  /** The Debian packages whose files it has; none: only files of our own. */
  readonly debs?: readonly string[];
  readonly requires?: readonly string[];
  readonly provides?: readonly string[];
  /** Symbolic links: where, and to what. */
  readonly links?: Readonly<Record<string, string>>;
  readonly dirs?: readonly string[];
  /** Files of the Debian packages to leave out: what their path matches. */
  readonly drop?: readonly RegExp[];
  /** Files whose mode or owner is another: the inside of %attr(). */
  readonly attr?: Readonly<Record<string, string>>;
  /** Units that the presets switch on or off when the package is installed. */
  readonly units?: readonly string[];
  readonly post?: string;
  readonly posttrans?: string;
}

/** What apt is asked for; it finds out what these need. The names are those of any Debian. */
export const DEB_ROOTS: readonly string[] = [
  ...['bash', 'bzip2', 'ca-certificates', 'coreutils', 'curl', 'debianutils', 'diffutils', 'dnf'],
  ...['findutils', 'gawk', 'gpg', 'grep', 'gzip', 'hostname', 'libc-bin', 'ncurses-base'],
  ...['procps', 'rpm', 'rsync', 'sed', 'tar', 'tzdata', 'vim-tiny', 'xz-utils', 'zstd'],
  ...['chrony', 'cloud-guest-utils', 'cloud-init', 'cpio', 'dbus', 'dracut-core', 'e2fsprogs'],
  ...['fdisk', 'gdisk', 'grub-efi-amd64-bin', 'grub-pc-bin', 'grub2-common', 'iproute2'],
  ...['iputils-ping', 'isc-dhcp-client', 'kbd', 'kmod', 'less', 'libpam-modules'],
  ...['libpam-runtime', 'libpam-systemd', 'linux-image-cloud-amd64', 'login', 'mount'],
  ...['network-manager', 'openssh-client', 'openssh-server', 'passwd', 'rsync', 'sudo', 'systemd'],
  ...['systemd-sysv', 'udev', 'util-linux', 'util-linux-extra', 'xfsprogs', 'dosfstools'],
  // What the element migration-update runs.
  'nodejs',
];

/** What apt adds to those, and an openEuler has no use for. */
export const DEBS_LEFT_OUT =
  /^(adduser|base-files|debconf|debugedit|dpkg|init-system-helpers|initramfs-tools.*|klibc-utils|libc-l10n|libfile-find-rule-perl|libklibc|libnumber-compare-perl|libperl.*|libtext-glob-perl|linux-base|linux-image-cloud-.*|locales|lsb-base|perl.*|rpm2cpio|runit-helper|sensible-utils|sgml-base|sysvinit-utils|ucf|usrmerge|xml-core)$/;

/** What no RPM has: documents, and glue between Debian's packages. */
export const PATHS_LEFT_OUT: readonly RegExp[] = [
  /^\/usr\/share\/(bash-completion|bug|doc|doc-base|info|initramfs-tools|lintian|locale|man|mime|pam-configs|zsh)\//,
  /^\/etc\/(apparmor\.d|apport|cron\.[a-z]+|default\/grub\.d|dhcp\/.*-hooks\.d|init\.d|insserv.*|logcheck|network|ppp|rc.\.d|runit|sv|ufw)\//,
  /^\/usr\/share\/openssh\/sshd_config/,
  // rpmbuild reads a backslash in a file name as an escape.
  /\\/,
];

/** Unlike the modules that stay, these make the kernel large and no test's machine has their devices. */
const KERNEL_MODULES_LEFT_OUT = [
  /\/kernel\/drivers\/(infiniband|net\/ethernet|hv|target|gpu|platform|nvdimm)\//,
  /\/kernel\/fs\/(afs|btrfs|ceph|cifs|coda|dlm|ecryptfs|f2fs|gfs2|hfs|hfsplus|jfs|jffs2|lockd|nfs|nfsd|nfs_common|nilfs2|ntfs|ntfs3|ocfs2|orangefs|reiserfs|smb|ubifs|udf|ufs|xfs\/.*-test.*)\//,
  /\/kernel\/net\/(atm|batman-adv|bluetooth|ceph|dccp|ieee802154|mac80211|openvswitch|rds|rxrpc|sctp|sunrpc|tipc|wireless)\//,
];

const GRUB2_TOOLS = ['bios-setup', 'install', 'mkconfig', 'probe', 'reboot', 'set-default'];
const GRUB2_TOOLS_MINIMAL = ['editenv', 'file', 'mkimage', 'mkpasswd-pbkdf2', 'mkrelpath'];

/** `/DIR/grub2-NAME`, a link to Debian's `grub-NAME`, for each name. */
function grub2Links(dir: string, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [`${dir}/grub2-${name}`, `grub-${name}`]));
}

/** The RPMs by name, those without Debian packages last. */
export const RPMS: Readonly<Record<string, RpmRow>> = {
  // ── In the container ──
  bash: {
    debs: ['bash'],
    // What rpmbuild requires for a scriptlet is /bin/sh.
    provides: ['/bin/sh', '/bin/bash', '/usr/bin/sh', '/usr/bin/bash'],
    links: { '/usr/bin/sh': 'bash' },
  },
  'ca-certificates': { debs: ['ca-certificates'], requires: ['openssl'] },
  dnf: {
    debs: ['dnf', 'dnf-data', 'libdnf2-common'],
    provides: ['yum', 'dnf-data', 'dnf-plugins-core'],
    links: { '/usr/bin/yum': 'dnf' },
    drop: [/^\/etc\/yum\.repos\.d\//],
  },
  gawk: { debs: ['gawk'], links: { '/usr/bin/awk': 'gawk' } },
  glibc: { debs: ['libc6', 'libcrypt1'], provides: ['libxcrypt'] },
  'glibc-common': { debs: ['libc-bin'], provides: ['glibc-all-langpacks'] },
  gnupg2: { debs: ['gpg', 'gpgconf'], provides: ['gnupg'] },
  'ncurses-base': { debs: ['ncurses-base'] },
  'procps-ng': { debs: ['procps', 'libproc2-0'], provides: ['procps'] },
  python3: {
    debs: ['python3', 'python3-minimal', 'python3.11', 'python3.11-minimal'],
    provides: ['python3-libs'],
  },
  rpm: { debs: ['rpm', 'rpm-common'] },
  'rpm-libs': { debs: ['librpm9', 'librpmbuild9', 'librpmio9', 'librpmsign9'] },
  'systemd-libs': { debs: ['libsystemd0', 'libudev1'] },
  'vim-minimal': { debs: ['vim-tiny', 'vim-common'], links: { '/usr/bin/vi': 'vim.tiny' } },
  which: { debs: ['debianutils'], links: { '/usr/bin/which': 'which.debianutils' } },
  xz: { debs: ['xz-utils'] },

  // ── For machines ──
  chrony: {
    debs: ['chrony'],
    drop: [/\/system\/chrony/, /\/etc\/default\/chrony$/, /\/etc\/chrony\/.*README$/],
    units: ['chronyd.service'],
  },
  'cloud-init': {
    debs: ['cloud-init'],
    requires: ['dhcp', 'e2fsprogs', 'iproute', 'shadow', 'systemd', 'util-linux', 'which'],
    drop: [
      /^\/etc\/profile\.d\//,
      /\/templates\/.*\.(alpine|cos|debian|freebsd|suse|ubuntu)\.tmpl$/,
    ],
    units: [
      'cloud-init-local.service',
      'cloud-init.service',
      'cloud-config.service',
      'cloud-final.service',
    ],
  },
  'cloud-utils-growpart': { debs: ['cloud-guest-utils'], requires: ['gawk', 'util-linux'] },
  dbus: {
    debs: ['dbus', 'dbus-bin', 'dbus-daemon', 'dbus-session-bus-common', 'dbus-system-bus-common'],
    requires: ['setup'],
  },
  dhcp: { debs: ['isc-dhcp-client'], provides: ['dhclient', 'dhcp-client'], requires: ['iproute'] },
  dracut: {
    debs: ['dracut-core'],
    requires: ['cpio', 'gzip', 'kmod', 'systemd', 'systemd-udev', 'util-linux'],
    // Empty, and would be read after what the packages and the user say.
    drop: [/^\/etc\/dracut\.conf$/],
    links: { '/usr/sbin/dracut': '../bin/dracut' },
  },
  'grub2-efi-x64-modules': { debs: ['grub-efi-amd64-bin'], requires: ['grub2-common'] },
  'grub2-pc-modules': { debs: ['grub-pc-bin'], requires: ['grub2-common'] },
  'grub2-tools': {
    debs: ['grub2-common'],
    requires: ['gettext-base', 'grub2-common', 'grub2-tools-minimal', 'which'],
    provides: ['grub2-tools-extra'],
    links: grub2Links(
      '/usr/sbin',
      GRUB2_TOOLS.filter((name) => name !== 'bios-setup'),
    ),
  },
  'grub2-tools-minimal': {
    debs: ['grub-common'],
    requires: ['grub2-common'],
    drop: [/\/etc\/grub\.d\/(05_debian_theme|20_linux_xen|30_os-prober)$/, /\/os-prober/],
    links: grub2Links('/usr/bin', GRUB2_TOOLS_MINIMAL),
  },
  iproute: { debs: ['iproute2', 'libcap2-bin'] },
  iputils: { debs: ['iputils-ping'] },
  kernel: {
    requires: ['dracut', 'grubby', 'initscripts', 'linux-firmware', 'module-init-tools'],
    drop: KERNEL_MODULES_LEFT_OUT,
  },
  kmod: { debs: ['kmod'], provides: ['module-init-tools'] },
  NetworkManager: {
    debs: ['network-manager'],
    provides: ['NetworkManager-libnm'],
    drop: [/\/01-ifupdown$/],
    units: [
      'NetworkManager.service',
      'NetworkManager-dispatcher.service',
      'NetworkManager-wait-online.service',
    ],
  },
  openssh: { requires: ['openssh-clients'] },
  'openssh-clients': { debs: ['openssh-client'] },
  'openssh-server': {
    debs: ['openssh-server', 'openssh-sftp-server'],
    requires: ['openssh', 'openssh-clients', 'pam', 'systemd'],
    drop: [/\/systemd\/system\/(ssh|rescue-ssh|ssh@)\./, /\/etc\/default\/ssh$/],
    attr: { '/etc/ssh/sshd_config': '0600, root, root' },
    units: ['sshd.service'],
  },
  pam: {
    debs: ['libpam-modules', 'libpam-modules-bin', 'libpam-runtime', 'libpam0g'],
    drop: [/^\/etc\/pam\.conf$/, /\/pam-auth-update$/],
    attr: { '/usr/sbin/unix_chkpwd': '4755, root, root' },
  },
  polkit: { debs: ['polkitd'] },
  shadow: {
    debs: ['passwd'],
    requires: ['pam', 'setup', 'util-linux'],
    provides: ['passwd', 'shadow-utils'],
  },
  sudo: { debs: ['sudo'] },
  systemd: {
    debs: ['systemd', 'systemd-sysv', 'libsystemd-shared', 'dmsetup'],
    requires: ['dbus', 'systemd-pam', 'systemd-udev', 'util-linux'],
    provides: ['systemd-sysv', 'systemd-networkd', 'systemd-nspawn'],
    drop: [/^\/etc\/systemd\/system\//],
    post: 'systemd-machine-id-setup >/dev/null 2>&1 || :\nsystemctl preset-all >/dev/null 2>&1 || :',
  },
  'systemd-pam': { debs: ['libpam-systemd'] },
  'systemd-udev': { debs: ['udev'], requires: ['kmod', 'systemd'], provides: ['udev'] },
  'util-linux': {
    debs: ['util-linux', 'util-linux-extra', 'mount', 'login', 'fdisk', 'eject', 'logsave'],
    requires: ['pam', 'setup'],
    provides: ['util-linux-ng', 'util-linux-user'],
  },

  // ── Our own ──
  filesystem: {
    provides: ['filesystem(unmerged-sbin-symlinks)'],
    links: {
      '/bin': 'usr/bin',
      '/lib': 'usr/lib',
      '/lib64': 'usr/lib64',
      '/sbin': 'usr/sbin',
      '/var/lock': '../run/lock',
      '/var/run': '../run',
    },
    dirs: [
      ...['/boot', '/dev', '/etc', '/home', '/media', '/mnt', '/opt', '/proc', '/root', '/run'],
      ...['/srv', '/sys', '/tmp', '/usr/bin', '/usr/games', '/usr/include', '/usr/lib'],
      ...['/usr/lib64', '/usr/local/bin', '/usr/local/lib', '/usr/local/sbin', '/usr/sbin'],
      ...['/usr/share', '/usr/src', '/var/cache', '/var/lib', '/var/log', '/var/spool', '/var/tmp'],
      ...['/etc/profile.d', '/etc/sysconfig'],
    ],
    attr: {
      '/proc': '0555, root, root',
      '/root': '0550, root, root',
      '/sys': '0555, root, root',
      '/tmp': '1777, root, root',
      '/var/tmp': '1777, root, root',
    },
  },
  setup: {
    requires: ['filesystem'],
    attr: { '/etc/shadow': '0000, root, root', '/etc/gshadow': '0000, root, root' },
  },
  'openEuler-gpg-keys': {},
  'openEuler-latest-release': {},
  'openEuler-release': {
    requires: ['openEuler-gpg-keys', 'openEuler-repos'],
    links: {
      '/etc/os-release': '../usr/lib/os-release',
      '/etc/system-release': 'openEuler-release',
    },
  },
  'openEuler-repos': { requires: ['openEuler-gpg-keys'] },
  basesystem: { requires: ['filesystem', 'setup'] },
  rootfiles: {},
  grubby: { requires: ['dracut'] },
  'dracut-config-generic': { requires: ['dracut'] },
  'dracut-config-rescue': { requires: ['dracut'] },
  'dracut-network': { requires: ['dracut'] },
  'grub2-common': {
    // Debian's programs know /boot/grub by heart.
    dirs: ['/boot/grub2'],
    links: { '/boot/grub': 'grub2' },
  },
  'grub2-efi-x64': {
    requires: ['grub2-common', 'grub2-tools'],
    provides: ['grub2-efi'],
    links: { '/etc/grub2-efi.cfg': '../boot/efi/EFI/openEuler/grub.cfg' },
  },
  'grub2-pc': {
    requires: ['grub2-common', 'grub2-pc-modules', 'grub2-tools'],
    provides: ['grub2'],
    links: {
      '/etc/grub2.cfg': '../boot/grub2/grub.cfg',
      '/usr/sbin/grub2-bios-setup': '../lib/grub/i386-pc/grub-bios-setup',
    },
  },
  initscripts: { dirs: ['/etc/sysconfig/network-scripts'], provides: ['network-scripts'] },
  shim: { provides: ['shim-x64'] },

  // ── Names that somebody may ask for; there is nothing in them ──
  ...Object.fromEntries(
    [
      ...['NetworkManager-config-server', 'acl', 'audit', 'efibootmgr', 'gettext', 'glibc-locale'],
      ...['irqbalance', 'kbd-legacy', 'kbd-misc', 'linux-firmware', 'lsof', 'lvm2', 'man-pages'],
      ...[
        'net-tools',
        'openEuler-rpm-config',
        'open-iscsi',
        'openeuler-lsb',
        'parted',
        'policycoreutils',
      ],
      ...['policycoreutils-python-utils', 'python3-libselinux', 'python3-policycoreutils'],
      ...['qemu-guest-agent', 'rng-tools', 'rsyslog', 'security-tool', 'selinux-policy'],
      ...['selinux-policy-targeted', 'tcpdump', 'traceroute', 'tuned', 'unzip', 'wget'],
      // The element migration-update asks for these, and its tests run none of them.
      ...[
        'gcc',
        'gcc-c++',
        'git',
        'lftp',
        'make',
        'python3-pip',
        'rpm-build',
        'ruby',
        'ruby-devel',
      ],
      ...['rubygem-bundler', 'rubygem-json', 'rubygem-rake', 'rubygems'],
      'epol-only',
    ].map((name) => [name, {}]),
  ),
};

/** Those that differ between releases. */
export const PER_RELEASE: ReadonlySet<string> = new Set([
  ...['openEuler-gpg-keys', 'openEuler-latest-release', 'openEuler-release', 'openEuler-repos'],
  'setup',
]);

/** What the release's container has; dnf adds what these need. */
export const IN_CONTAINER: readonly string[] = [
  ...[
    'basesystem',
    'bash',
    'ca-certificates',
    'coreutils',
    'curl',
    'diffutils',
    'dnf',
    'filesystem',
  ],
  ...['findutils', 'gawk', 'glibc-common', 'gnupg2', 'grep', 'gzip', 'hostname', 'ncurses-base'],
  ...['openEuler-latest-release', 'openEuler-release', 'procps-ng', 'python3', 'rootfiles', 'rpm'],
  ...['sed', 'setup', 'tar', 'tzdata', 'vim-minimal', 'which'],
];

/** Not in the repository `OS`, only in `everything`. */
export const ONLY_IN_EVERYTHING: ReadonlySet<string> = new Set([
  ...['cloud-utils-growpart', 'gdisk', 'openEuler-rpm-config', 'openeuler-lsb', 'security-tool'],
]);

/** In `EPOL/main` and nowhere else. */
export const ONLY_IN_EPOL: ReadonlySet<string> = new Set(['epol-only']);
