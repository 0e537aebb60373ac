/** The rules of the house that tools can check, and that the tools do check them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));
const BIOME = path.join(ROOT, 'node_modules/@biomejs/biome/bin/biome');
const NOT_OURS = new Set(['.git', 'node_modules', 'lib', '.demo']);

/** Every file of the project, relative to its root. */
async function projectFiles(): Promise<readonly string[]> {
  const top = (await readdir(ROOT)).filter((name) => !NOT_OURS.has(name));
  const found = await Promise.all(
    top.map(async (name) => {
      const entry = await stat(path.join(ROOT, name));
      const below = entry.isDirectory()
        ? await readdir(path.join(ROOT, name), { recursive: true, withFileTypes: true })
        : [];
      return [
        ...(entry.isFile() ? [name] : []),
        ...below
          .filter((each) => each.isFile())
          .map((each) => path.relative(ROOT, path.join(each.parentPath, each.name))),
      ];
    }),
  );
  return found.flat().sort();
}

/**
 * Lints sources in a project of their own under our rules: which rules say something about which
 * file, as `file: rule`.
 */
async function lint(sources: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'house-'));
  try {
    await cp(path.join(ROOT, 'biome.json'), path.join(dir, 'biome.json'));
    for (const [file, source] of Object.entries(sources)) {
      await mkdir(path.dirname(path.join(dir, file)), { recursive: true });
      await writeFile(path.join(dir, file), source);
    }
    const args = [BIOME, 'lint', '--reporter=github', '--max-diagnostics=none'];
    const result = spawnSync(process.execPath, args, { cwd: dir, encoding: 'utf8' });
    return [...result.stdout.matchAll(/^::error title=lint\/\w+\/(\w+),file=([^,]+),/gm)].map(
      ([, rule, file]) => `${path.relative(dir, path.resolve(dir, file ?? ''))}: ${rule}`,
    );
  } finally {
    await rm(dir, { recursive: true });
  }
}

function importing(name: string): string {
  return `import { a } from '${name}';\n\na();\n`;
}

/** Those of the rows that the linter lets pass. Rows about any file of a folder, `x.ts`, get a file each. */
async function acceptedOf(
  rows: readonly (readonly [file: string, imported: string])[],
): Promise<readonly (readonly [file: string, imported: string])[]> {
  const files = rows.map(([file], index) => file.replace(/\/x\.ts$/, `/x${index}.ts`));
  const sources = rows.map(([, imported], index) => [files[index] ?? '', importing(imported)]);
  const said = await lint(Object.fromEntries(sources));
  return rows.filter((_, index) => !said.includes(`${files[index]}: noRestrictedImports`));
}

const REFUSED = [
  ['src/events/x.ts', '../plan/build-plan.ts'],
  ['src/plan/x.ts', '../sandbox/scope.ts'],
  ['src/plan/x.ts', '../phases/table.ts'],
  ['src/plan/x.ts', 'node:fs'],
  ['src/plan/x.ts', 'node:child_process'],
  ['src/plan/x.ts', 'node:os'],
  ['src/plan/x.ts', 'node:net'],
  ['src/sandbox/x.ts', '../cache/publish.ts'],
  ['src/sandbox/x.ts', 'execa'],
  ['src/cache/x.ts', '../plan/build-plan.ts'],
  ['src/disk/x.ts', '../output/checksum.ts'],
  ['src/disk/layout.ts', 'node:fs/promises'],
  ['src/elements/x.ts', '../run-parts/select.ts'],
  ['src/run-parts/x.ts', '../phases/table.ts'],
  ['src/run-parts/x.ts', 'node:child_process'],
  ['src/phases/x.ts', '../cli/main.ts'],
  ['src/phases/x.ts', '../migration/watch.ts'],
  ['src/migration/x.ts', '../phases/table.ts'],
  ['src/migration/x.ts', '../plan/build-plan.ts'],
  ['src/migration/x.ts', 'node:child_process'],
  ['src/migration/config.ts', 'node:fs'],
  ['src/cli/x.ts', 'node:child_process'],
] as const;

test('the linter refuses imports against the order of the folders, and effects in pure files', async () => {
  const accepted = await acceptedOf(REFUSED);
  assert.deepEqual(accepted, []);
});

const ACCEPTED = [
  ['src/cli/x.ts', '../phases/table.ts'],
  ['src/phases/x.ts', '../disk/layout.ts'],
  ['src/disk/x.ts', '../sandbox/process.ts'],
  ['src/disk/x.ts', 'node:fs/promises'],
  ['src/sandbox/x.ts', '../events/event.ts'],
  ['src/migration/x.ts', '../cache/publish.ts'],
  ['src/migration/process.ts', 'node:child_process'],
] as const;

test('the linter accepts imports along the order of the folders', async () => {
  assert.deepEqual(await acceptedOf(ACCEPTED), ACCEPTED);
});

test('the linter refuses console and process.env outside src/cli', async () => {
  const said = await lint({ 'src/phases/x.ts': 'console.log(process.env);\n' });
  assert.ok(said.includes('src/phases/x.ts: noConsole'));
  assert.ok(said.includes('src/phases/x.ts: noProcessEnv'));
});

test('the linter refuses an import cycle, of types too', async () => {
  const said = await lint({
    'src/plan/a.ts': "import type { B } from './b.ts';\n\nexport type A = B | 1;\n",
    'src/plan/b.ts': "import type { A } from './a.ts';\n\nexport type B = A | 2;\n",
  });
  assert.ok(said.includes('src/plan/a.ts: noImportCycles'), said.join('\n'));
});

/** The bracketed dots keep this file from containing what it looks for. */
const FORBIDDEN = [
  String.raw`\b(?:deb|security|ftp[.\w]*|snapshot|cdn-aws)[.]debian[.]org`,
  String.raw`\b(?:archive|ports|security)[.]ubuntu[.]com`,
  String.raw`\bregistry[.](?:npmjs|yarnpkg)[.]`,
  String.raw`\brepo[.]openeuler[.]org`,
  String.raw`\bpypi[.]org`,
  String.raw`/work/(?:main|shared)\b`,
].join('|');

/**
 * A distribution's own host is the default of that distribution's elements, as it is upstream's: it may
 * stand in those elements, and where a stand-in for it is made and used. Nowhere else, and no other host.
 */
function isDefault(file: string, found: string): boolean {
  const distribution = /(ubuntu)[.]com$|(openeuler)[.]org$/.exec(found)?.slice(1).find(Boolean);
  return (
    distribution !== undefined && new RegExp(`^(?:elements|test)/.*${distribution}`).test(file)
  );
}

test('no file of the project names a package registry, a mirror host or a path of one machine', async () => {
  const offenders = [];
  for (const file of await projectFiles()) {
    const text = await readFile(path.join(ROOT, file), 'latin1');
    const found = [...text.matchAll(new RegExp(FORBIDDEN, 'g'))].map(([host]) => host);
    for (const host of new Set(found.filter((each) => !isDefault(file, each)))) {
      offenders.push(`${file}: ${host}`);
    }
  }
  assert.deepEqual(offenders, []);
});

test('only the phase table knows the names of the phases', async () => {
  const files = (await projectFiles()).filter((file) => file.startsWith('src/'));
  const knowing = [];
  for (const file of files) {
    if ((await readFile(path.join(ROOT, file), 'utf8')).includes("'post-install'")) {
      knowing.push(file);
    }
  }
  assert.deepEqual(knowing, ['src/phases/table.ts']);
});

async function bashFiles(): Promise<readonly string[]> {
  const found = [];
  for (const file of await projectFiles()) {
    const head = (await readFile(path.join(ROOT, file), 'latin1')).slice(0, 40);
    if (/^#!\/bin\/(ba)?sh\b/.test(head) && !file.startsWith('test/fixtures/')) {
      found.push(file);
    }
  }
  return found;
}

test('every shell script is clean for shellcheck and shaped by shfmt', async () => {
  const files = await bashFiles();
  assert.ok(files.length > 5);
  // Those of elements and hooks are checked by elements-shell.test.ts, which knows more of them.
  const others = files.filter((file) => !/^(?:elements|hooks)\//.test(file));
  assert.ok(others.length > 2);
  for (const [tool, args] of [
    ['shellcheck', ['--external-sources', ...others]],
    ['shfmt', ['-i', '4', '-d', ...files]],
  ] as const) {
    const result = spawnSync(tool, args, { cwd: ROOT, encoding: 'utf8' });
    assert.equal(result.status, 0, `${tool}:\n${result.stdout}${result.stderr}`);
  }
});

test('every hook is executable, and no environment file is', async () => {
  const wrong = [];
  for (const file of await projectFiles()) {
    const phase = /^(?:elements|test\/rig\/elements)\/[^/]+\/([^/]+\.d)\/[^/]+$/.exec(file)?.[1];
    const kind = phase ?? /^hooks\/([^/]+\.d)\/[^/]+$/.exec(file)?.[1];
    const executable = ((await stat(path.join(ROOT, file))).mode & 0o111) !== 0;
    const script = (await readFile(path.join(ROOT, file), 'latin1')).startsWith('#!');
    if (kind === 'environment.d' ? executable : kind !== undefined && script && !executable) {
      wrong.push(file);
    }
  }
  assert.deepEqual(wrong, []);
});
