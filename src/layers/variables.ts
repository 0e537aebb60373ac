/**
 * Which exported variables a layer depends on. Pure.
 *
 * By default every variable counts: a program that a hook starts may read any of them. Some are known
 * to be read by nothing but hooks that name them, because they describe the session, the CI job or the
 * command line: those count only where a file that the phase has read names them. So another image
 * name, or another package for a later phase, does not cost the earlier ones.
 */
import { readsElements } from './element-files.ts';

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
  'DIB_FETCH_TIMEOUT',
  'DIB_IMAGE_CACHE',
  'DIB_LOCKFILES',
  'DIB_LOCK_WAIT',
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
  'AWS_ACCESS_KEY_ID',
  'AWS_CREDENTIAL_EXPIRATION',
  'AWS_SECRET_ACCESS_KEY',
  'BRANCH_NAME',
  'COLORTERM',
  'COLUMNS',
  'CREDENTIALS_DIRECTORY',
  'DESKTOP_SESSION',
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
  'EXECUTOR_NUMBER',
  'GDMSESSION',
  'GIT_BRANCH',
  'GIT_COMMIT',
  'GIT_LOCAL_BRANCH',
  'GIT_PREVIOUS_COMMIT',
  'GIT_PREVIOUS_SUCCESSFUL_COMMIT',
  'GPG_AGENT_INFO',
  'GPG_TTY',
  // Also where a text goes there without naming it: `home.ts`.
  'HOME',
  // Docker exports it, and draws it for each container.
  'HOSTNAME',
  'HUDSON_COOKIE',
  'ICEAUTHORITY',
  'IMAGE_ELEMENT',
  'IMAGE_NAME',
  'IMAGE_TYPE',
  'INIT_CWD',
  'INVOCATION_ID',
  'JOURNAL_STREAM',
  'LC_TERMINAL',
  'LC_TERMINAL_VERSION',
  'LINES',
  'LOGNAME',
  'LS_COLORS',
  'MAIL',
  'MAKEFLAGS',
  'MAKELEVEL',
  'MAKEOVERRIDES',
  'MANAGERPID',
  'MAX_ONLINE_RESIZE',
  'MFLAGS',
  'MKFS_OPTS',
  'NODE',
  'NOTIFY_SOCKET',
  'OLDPWD',
  'OVERWRITE_OLD_IMAGE',
  'PWD',
  'QEMU_IMG_OPTIONS',
  'SESSION_MANAGER',
  // Of the person, for scripts that open a shell for one; hooks run in bash whatever it is.
  'SHELL',
  'SKIP_BASE',
  'STAGE_NAME',
  'STY',
  'TERM',
  'USER',
  'VTE_VERSION',
  'WAYLAND_DISPLAY',
  'WINDOW',
  'WINDOWID',
  'WORKSPACE',
  'WORKSPACE_TMP',
  'XAUTHORITY',
]);

/** Sessions, terminals, CI services, and programs that export what they are called with. */
const NAMED_PREFIXES = [
  'ACTIONS_',
  'AGENT_',
  'ALACRITTY_',
  'APPVEYOR_',
  'BITBUCKET_',
  'BUILDKITE_',
  'BUILD_',
  'CHANGE_',
  'CIRCLE_',
  'CIRRUS_',
  'CI_',
  'CODEBUILD_',
  'DBUS_',
  'DIB_CONTAINER_',
  'DOCKER_',
  'DRONE_',
  'GITHUB_',
  'GITLAB_',
  'GNOME_',
  'HUDSON_',
  'ITERM_',
  'JENKINS_',
  'JOB_',
  'KDE_',
  'KITTY_',
  'KONSOLE_',
  'LISTEN_',
  'MAKE_TERM',
  'MEMORY_PRESSURE_',
  'NODE_',
  'RUNNER_',
  'RUN_ARTIFACTS_',
  'RUN_CHANGES_',
  'RUN_DISPLAY_',
  'RUN_TESTS_',
  'SEMAPHORE_',
  'SSH_',
  'SUDO_',
  'SYSTEMD_',
  'SYSTEM_',
  'TEAMCITY_',
  'TERM_',
  'TMUX',
  'TRAVIS_',
  'VSCODE_',
  'WEZTERM_',
  'WOODPECKER_',
  'WT_',
  'XDG_',
  'ZELLIJ',
  'ZUUL_',
  'npm_',
] as const;

const NAMED_PATTERNS = [
  // Kubernetes: one set for each service of the cluster, with its address.
  /_SERVICE_(?:HOST|PORT)(?:_|$)/,
  /_PORT(?:$|_\d+_(?:TCP|UDP|SCTP)(?:_|$))/,
  // What lets somebody in says nothing of what is there, and changes by the hour.
  /(?:^|_)TOKEN$/,
] as const;

/** What programs read by themselves, though a prefix says otherwise. */
const ALWAYS: ReadonlySet<string> = new Set([
  'DOCKER_BUILDKIT',
  'DOCKER_CONFIG',
  'DOCKER_CONTEXT',
  'DOCKER_DEFAULT_PLATFORM',
  'DOCKER_HOST',
  'NODE_ENV',
  'NODE_PATH',
  'SYSTEMD_OFFLINE',
  'XDG_CONFIG_HOME',
  'XDG_DATA_HOME',
]);

const NPM_SETTING = 'npm_config_';

/**
 * Settings that npm exports to every script that it runs, and those of how it talks: they vary with how a
 * build was started. All others were given by somebody. Source: @npmcli/config, set-envs.js.
 */
const NPM_BY_ITSELF: ReadonlySet<string> = new Set([
  'audit',
  'cache',
  'cafile',
  'call',
  'color',
  'fund',
  'global_prefix',
  'globalconfig',
  'init_module',
  'local_prefix',
  'loglevel',
  'logs_dir',
  'logs_max',
  'node_gyp',
  'nodedir',
  'noproxy',
  'npm_version',
  'package',
  'prefix',
  'progress',
  'update_notifier',
  'user_agent',
  'userconfig',
  'yes',
]);

export function classOf(name: string): VariableClass {
  if (NEVER.has(name)) {
    return 'never';
  }
  if (ALWAYS.has(name)) {
    return 'always';
  }
  if (name.startsWith(NPM_SETTING)) {
    return NPM_BY_ITSELF.has(name.slice(NPM_SETTING.length)) ? 'named' : 'always';
  }
  const isNamed =
    NAMED.has(name) ||
    NAMED_PREFIXES.some((prefix) => name.startsWith(prefix)) ||
    NAMED_PATTERNS.some((pattern) => pattern.test(name));
  return isNamed ? 'named' : 'always';
}

/** A value without what varies by run: each path becomes its placeholder. */
export function withoutRunPaths(value: string, paths: ReadonlyMap<string, string>): string {
  return [...paths]
    .sort(([a], [b]) => b.length - a.length)
    .reduce((text, [path, placeholder]) => text.replaceAll(path, placeholder), value);
}

/** `PATH` without the folders that `npm run` puts in front, so that it does not matter who starts a build. */
function withoutNpm(name: string, value: string): string {
  return name === 'PATH'
    ? value
        .split(':')
        .filter((folder) => !/\/(?:node_modules\/\.bin|node-gyp-bin)$/.test(folder))
        .join(':')
    : value;
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
        return (
          kind === 'always' ||
          (kind === 'named' && isNamed(name)) ||
          // Whoever goes through the elements sees which there are, and in what order.
          (name === 'IMAGE_ELEMENT' && readsElements(isNamed))
        );
      })
      .map(([name, value]) => [name, withoutRunPaths(withoutNpm(name, value), paths)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}
