/** What is said of a file for readers of the events that cannot be written, or not to its end. Pure. */
import { dirname } from 'node:path';
import { configError, Failed, isFullDisk } from './failure.ts';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'its directory does not exist',
  ENOTDIR: 'its directory is a file',
  EISDIR: 'it is a directory',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'its file system is read-only',
};

/** `name`: of its reader; `option` chooses it. */
export function cannotOpen(
  file: { readonly name: string; readonly path: string; readonly option: string },
  error: unknown,
): Failed {
  const { name, path, option } = file;
  const code = codeOf(error);
  const hint =
    code === 'ENOENT'
      ? `Make it first: mkdir -p '${dirname(path)}'`
      : `Name a file in a directory that you can write to with ${option}`;
  return configError(`Cannot write ${name}: ${REASONS[code] ?? textOf(error)}`, {
    hint,
    at: { file: path },
  });
}

/** `name`: of the reader. What it was told of is done all the same. */
export function cannotComplete(name: string, error: unknown): Failed {
  const message = `Cannot complete ${name}: ${textOf(error)}`;
  return new Failed(
    isFullDisk(error)
      ? {
          kind: 'disk-full',
          message,
          path: '',
          hint: 'Free some space, or choose another place for it; the build itself is done',
        }
      : { kind: 'host', message, hint: 'Choose another place for it; the build itself is done' },
    { cause: error },
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
