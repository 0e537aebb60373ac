/**
 * compass-ci's settings: flat maps of YAML in several files, the later ones first. Pure.
 *
 * Nothing in them is expanded or run: the original's reader handed every value to a shell.
 * Source: container/defconfig.sh, `load_cci_defaults` and `load_service_authentication`.
 */
import { parseDocument } from 'yaml';
import { configError } from '../../events/failure.ts';

/** Directories of `*.yaml`, in the order in which they are read; `~` is the user's home. */
export const SETTINGS_DIRECTORIES: readonly string[] = [
  '/etc/compass-ci/defaults',
  '/etc/compass-ci/service',
  '/etc/compass-ci/accounts',
  '~/.config/compass-ci/defaults',
];

/** The passwords of the cluster's services: every value in it is a secret. */
export const AUTHENTICATION_FILE = '/etc/compass-ci/passwd.yaml';

/** What `submit` has to know, and gets if it is set: everything else is read from the mounts. */
export const DEFAULT_NAMES: readonly string[] = ['SCHED_HOST', 'SCHED_PORT', 'lab'];

export interface Setting {
  readonly value: string;
  readonly secret: boolean;
}

export type Settings = ReadonlyMap<string, Setting>;

export interface SettingsFile {
  readonly path: string;
  readonly text: string;
  /** Whether everything in it is. */
  readonly secret: boolean;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const SECRET_NAME = /token|passw|secret|credential|key$/i;

export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/**
 * The scalars of all files by name; a hyphen in a name becomes an underscore. Lists and maps are left
 * out: they do not fit into a variable.
 *
 * @throws Failed `config` for a file that is no YAML map.
 */
export function mergeSettings(files: readonly SettingsFile[]): Settings {
  const merged = new Map<string, Setting>();
  for (const file of files) {
    for (const [key, value] of Object.entries(readMap(file))) {
      const name = key.replaceAll('-', '_');
      if (NAME.test(name) && isScalar(value)) {
        merged.set(name, { value: String(value), secret: file.secret || isSecretName(name) });
      }
    }
  }
  return merged;
}

function isScalar(value: unknown): boolean {
  return ['string', 'number', 'boolean'].includes(typeof value);
}

function readMap({ path, text }: SettingsFile): Record<string, unknown> {
  // Ports such as 017 and hosts such as `on` are text, whatever YAML has become of them elsewhere.
  const document = parseDocument(text, { schema: 'failsafe', prettyErrors: false });
  const [problem] = document.errors;
  if (problem !== undefined) {
    const line = text.slice(0, problem.pos[0]).split('\n').length;
    throw configError(`Cannot read compass-ci's settings: ${problem.code}`, {
      at: { file: path, line },
    });
  }
  const value: unknown = document.toJS();
  if (value === null || value === undefined || value === '') {
    return {};
  }
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw configError("Cannot read compass-ci's settings: it is no map of names to values", {
      at: { file: path },
    });
  }
  return value as Record<string, unknown>;
}
