/** What elements say about how a container of the image is run: the files of `container.d`. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { configError } from '../events/failure.ts';
import { parseContainerFile } from '../plan/container-file.ts';
import { type ContainerSettings, mergeSettings } from '../plan/container-settings.ts';
import { Problems } from '../plan/problems.ts';
import { CONTAINER_DIRECTORY } from './listing.ts';

/**
 * The settings of all elements, put over each other in the elements' order, and of one element in the
 * order of its files' names.
 *
 * @throws Failed `config` with every problem, each with its file and line
 */
export async function readContainerSettings(
  elements: readonly { readonly name: string; readonly path: string }[],
  variables: Readonly<Record<string, string>>,
): Promise<ContainerSettings> {
  const problems = new Problems();
  let settings: ContainerSettings = {};
  for (const element of elements) {
    for (const { file, text } of filesOf(element)) {
      settings = mergeSettings(settings, parseContainerFile({ file, text, variables }, problems));
    }
  }
  problems.throwIfAny();
  return settings;
}

function filesOf(element: {
  readonly name: string;
  readonly path: string;
}): readonly { readonly file: string; readonly text: string }[] {
  const directory = path.join(element.path, CONTAINER_DIRECTORY);
  const names = namesIn(directory);
  const found: { file: string; text: string }[] = [];
  for (const name of names.filter((each) => !each.startsWith('.')).sort()) {
    const file = path.join(directory, name);
    if (!name.endsWith('.yaml')) {
      throw configError(
        `Cannot use '${CONTAINER_DIRECTORY}/${name}' of the element '${element.name}': only NAME.yaml is read there`,
        { hint: 'Call it NAME.yaml, or take it away', at: { file } },
      );
    }
    found.push({ file, text: readFileSync(file, 'utf8') });
  }
  return found;
}

function namesIn(directory: string): readonly string[] {
  const found = statSync(directory, { throwIfNoEntry: false });
  return found === undefined ? [] : readdirSync(directory);
}
