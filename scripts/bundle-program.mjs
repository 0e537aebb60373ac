/**
 * Makes lib/program: each command as one file, compiled ahead, and what starts one of them.
 *
 *     load.cjs       src/cli/load-program.ts: runs a bundle with what V8 has compiled of it
 *     COMMAND.cjs    a command and the packages that it uses
 *     COMMAND-VERB.cjs
 *                    the same of one verb alone
 *     PACKAGE.cjs    large packages, which a command loads when it uses them
 *     start-engine.cjs
 *                    by its name the process of a build's engine is known; build-image.ts starts it
 *     *.cache        their compiled code; good for this version of Node, refused by others
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { Module } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import v8 from 'node:v8';
import { Script } from 'node:vm';
import { build } from 'esbuild';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const directory = path.join(root, 'lib/program');
/** Where it is made: commands that start meanwhile find the old files or the new ones. */
const fresh = path.join(root, 'lib/.program');

const { VERBS_ALONE } = await import(path.join(root, 'lib/cli/load-program.js'));
const COMMANDS = [
  ...readdirSync(path.join(root, 'bin')).filter(isCommand),
  ...VERBS_ALONE,
  'engine',
];

/** Bundles of their own: what asks servers is as large as all the rest, and seldom needed. */
const PACKAGES = ['execa', 'tar', 'undici', 'yaml'];

const packages = {
  name: 'packages',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: new RegExp(`^(${PACKAGES.join('|')})$`) }, ({ path: name }) => ({
      path: name,
      namespace: 'package',
    }));
    onResolve({ filter: /^\.\/load\.cjs$/, namespace: 'package' }, () => ({ external: true }));
    onLoad({ filter: /./, namespace: 'package' }, async ({ path: name }) => ({
      contents: late(
        `require('./load.cjs').loadBundle(__dirname + '/${name}.cjs')`,
        await import(name),
      ),
    }));
    // For executables of its own, which we have none of; with it comes Node's network.
    onResolve({ filter: /^node:child_process$/ }, ({ path: name, importer }) =>
      importer.includes('/node_modules/commander/') ? { path: name, namespace: 'late' } : undefined,
    );
    onLoad({ filter: /./, namespace: 'late' }, async ({ path: name }) => ({
      contents: late(`require('${name}')`, await import(name)),
    }));
  },
};

const shared = {
  bundle: true,
  platform: 'node',
  target: 'node20.18',
  format: 'cjs',
  define: { 'import.meta.url': '__url', 'import.meta.dirname': '__dirname' },
  banner: { js: "const __url = require('node:url').pathToFileURL(__filename).href;" },
  // What Node itself has is required: code that `vm.Script` runs can import nothing.
  supported: { 'dynamic-import': false },
  legalComments: 'external',
  logLevel: 'warning',
};

rmSync(fresh, { recursive: true, force: true });
mkdirSync(fresh);
await Promise.all([
  bundle('load', { entryPoints: [path.join(root, 'src/cli/load-program.ts')] }),
  ...COMMANDS.map((name) =>
    bundle(name, { entryPoints: [path.join(root, `src/cli/${name}.ts`)], plugins: [packages] }),
  ),
  ...PACKAGES.map((name) =>
    bundle(name, { stdin: { contents: `export * from '${name}';`, resolveDir: root } }),
  ),
]);
writeFileSync(path.join(fresh, 'start-engine.cjs'), "require('./load.cjs').run('engine');\n");
for (const name of [...COMMANDS, ...PACKAGES]) {
  compile(path.join(fresh, name));
}
putInPlace();

function isCommand(name) {
  return !name.includes('.');
}

/** A module with the exports of `module`, which calls `load` when one of them is used. */
function late(load, module) {
  return `
    let loaded;
    for (const name of ${JSON.stringify(Object.keys(module))}) {
      Object.defineProperty(exports, name, {
        enumerable: true,
        get: () => (loaded ??= ${load})[name],
      });
    }`;
}

function bundle(name, what) {
  return build({ ...shared, ...what, outfile: path.join(fresh, `${name}.cjs`) });
}

/**
 * Keeps the code of all functions, not only of those that run at the start. V8 refuses a cache that was made
 * under other flags, so they are as they were when it is written.
 */
function compile(stem) {
  const source = readFileSync(`${stem}.cjs`, 'latin1');
  v8.setFlagsFromString('--no-lazy');
  const script = new Script(Module.wrap(source), { filename: `${stem}.cjs` });
  v8.setFlagsFromString('--lazy');
  writeFileSync(`${stem}.cache`, script.createCachedData());
}

function putInPlace() {
  mkdirSync(directory, { recursive: true });
  const names = readdirSync(fresh);
  for (const name of names) {
    renameSync(path.join(fresh, name), path.join(directory, name));
  }
  for (const name of readdirSync(directory).filter((each) => !names.includes(each))) {
    rmSync(path.join(directory, name));
  }
  rmSync(fresh, { recursive: true });
}
