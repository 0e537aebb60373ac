/**
 * Makes lib/migration-update.cjs: the service as one file, for the image. It runs on Node 12 and later,
 * which is what openEuler 22.03 has, so it is compiled for that, and what Node 12 lacks at run time
 * comes from src/migration/node12.ts.
 *
 * Verbs that work on the host (build, start, stop, logs) are not in it.
 */
import { chmodSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const outfile = path.join(root, 'lib/migration-update.cjs');
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

/** Modules that Node 12 lacks, or that need a newer one, as the names that src/migration/node12.ts exports them under. */
const MODULES = {
  'fs/promises': 'fsPromises',
  'path/posix': 'pathPosix',
  'string-width': 'stringWidth',
  'stream/promises': 'streamPromises',
  'timers/promises': 'timersPromises',
};

/** Modules of ours that mean something else in one file without a package around it. */
const REPLACED = {
  'cli/package-paths.ts': `export const packageVersion = () => ${JSON.stringify(version)};
    export const packageRoot = '', builtinElements = '', implicitElement = '';`,
  'cli/migration/host-verbs.ts': 'export const HOST_VERBS = {};',
};

const node12 = {
  name: 'node12',
  setup({ onLoad, onResolve }) {
    onResolve(
      { filter: /^((node:)?((fs|stream|timers)\/promises|path\/posix)|string-width)$/ },
      ({ path: name }) => ({
        path: name.replace(/^node:/, ''),
        namespace: 'node12',
      }),
    );
    onLoad({ filter: /./, namespace: 'node12' }, ({ path: name }) => ({
      contents: `module.exports = require('./src/migration/node12.ts').${MODULES[name]};`,
      resolveDir: root,
    }));
    onLoad({ filter: /\/src\/cli\/.*\.ts$/ }, ({ path: file }) => {
      const contents = REPLACED[path.relative(path.join(root, 'src'), file)];
      return contents === undefined ? undefined : { contents, loader: 'js' };
    });
  },
};

await build({
  entryPoints: [path.join(root, 'src/cli/migration-update.ts')],
  outfile,
  bundle: true,
  platform: 'node',
  target: 'node12',
  format: 'cjs',
  inject: [path.join(root, 'src/migration/node12.ts')],
  banner: { js: '#!/usr/bin/env node' },
  legalComments: 'eof',
  logLevel: 'warning',
  plugins: [node12],
});
chmodSync(outfile, 0o755);
