/** Runs one script of an element by itself, with exactly the variables that a test gives it. */
import { spawn } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

export interface HookResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

type Variables = Readonly<Record<string, string>>;

/** Runs `argv`; `fakes`, a directory, goes in front of the PATH that hooks have on the host. */
export async function runHook(
  argv: readonly string[],
  env: Variables = {},
  fakes = '/nonexistent',
): Promise<HookResult> {
  const [file = '', ...args] = argv;
  await using program = await outsideTheCheckout(file);
  const child = spawn(program.file, args, {
    cwd: env.PWD ?? '/',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: `${fakes}:${ROOT}/hooks/host-bin:${process.env.PATH}`,
      HOME: '/root',
      LC_ALL: 'C',
      DIBKIT_NODE: process.execPath,
      DIBKIT_ROOT: ROOT,
      ...env,
    },
  });
  const closed = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject).on('close', resolve);
  });
  const [stdout, stderr, status] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    closed,
  ]);
  return { status, stdout, stderr };
}

/**
 * zx writes a module beside the script that it runs, for as long as it takes to read. In the checkout, other
 * tests would meet that file and miss it a moment later; a build runs such hooks in its own hook tree.
 */
async function outsideTheCheckout(file: string): Promise<AsyncDisposable & { file: string }> {
  const isZx = file.startsWith(ROOT) && /^#!.*\bzx$/.test(await firstLine(file));
  if (!isZx) return { file, [Symbol.asyncDispose]: async () => {} };
  const dir = await mkdtemp(path.join(tmpdir(), 'dibkit-hook-'));
  const copy = path.join(dir, path.basename(file));
  await copyFile(file, copy);
  return { file: copy, [Symbol.asyncDispose]: () => rm(dir, { recursive: true }) };
}

async function firstLine(file: string): Promise<string> {
  return (await readFile(file, 'latin1')).split('\n', 1)[0] ?? '';
}

/** A temporary directory with `files` in it, executable where they start with `#!`. */
export async function withFiles(files: Readonly<Record<string, string>>): Promise<TestDirectory> {
  const root = await mkdtemp(path.join(tmpdir(), 'dibkit-hook-'));
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(root, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
    if (content.startsWith('#!')) await chmod(file, 0o755);
  }
  return { root, [Symbol.asyncDispose]: () => rm(root, { recursive: true }) };
}

export interface TestDirectory extends AsyncDisposable {
  readonly root: string;
}
