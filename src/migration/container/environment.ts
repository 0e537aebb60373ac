/** The variables of the container. Pure. */
import { usageError } from '../../events/failure.ts';
import { DEFAULT_NAMES, isSecretName, type Setting, type Settings } from './settings.ts';

export interface EnvironmentRequest {
  readonly settings: Settings;
  /** `NAME`, from the settings or else from `own`, or `NAME=VALUE`. */
  readonly wanted: readonly string[];
  readonly own: Readonly<Record<string, string>>;
  readonly timeZone: string;
}

/**
 * The variables of the container.
 *
 * @throws Failed `usage` for a name that has no value anywhere.
 */
export function containerEnvironment(request: EnvironmentRequest): ReadonlyMap<string, Setting> {
  const { settings, wanted, own, timeZone } = request;
  // The mounted /etc/localtime may lie behind a link whose name says another zone.
  const chosen = new Map<string, Setting>([['TZ', { value: timeZone, secret: false }]]);
  for (const name of DEFAULT_NAMES) {
    const setting = settings.get(name);
    if (setting !== undefined) {
      chosen.set(name, setting);
    }
  }
  for (const word of wanted) {
    const [, name = '', , value] = /^([A-Za-z_]\w*)(=(.*))?$/s.exec(word) ?? [];
    const setting =
      value === undefined ? (settings.get(name) ?? ownSetting(name, own)) : plain(name, value);
    if (setting === undefined) {
      throw usageError(
        `Cannot pass '${word}' on: neither compass-ci's settings nor the environment have it`,
        'Give --env NAME=VALUE, or export it first',
      );
    }
    chosen.set(name, setting);
  }
  return chosen;
}

function ownSetting(name: string, own: Readonly<Record<string, string>>): Setting | undefined {
  const value = own[name];
  return name === '' || value === undefined ? undefined : plain(name, value);
}

function plain(name: string, value: string): Setting {
  return { value, secret: isSecretName(name) };
}
