/**
 * Which block-device configuration a build has.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { configError } from '../events/failure.ts';
import { readTextIfThere } from '../sandbox/small-files.ts';
import { BUILT_IN } from './built-in-config.ts';

export interface DiskConfigRequest {
  /** `DIB_BLOCK_DEVICE_CONFIG`: YAML text or `file://PATH`. */
  readonly config?: string | undefined;
  readonly arch: string;
  /** In a stable order: the first one that brings a configuration wins. */
  readonly elements: readonly { readonly name: string; readonly path: string }[];
}

export interface DiskConfigChoice {
  readonly text: string;
  /** For messages: a path, or the variable that held the text. */
  readonly source: string;
  /** The log line. Compat. Source: dib-contract, "Log lines other tools match". */
  readonly message: string;
  /** Elements that bring a configuration as well, and are not heard. */
  readonly others: readonly string[];
}

/**
 * The user's configuration, else the first element's for this architecture or for all, else the
 * built-in one.
 *
 * @throws Failed `config` when the user's file cannot be read.
 */
export async function chooseDiskConfig(request: DiskConfigRequest): Promise<DiskConfigChoice> {
  const config = request.config ?? '';
  if (config.startsWith('file://')) {
    const text = await readGiven(config);
    const message = `Using file-based block-device config: ${config}`;
    return { text, source: config.slice('file://'.length), message, others: [] };
  }
  if (config !== '') {
    const message = 'User specified block-device config from DIB_BLOCK_DEVICE_CONFIG';
    return { text: config, source: 'DIB_BLOCK_DEVICE_CONFIG', message, others: [] };
  }
  const found = fromElements(request);
  const [first, ...others] = found;
  if (first !== undefined) {
    return {
      text: first.text,
      source: first.file,
      message: `Using block-device config: ${first.file}`,
      others: others.map(({ element }) => element),
    };
  }
  return {
    text: BUILT_IN.text,
    source: BUILT_IN.source,
    message: 'Using default block-device fallback config',
    others: [],
  };
}

interface Found {
  readonly element: string;
  readonly file: string;
  readonly text: string;
}

function fromElements({ elements, arch }: DiskConfigRequest): readonly Found[] {
  const names = [`block-device-${configArch(arch)}.yaml`, 'block-device-default.yaml'];
  const found: Found[] = [];
  for (const element of elements) {
    for (const name of names) {
      const file = path.join(element.path, name);
      const text = readTextIfThere(file);
      if (text !== undefined) {
        found.push({ element: element.name, file, text });
        break;
      }
    }
  }
  return found;
}

/** Elements name their files after Debian's word. */
function configArch(arch: string): string {
  return arch === 'ppc64le' ? 'ppc64el' : arch;
}

async function readGiven(url: string): Promise<string> {
  try {
    // Compat: what follows the scheme is a path as it stands, not a URL with escapes.
    return await readFile(url.slice('file://'.length), 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw configError(`Cannot read the block-device configuration "${url}": ${reason}`, {
      hint: 'Set DIB_BLOCK_DEVICE_CONFIG to file://PATH or to the YAML text itself',
    });
  }
}
