/**
 * Which exported variables a layer depends on. Pure.
 *
 * By default every variable counts: a program that a hook starts may read any of them. Some are known
 * to be read by nothing but hooks that name them, because they describe the session, the CI job or the
 * command line: those count only where a file that the phase has read names them. So another image
 * name, or another package for a later phase, does not cost the earlier ones.
 */

/** `always`: in the key. `named`: in the key where a file that was read names it. */
export type VariableClass = 'always' | 'named' | 'never';

/**
 * Variables without influence on what is built, or whose influence is in the key by other means: the
 * elements' files are keyed one by one.
 */
const NEVER: ReadonlySet<string> = new Set([
  'BASH_FUNC_die%%',
  'BASH_FUNC_get_image_element_array%%',
  'DIBKIT_NODE',
  'DIBKIT_ROOT',
  'DIB_BLOCK_DEVICE_PARAMS_YAML',
  'DIB_CACHE_FROM',
  'DIB_CACHE_MAX_AGE',
  'DIB_CACHE_SIZE',
  'DIB_DEBUG_TRACE',
  'DIB_FAILURE_FILE',
  'DIB_IMAGE_CACHE',
  'DIB_LOCKFILES',
  'DIB_MIN_TMPFS',
  'DIB_NO_TMPFS',
  'DIB_NO_LAYERS',
  'DIB_OFFLINE',
  'ELEMENTS_PATH',
  'IMAGE_ELEMENT_YAML',
  // From how deep a shell the build was started; every shell on the way to a hook counts it up.
  'SHLVL',
  'TARGET_ROOT',
  'TMPDIR',
  'TMP_BUILD_DIR',
  'TMP_DIR',
  'TMP_HOOKS_PATH',
  'TMP_IMAGE_DIR',
  'TMP_MOUNT_PATH',
  '_',
  'break',
  'break_cmd',
  'break_outside_target',
]);

const NAMED: ReadonlySet<string> = new Set([
  'COLORTERM',
  'COLUMNS',
  'DIBKIT_PACKAGES',
  'DIB_ARGS',
  'DIB_BOOT_UUID',
  'DIB_CHECKSUM',
  'DIB_ENV',
  'DIB_GZIP_BIN',
  'DIB_IMAGE_EXTRA_SIZE',
  'DIB_IMAGE_SIZE',
  'DIB_JOURNAL_SIZE',
  'DIB_MANIFEST_SAVE_DIR',
  'DIB_NO_TIMESTAMP',
  'DIB_QUIET',
  'DIB_RAMDISK_MODULES',
  'DIB_ROOT_UUID',
  'DIB_SHOW_IMAGE_USAGE',
  'DIB_SHOW_IMAGE_USAGE_FULL',
  'DISPLAY',
  'IMAGE_ELEMENT',
  'IMAGE_NAME',
  'IMAGE_TYPE',
  'INVOCATION_ID',
  'JOURNAL_STREAM',
  'LINES',
  'LOGNAME',
  'LS_COLORS',
  'MAIL',
  'MAX_ONLINE_RESIZE',
  'MKFS_OPTS',
  'OLDPWD',
  'OVERWRITE_OLD_IMAGE',
  'PWD',
  'QEMU_IMG_OPTIONS',
  'SKIP_BASE',
  'TERM',
  'USER',
  'WINDOWID',
]);

const NAMED_PREFIXES = [
  'ACTIONS_',
  'CI_',
  'DBUS_',
  'DIB_CONTAINER_',
  'DOCKER_',
  'GITHUB_',
  'GITLAB_',
  'NODE_',
  'RUNNER_',
  'SSH_',
  'SUDO_',
  'SYSTEMD_',
  'TMUX',
  'VSCODE_',
  'XDG_',
  'ZUUL_',
  'npm_',
] as const;

export function classOf(name: string): VariableClass {
  if (NEVER.has(name)) {
    return 'never';
  }
  return NAMED.has(name) || NAMED_PREFIXES.some((prefix) => name.startsWith(prefix))
    ? 'named'
    : 'always';
}

/** Names that a text has to mention for the engine to look into the elements' own folders. */
const ELEMENT_WORDS = ['IMAGE_ELEMENT', 'get_image_element_array', 'ELEMENTS_PATH'] as const;

/** Whether hooks that say this may go through the elements' folders. */
export function readsElements(isNamed: (word: string) => boolean): boolean {
  return ELEMENT_WORDS.some(isNamed);
}

/** A value without what varies by run: each path becomes its placeholder. */
export function withoutRunPaths(value: string, paths: ReadonlyMap<string, string>): string {
  return [...paths]
    .sort(([a], [b]) => b.length - a.length)
    .reduce((text, [path, placeholder]) => text.replaceAll(path, placeholder), value);
}

/** The variables that count, with their values. `isNamed` asks the files that were read. */
export function countedVariables(
  environment: Readonly<Record<string, string>>,
  paths: ReadonlyMap<string, string>,
  isNamed: (name: string) => boolean,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(environment)
      .filter(([name]) => {
        const kind = classOf(name);
        return kind === 'always' || (kind === 'named' && isNamed(name));
      })
      .map(([name, value]) => [name, withoutRunPaths(value, paths)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}
