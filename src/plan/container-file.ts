/**
 * Reads a file of `container.d`. Pure.
 *
 * `${DIB_NAME}` and `${DIB_NAME:-default}` in a value stand for a variable of the build; every other `$` is
 * the container's own business and stays.
 */
import {
  type ContainerSettings,
  type SettingName,
  shellForm,
  VALUE_RULES,
  type ValueRule,
} from './container-settings.ts';
import { SETTING_VARIABLES } from './container-variables.ts';
import { type Entry, type Located, parseLocated } from './located-yaml.ts';
import type { Problems } from './problems.ts';

export interface ContainerFileRequest {
  readonly text: string;
  /** For messages. */
  readonly file: string;
  /** Of the build. */
  readonly variables: Readonly<Record<string, string>>;
}

/** The settings in a file; what is wrong with it goes to `problems`, with its place. */
export function parseContainerFile(
  request: ContainerFileRequest,
  problems: Problems,
): ContainerSettings {
  const top = parseLocated(request.text, request.file, problems);
  if (top === undefined) {
    return {};
  }
  if (top.kind !== 'map') {
    problems.add('Settings of a container must be a map', top.at);
    return {};
  }
  const reading: Reading = { variables: request.variables, problems };
  let settings: ContainerSettings = {};
  for (const [key, entry] of top.entries) {
    const value = readSetting(key, entry, reading);
    settings = value === undefined ? settings : { ...settings, [key]: value };
  }
  return settings;
}

interface Reading {
  readonly variables: Readonly<Record<string, string>>;
  readonly problems: Problems;
}

type Value = string | readonly string[] | Readonly<Record<string, string>>;

function readSetting(key: string, entry: Entry, reading: Reading): Value | undefined {
  if (!isSetting(key)) {
    const known = Object.keys(SETTING_VARIABLES).join(', ');
    reading.problems.add(`Unknown key "${key}"`, entry.at, `The keys are ${known}`);
    return undefined;
  }
  if (entry.value === undefined) {
    reading.problems.add(`Key "${key}" has no value`, entry.at);
    return undefined;
  }
  switch (key) {
    case 'env':
    case 'labels':
      return readMap(key, entry.value, reading);
    case 'entrypoint':
    case 'cmd':
      return entry.value.kind === 'text'
        ? shellForm(expand(entry.value, reading))
        : readList(key, entry.value, reading);
    case 'ports':
    case 'volumes':
      return readList(key, entry.value, reading);
    case 'workdir':
    case 'user':
    case 'author':
    case 'stop-signal':
      return readText(key, entry.value, reading);
  }
}

function isSetting(key: string): key is SettingName {
  return Object.hasOwn(SETTING_VARIABLES, key);
}

function readMap(
  key: 'env' | 'labels',
  value: Located,
  reading: Reading,
): Readonly<Record<string, string>> | undefined {
  if (value.kind !== 'map') {
    reading.problems.add(`Key "${key}" must be a map from names to values`, value.at);
    return undefined;
  }
  const found: Record<string, string> = {};
  for (const [name, entry] of value.entries) {
    if (VALUE_RULES[key].parse(name) === undefined) {
      reading.problems.add(
        `Key "${key}" must have ${VALUE_RULES[key].expected}: "${name}"`,
        entry.at,
      );
    } else if (entry.value?.kind !== 'text') {
      const message = `"${name}" of "${key}" must be a single value; write '' for an empty one`;
      reading.problems.add(message, entry.at);
    } else {
      found[name] = expand(entry.value, reading);
    }
  }
  return found;
}

function readList(
  key: 'entrypoint' | 'cmd' | 'ports' | 'volumes',
  value: Located,
  reading: Reading,
): readonly string[] | undefined {
  if (value.kind === 'map') {
    reading.problems.add(`Key "${key}" must be a list`, value.at);
    return undefined;
  }
  const items = value.kind === 'list' ? value.items : [value];
  const rule = key === 'ports' || key === 'volumes' ? VALUE_RULES[key] : undefined;
  return items.flatMap((item) => {
    if (item.kind !== 'text') {
      reading.problems.add(`An item of "${key}" must be a single value`, item.at);
      return [];
    }
    const text = expand(item, reading);
    const parsed = rule === undefined ? text : check({ key, rule, text }, item, reading);
    return parsed === undefined ? [] : [parsed];
  });
}

function readText(
  key: 'workdir' | 'user' | 'author' | 'stop-signal',
  value: Located,
  reading: Reading,
): string | undefined {
  if (value.kind !== 'text') {
    reading.problems.add(`Key "${key}" must be a single value`, value.at);
    return undefined;
  }
  return check({ key, rule: VALUE_RULES[key], text: expand(value, reading) }, value, reading);
}

function check(
  what: { readonly key: string; readonly rule: ValueRule; readonly text: string },
  { at }: Located,
  { problems }: Reading,
): string | undefined {
  const parsed = what.rule.parse(what.text);
  if (parsed === undefined) {
    problems.add(`Key "${what.key}" is "${what.text}", expected ${what.rule.expected}`, at);
  }
  return parsed;
}

function expand(value: Located & { readonly kind: 'text' }, reading: Reading): string {
  return value.text.replaceAll(
    /\$\{(DIB_\w+)(?::-([^}]*))?\}/g,
    (_whole, name: string, otherwise: string | undefined) => {
      const given = reading.variables[name] ?? '';
      if (given === '' && otherwise === undefined) {
        reading.problems.add(
          `The variable ${name} is not set`,
          value.at,
          `Export ${name}, or give a default: \${${name}:-VALUE}`,
        );
      }
      return given === '' ? (otherwise ?? '') : given;
    },
  );
}
