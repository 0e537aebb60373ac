/**
 * Why an ordinary user cannot be root of a user namespace here, and what the administrator does
 * about it. Pure. Sources: user_namespaces(7), subuid(5), newuidmap(1), unshare(1), and the
 * kernel's and distributions' switches by the names that they have in /proc/sys.
 */
import { CAP_SYS_ADMIN, hasCapability } from './capabilities.ts';

/** What the host says, read after a namespace could not be made. */
export interface NamespaceFacts {
  /** The user's name, or the number of one without a name. */
  readonly user: string;
  readonly uid: number;
  /** Text of /etc/subuid and /etc/subgid; empty when there is no such file. */
  readonly subuid: string;
  readonly subgid: string;
  /** `user.max_user_namespaces`. */
  readonly maxUserNamespaces?: number;
  /** `kernel.unprivileged_userns_clone`, which Debian's kernels have. */
  readonly unprivilegedClone?: number;
  /** `kernel.apparmor_restrict_unprivileged_userns`, which Ubuntu's kernels have. */
  readonly apparmorRestricts?: number;
  /** /proc/self/status. */
  readonly status: string;
  /** What the tools said, oldest first. */
  readonly said: readonly string[];
}

export interface Refusal {
  /** A clause: "the user 'ann' has no range of user ids in /etc/subuid". */
  readonly reason: string;
  /** What to run or change, one thing per line. */
  readonly remedy: string;
}

/** Ids that an image needs besides root's: up to 65534, "nobody". */
export const NEEDED_IDS = 65_535;

/** How many ids a range has by custom. Source: login.defs(5), `SUB_UID_COUNT`. */
const RANGE = 65_536;
const FIRST_RANGE = 100_000;

/** Whether a set of capabilities in /proc/self/status has the one to mount with. */
export function mayMount(status: string, set: 'CapEff' | 'CapBnd'): boolean {
  return hasCapability(status, set, CAP_SYS_ADMIN);
}

/** What a user is told who wanted to do that. `uid`: hers, 0 for the root of a container that may not mount. */
export function describeRefusal(
  { reason, remedy }: Refusal,
  { what, uid }: { readonly what: string; readonly uid: number },
): { readonly message: string; readonly hint: string } {
  return uid === 0
    ? { message: `Cannot ${what} as a root who may not mount: ${reason}`, hint: remedy }
    : {
        message: `Cannot ${what} without root: ${reason}`,
        hint: `${remedy}\nOr run the same command as root, for example with sudo -E`,
      };
}

/** The first reason that holds, the most certain ones first. */
export function explainRefusal(facts: NamespaceFacts): Refusal {
  return (
    switchedOff(facts) ??
    confined(facts) ??
    withoutName(facts) ??
    withoutRange(facts) ??
    withoutPrivilege(facts) ??
    oldTools(facts) ??
    unknown(facts)
  );
}

function switchedOff(facts: NamespaceFacts): Refusal | undefined {
  const { maxUserNamespaces, unprivilegedClone, apparmorRestricts } = facts;
  if (maxUserNamespaces === 0 || facts.said.some((line) => /No space left on device/.test(line))) {
    const max = maxUserNamespaces ?? 0;
    return bySwitch('user.max_user_namespaces', max, Math.max(15_000, 2 * max));
  }
  if (unprivilegedClone === 0) {
    return bySwitch('kernel.unprivileged_userns_clone', 0, 1);
  }
  return apparmorRestricts === 1
    ? bySwitch('kernel.apparmor_restrict_unprivileged_userns', 1, 0)
    : undefined;
}

function bySwitch(name: string, is: number, wanted: number): Refusal {
  return {
    reason: `the kernel's setting ${name} is ${is}`,
    remedy: [
      `As root: sysctl -w ${name}=${wanted}`,
      `And for the next boot: echo '${name} = ${wanted}' >> /etc/sysctl.d/60-dibkit.conf`,
    ].join('\n'),
  };
}

const UNMAPPED = /write to [ug]id_map failed: Operation not permitted/;

/** What a container does to its processes. */
function confined(facts: NamespaceFacts): Refusal | undefined {
  if (/^NoNewPrivs:\s*1$/m.test(facts.status)) {
    return {
      reason: 'this process may gain no privileges (no_new_privs), so newuidmap cannot work',
      remedy:
        'Start the container without --security-opt no-new-privileges (Kubernetes: allowPrivilegeEscalation: true)',
    };
  }
  if (!mayMount(facts.status, 'CapBnd') && facts.said.some((line) => UNMAPPED.test(line))) {
    return {
      reason: 'the container that we are in takes away what a setuid newuidmap needs',
      remedy: [
        "In the container's image, as root: chmod u-s /usr/bin/newuidmap /usr/bin/newgidmap",
        'and setcap cap_setuid+ep /usr/bin/newuidmap and setcap cap_setgid+ep /usr/bin/newgidmap',
        'Or start the container with --cap-add SYS_ADMIN, or with --privileged',
      ].join('\n'),
    };
  }
  const denied = facts.said.some((line) => /unshare failed: Operation not permitted/.test(line));
  if (denied && /^Seccomp:\s*2$/m.test(facts.status)) {
    return {
      reason: 'the container that we are in forbids user namespaces (seccomp)',
      remedy:
        'Start the container with --security-opt seccomp=unconfined --security-opt systempaths=unconfined, or with --privileged',
    };
  }
  return facts.said.some((line) => /mount \/proc failed/.test(line))
    ? {
        reason: 'the container that we are in hides parts of /proc, so none can be mounted',
        remedy:
          'Start the container with --security-opt systempaths=unconfined (podman: unmask=ALL), or with --privileged',
      }
    : undefined;
}

/** unshare and newuidmap look their caller up by number. */
function withoutName({ user, uid }: NamespaceFacts): Refusal | undefined {
  return user === String(uid)
    ? {
        reason: `the user with the number ${uid} has no name in /etc/passwd, which newuidmap needs`,
        remedy: [
          `As root, in a container when its image is made: useradd --uid ${uid} builder`,
          'Or start the container as a user that it has in /etc/passwd',
        ].join('\n'),
      }
    : undefined;
}

/** A host where ids come from elsewhere (sssd) has none in the files; then no namespace failed for this. */
function withoutRange(facts: NamespaceFacts): Refusal | undefined {
  const files = [
    { file: '/etc/subuid', text: facts.subuid, what: 'user' },
    { file: '/etc/subgid', text: facts.subgid, what: 'group' },
  ].map((each) => ({ ...each, range: rangeOf(facts, each.text) }));
  const lacking = files.filter(({ range }) => (range?.count ?? 0) < NEEDED_IDS);
  const [worst] = lacking;
  if (worst === undefined) {
    return undefined;
  }
  const first = Math.max(...files.map(({ text }) => freeRange(text)));
  const line = `${facts.user}:${first}:${RANGE}`;
  const missing = lacking.flatMap(({ file, range }) => (range === undefined ? [file] : []));
  const short = lacking.flatMap(({ file, range }) =>
    range === undefined ? [] : [`As root: sed -i 's/^${range.line}$/${line}/' ${file}`],
  );
  return {
    reason:
      worst.range === undefined
        ? `the user '${facts.user}' has no range of ${worst.what} ids in ${worst.file}`
        : `the user '${facts.user}' has ${worst.range.count} ${worst.what} ids in ${worst.file}, and an image needs ${NEEDED_IDS}`,
    remedy: [...addRange(facts.user, missing, first), ...short].join('\n'),
  };
}

function addRange(user: string, files: readonly string[], first: number): readonly string[] {
  if (files.length === 0) {
    return [];
  }
  const flags = files.map((file) => `--add-${file.slice('/etc/'.length)}s`);
  const range = `${first}-${first + RANGE - 1}`;
  return [
    `As root: usermod ${flags.map((flag) => `${flag} ${range}`).join(' ')} ${user}`,
    `That is the line '${user}:${first}:${RANGE}' in ${files.join(' and ')}`,
  ];
}

interface IdRange {
  readonly line: string;
  readonly owner: string;
  readonly first: number;
  readonly count: number;
}

/** `owner:first:count` lines; the owner is a name or a number. Source: subuid(5). */
function rangesOf(text: string): readonly IdRange[] {
  return text.split('\n').flatMap((each) => {
    const line = each.trim();
    const [owner = '', first, count] = line.split(':');
    return owner === '' || owner.startsWith('#')
      ? []
      : [{ line, owner, first: Number(first) || 0, count: Number(count) || 0 }];
  });
}

/**
 * The user's first line: unshare takes no other, so a second one does not help. Source: util-linux,
 * unshare.c, read_subid_range() (measured with 2.38 and 2.41).
 */
function rangeOf({ user, uid }: NamespaceFacts, text: string): IdRange | undefined {
  return rangesOf(text).find(({ owner }) => owner === user || owner === String(uid));
}

/** The first id of a range that nobody has, on the customary grid. */
function freeRange(text: string): number {
  const end = Math.max(FIRST_RANGE, ...rangesOf(text).map(({ first, count }) => first + count));
  return FIRST_RANGE + Math.ceil((end - FIRST_RANGE) / RANGE) * RANGE;
}

/** Copies of files lose such bits, and so do file systems that are mounted with `nosuid`. */
function withoutPrivilege({ said }: NamespaceFacts): Refusal | undefined {
  return said.some((line) => UNMAPPED.test(line))
    ? {
        reason: 'newuidmap may not give out ids: it has lost its setuid bit, or may not use it',
        remedy: [
          'As root: chmod u+s "$(command -v newuidmap)" "$(command -v newgidmap)"',
          "And see that they are root's, on a file system that is not mounted with nosuid",
        ].join('\n'),
      }
    : undefined;
}

function oldTools(facts: NamespaceFacts): Refusal | undefined {
  return facts.said.some((line) => /unrecognized option '--map-auto'/.test(line))
    ? {
        reason: 'its unshare is too old: it lacks --map-auto',
        remedy: 'Install util-linux 2.38 or later',
      }
    : undefined;
}

function unknown(facts: NamespaceFacts): Refusal {
  const last = facts.said.filter((line) => line.trim() !== '').at(-1);
  return {
    reason: last === undefined ? 'the kernel refuses it' : `the host refuses it: ${last.trim()}`,
    remedy: 'See what unshare --user --map-root-user --map-auto --mount --pid --fork true says',
  };
}
