/** Settings of a container in `DIB_CONTAINER_*` variables. Pure. */
import {
  type ContainerSettings,
  type SettingName,
  shellForm,
  VALUE_RULES,
  type ValueRule,
} from './container-settings.ts';
import type { Problems } from './problems.ts';

/** The variables that override what elements say, one for each setting. */
export const SETTING_VARIABLES: Readonly<Record<SettingName, string>> = {
  env: 'DIB_CONTAINER_ENV',
  workdir: 'DIB_CONTAINER_WORKDIR',
  entrypoint: 'DIB_CONTAINER_ENTRYPOINT',
  cmd: 'DIB_CONTAINER_CMD',
  user: 'DIB_CONTAINER_USER',
  labels: 'DIB_CONTAINER_LABELS',
  ports: 'DIB_CONTAINER_PORTS',
  volumes: 'DIB_CONTAINER_VOLUMES',
  author: 'DIB_CONTAINER_AUTHOR',
  'stop-signal': 'DIB_CONTAINER_STOP_SIGNAL',
};

/**
 * The settings in `DIB_CONTAINER_*`: maps hold one `NAME=VALUE` a line, lists are separated by blanks
 * or commas, commands are a JSON list or a text for the shell. Unset and empty are the same.
 */
export function settingsFromVariables(
  variables: Readonly<Record<string, string>>,
  problems: Problems,
): ContainerSettings {
  let settings: ContainerSettings = {};
  for (const [name, variable] of Object.entries(SETTING_VARIABLES)) {
    const text = variables[variable] ?? '';
    const value = text === '' ? undefined : READERS[name as SettingName](text, variable);
    if (typeof value === 'object' && 'wrong' in value) {
      problems.add(value.wrong);
    } else if (value !== undefined) {
      settings = { ...settings, [name]: value };
    }
  }
  return settings;
}

interface Wrong {
  readonly wrong: string;
}

type Reader = (
  text: string,
  variable: string,
) => string | readonly string[] | Record<string, string> | Wrong;

const READERS: Readonly<Record<SettingName, Reader>> = {
  env: assignments(VALUE_RULES.env),
  labels: assignments(VALUE_RULES.labels),
  entrypoint: readCommand,
  cmd: readCommand,
  ports: words(VALUE_RULES.ports),
  volumes: words(VALUE_RULES.volumes),
  workdir: single(VALUE_RULES.workdir),
  user: single(VALUE_RULES.user),
  author: single(VALUE_RULES.author),
  'stop-signal': single(VALUE_RULES['stop-signal']),
};

function single(rule: ValueRule): Reader {
  return (text, variable) =>
    rule.parse(text) ?? { wrong: `${variable} must be ${rule.expected}: '${text}'` };
}

function words(rule: ValueRule): Reader {
  return (text, variable) => {
    const items = text.split(/[\s,]+/).filter((word) => word !== '');
    const parsed = items.map((word) => rule.parse(word));
    const bad = parsed.indexOf(undefined);
    return bad === -1
      ? parsed.filter((word) => word !== undefined)
      : { wrong: `${variable} must hold ${rule.expected}: '${items[bad]}'` };
  };
}

function assignments(rule: ValueRule): Reader {
  return (text, variable) => {
    const found: Record<string, string> = {};
    for (const line of text.split('\n').filter((each) => each.trim() !== '')) {
      const [, name = '', value] = /^\s*([^=]*)=(.*)$/.exec(line) ?? [];
      if (value === undefined || rule.parse(name) === undefined) {
        return { wrong: `${variable} must hold NAME=VALUE, one a line: '${line}'` };
      }
      found[name] = value;
    }
    return found;
  };
}

function readCommand(text: string, variable: string): readonly string[] | Wrong {
  if (!text.trimStart().startsWith('[')) {
    return shellForm(text);
  }
  const wrong = { wrong: `${variable} must be a JSON list of texts, or a command: '${text}'` };
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) && list.every((item) => typeof item === 'string') ? list : wrong;
  } catch {
    return wrong;
  }
}
