/** What the user asks of container images, beside what elements say. Pure. */
import { parseReference, type Reference, referenceFromName } from './container-reference.ts';
import type { ContainerSettings } from './container-settings.ts';
import { settingsFromVariables } from './container-variables.ts';
import { Problems } from './problems.ts';

export const COMPRESSIONS = ['none', 'gzip', 'zstd'] as const;

export type Compression = (typeof COMPRESSIONS)[number];

export interface ContainerPlan {
  /** The name in the archive, and in Docker. */
  readonly name: Reference;
  /** Whether the image is handed to a Docker that runs: the user gave the name. */
  readonly load: boolean;
  /** One layer, however many the build had. */
  readonly squash: boolean;
  /** Of layers; undefined: what suits the format. */
  readonly compression?: Compression;
  /** From variables; they win over what elements say. */
  readonly settings: ContainerSettings;
}

/** The part of the plan about containers; every problem goes to `report`. */
export function planContainer(
  given: {
    readonly target: string | undefined;
    readonly imageName: string;
    readonly variables: Readonly<Record<string, string>>;
  },
  report: (problem: string) => void,
): ContainerPlan {
  const { target, imageName, variables } = given;
  const name = target === undefined ? referenceFromName(imageName) : parseReference(target);
  if (name === undefined) {
    report(`--docker-target must be a name as REPO:TAG, in lower case: '${target}'`);
  }
  const compression = variables.DIB_CONTAINER_COMPRESSION ?? '';
  if (compression !== '' && !isCompression(compression)) {
    report(`DIB_CONTAINER_COMPRESSION must be ${COMPRESSIONS.join(', ')}: '${compression}'`);
  }
  const problems = new Problems();
  const settings = settingsFromVariables(variables, problems);
  for (const { message } of problems.found) {
    report(message);
  }
  return {
    name: name ?? referenceFromName(imageName),
    load: target !== undefined,
    squash: wantsOneLayer(variables),
    ...(isCompression(compression) ? { compression } : {}),
    settings,
  };
}

/**
 * Where a build cuts its layers depends on how long hooks take. Who gives the date wants the same bytes every
 * time, so that there is one layer then, unless asked for otherwise.
 */
function wantsOneLayer(variables: Readonly<Record<string, string>>): boolean {
  const squash = variables.DIB_CONTAINER_SQUASH ?? '';
  return squash === '' ? (variables.SOURCE_DATE_EPOCH ?? '') !== '' : squash !== '0';
}

function isCompression(text: string): text is Compression {
  return (COMPRESSIONS as readonly string[]).includes(text);
}
