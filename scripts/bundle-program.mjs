/**
 * Makes lib/program: all commands as one file, compiled ahead, and what starts one of them.
 *
 *     load.cjs       src/cli/load-program.ts: runs program.cjs with what V8 has compiled of it
 *     program.cjs    the commands and the packages that they use
 *     undici.cjs     what asks servers, as large as all the rest, and seldom needed
 *     *.cache        their compiled code; good for this version of Node, refused by others
 *     engine.cjs     the engine of a build as a file of its own, by whose name its process is known
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Module } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import v8 from 'node:v8';
import { Script } from 'node:vm';
import { build } from 'esbuild';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const directory = path.join(root, 'lib/program');

/** Programs that share nothing while they run. */
const PROGRAMS = ['program', 'migration-update'];

/** Bundles of their own, which the program loads when it imports their package. */
const PARTS = ['execa', 'tar', 'undici', 'yaml'];

const parts = {
  name: 'parts',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: new RegExp(`^(${PARTS.join('|')})$`) }, ({ path: name }) => ({
      path: name,
      namespace: 'part',
    }));
    onResolve({ filter: /^\.\/load\.cjs$/, namespace: 'part' }, () => ({ external: true }));
    onLoad({ filter: /./, namespace: 'part' }, ({ path: name }) => ({
      contents: `module.exports = require('./load.cjs').loadBundle(__dirname + '/${name}.cjs');`,
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
  legalComments: 'external',
  logLevel: 'warning',
};

rmSync(directory, { recursive: true, force: true });
mkdirSync(directory);
await Promise.all([
  bundle('load', { entryPoints: [path.join(root, 'src/cli/load-program.ts')] }),
  ...PROGRAMS.map((name) =>
    bundle(name, { entryPoints: [path.join(root, `src/cli/${name}.ts`)], plugins: [parts] }),
  ),
  ...PARTS.map((name) =>
    bundle(name, { stdin: { contents: `export * from '${name}';`, resolveDir: root } }),
  ),
]);
writeFileSync(path.join(directory, 'engine.cjs'), "require('./load.cjs').run('engine');\n");
for (const name of [...PROGRAMS, ...PARTS]) {
  compile(path.join(directory, name));
}

function bundle(name, what) {
  return build({ ...shared, ...what, outfile: path.join(directory, `${name}.cjs`) });
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
