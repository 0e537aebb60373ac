/**
 * Elements that end a build, or should have: how it ends under Debian's diskimage-builder, and how
 * under ours. What is not the same is in docs/compatibility.md.
 */
import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { type Differential, openDifferential, UPSTREAM_ELEMENTS } from '../rig/differential.ts';
import { assertDocumented } from '../rig/expected-differences.ts';
import { NASTY_ENVIRONMENT, writeNastyElements } from '../rig/nasty-elements.ts';

/** A hook's text, which is executable; any other file's; where a link leads. */
type File = { readonly hook: string } | { readonly text: string } | { readonly link: string };

interface End {
  readonly status: number;
  readonly says?: RegExp;
}

interface Ending {
  readonly claim: string;
  /** By element and path in it. */
  readonly files?: Readonly<Record<string, File>>;
  /** Default: `nasty-root` and all elements that the files are in. */
  readonly elements?: readonly string[];
  /** Ours has its own helper elements. */
  readonly builtin?: boolean;
  readonly upstream: End;
  readonly ours: End;
  /** A part of a sentence of docs/compatibility.md, where the two do not end alike. */
  readonly because?: string;
}

const SAY: File = { hook: 'echo "$0 ran"' };

const ENDINGS: readonly Ending[] = [
  {
    claim: 'a hook with a blank in its name',
    files: { 'one/install.d/10-with blank': SAY },
    upstream: { status: 1, says: /cannot stat/ },
    ours: { status: 0, says: /10-with blank/ },
    because: 'a file with a blank in its name',
  },
  {
    claim: 'an element in a directory with a blank in its name',
    files: { 'more elements/inner/install.d/10-inner': SAY },
    elements: ['nasty-root', 'inner'],
    upstream: { status: 2, says: /must use subscript/ },
    ours: { status: 0, says: /10-inner/ },
    because: 'a file with a blank in its name',
  },
  {
    claim: 'a comment in element-deps',
    files: { 'one/element-deps': { text: '# what it needs\nnasty-root\n' } },
    upstream: { status: 1, says: /Element '# what it needs' not found/ },
    ours: { status: 0 },
    because: 'comments in `element-deps`',
  },
  {
    claim: 'two hooks of one name',
    files: { 'one/install.d/10-same': SAY, 'two/install.d/10-same': SAY },
    upstream: { status: 1, says: /duplicated hook/ },
    ours: { status: 2, says: /'install\.d\/10-same' twice: it is in 'one' and in 'two'/ },
    because: 'both elements are named',
  },
  {
    claim: 'two files of one name below a directory of hooks',
    files: { 'one/data/sub/same': { text: '1' }, 'two/data/sub/same': { text: '2' } },
    upstream: { status: 0 },
    ours: { status: 2, says: /'data\/sub\/same' twice: it is in 'one' and in 'two'/ },
    because: 'files of one name at any depth',
  },
  {
    claim: 'a hook that deletes a later one of its own phase',
    files: {
      'one/post-root.d/10-delete': { hook: 'rm "${0%/*}/20-later"' },
      'one/post-root.d/20-later': SAY,
    },
    upstream: { status: 127, says: /20-later: No such file/ },
    ours: { status: 1, says: /20-later/ },
    because: 'the exit status is that of the hook that failed',
  },
  {
    claim: 'a hook that fails',
    files: { 'one/install.d/10-fail': { hook: 'exit 42' } },
    upstream: { status: 42 },
    ours: { status: 1, says: /'install\.d\/10-fail' of element 'one' failed with status 42/ },
    because: 'the exit status is that of the hook that failed',
  },
  {
    claim: 'a hook that a signal ends',
    files: { 'one/install.d/10-killed': { hook: 'kill -KILL $$' } },
    upstream: { status: 137 },
    ours: { status: 1, says: /10-killed/ },
    because: 'the exit status is that of the hook that failed',
  },
  {
    claim: 'a hook whose interpreter is missing',
    files: { 'one/install.d/10-lost': { hook: '#!/no/such/interpreter' } },
    upstream: { status: 127 },
    ours: { status: 1, says: /10-lost/ },
    because: 'the exit status is that of the hook that failed',
  },
  {
    claim: 'a hook that is not executable',
    files: { 'one/install.d/10-plain': { text: '#!/bin/bash\nexit 1\n' } },
    upstream: { status: 0 },
    ours: { status: 2, says: /'install\.d\/10-plain' of the element 'one': it is not executable/ },
    because: 'a hook that is not executable is left out silently',
  },
  {
    claim: 'an environment file with a command that fails',
    files: { 'one/environment.d/10-fail': { text: 'false\n' } },
    upstream: { status: 1 },
    ours: { status: 1, says: /environment\.d\/10-fail/ },
  },
  {
    claim: 'an environment file that reads a variable which is not set',
    files: { 'one/environment.d/10-unset': { text: 'export A=$NOT_SET\n' } },
    upstream: { status: 1, says: /NOT_SET: unbound variable/ },
    ours: { status: 1, says: /NOT_SET: unbound variable/ },
  },
  {
    claim: 'an environment file that exits',
    files: {
      'one/environment.d/10-exit': { text: 'exit 0\n' },
      'one/root.d/90-fail': { hook: 'exit 1' },
    },
    elements: ['nasty-root', 'one'],
    upstream: { status: 1, says: /Failed to deploy the root element/ },
    ours: { status: 1, says: /environment\.d\/10-exit/ },
    because: 'an environment file that exits',
  },
  {
    claim: 'an environment file that changes how words are split',
    files: { 'one/environment.d/10-ifs': { text: 'IFS=-\n' }, 'one/install.d/10-say': SAY },
    upstream: { status: 127 },
    ours: { status: 0, says: /10-say/ },
    because: 'an environment file may change how words are split',
  },
  {
    claim: 'a package with a number for a name',
    files: {
      'one/element-deps': { text: 'nasty-packages\n' },
      'one/package-installs.yaml': { text: '4711:\n' },
    },
    builtin: true,
    upstream: { status: 1, says: /TypeError/ },
    ours: { status: 0 },
    because: 'a package whose name is a number',
  },
  {
    claim: 'a root that stays empty',
    files: { 'one/element-provides': { text: 'operating-system\n' }, 'one/root.d/10-none': SAY },
    elements: ['one'],
    upstream: { status: 1, says: /Failed to deploy the root element/ },
    ours: { status: 2, says: /Failed to deploy the root element/ },
    because: '1 for a hook or tool, 2 for usage and configuration',
  },
  {
    claim: 'a target without /var/log',
    files: { 'one/install.d/10-remove': { hook: 'rm -r /var/log' } },
    upstream: { status: 1, says: /var\/log.: No such file/ },
    ours: { status: 0 },
    because: 'a target without `/var/log`',
  },
  {
    claim: 'a target without /tmp',
    files: {
      'one/root.d/90-remove': { hook: 'rm -r "$TARGET_ROOT/tmp"' },
      'one/install.d/10-say': SAY,
    },
    upstream: { status: 1, says: /cannot create directory/ },
    ours: { status: 0 },
    because: 'a target without `/var/log`',
  },
  {
    claim: 'a target without bash',
    files: {
      'one/root.d/90-remove': { hook: 'rm "$TARGET_ROOT/bin/bash"' },
      'one/install.d/10-say': SAY,
    },
    upstream: { status: 127 },
    ours: { status: 2, says: /the target has no bash/ },
    because: '1 for a hook or tool, 2 for usage and configuration',
  },
  {
    claim: 'an element by the name of a link to it',
    files: { 'one/install.d/10-say': SAY, 'by-link': { link: 'one' } },
    elements: ['nasty-root', 'by-link'],
    upstream: { status: 1, says: /Element 'by-link' not found/ },
    ours: { status: 0, says: /10-say/ },
    because: 'by the name of a link, too',
  },
  {
    claim: 'the operating system twice',
    elements: ['nasty-root', 'nasty-root'],
    upstream: { status: 1, says: /already provided by/ },
    ours: { status: 0 },
    because: 'an element that is named twice',
  },
  {
    claim: 'an element that nobody has',
    elements: ['nasty-root', 'no-such-element'],
    upstream: { status: 1, says: /Element 'no-such-element' not found/ },
    ours: { status: 2, says: /'no-such-element'/ },
    because: '1 for a hook or tool, 2 for usage and configuration',
  },
];

let pair: Differential;

before(async () => {
  pair = await openDifferential();
  await writeNastyElements(path.join(pair.dir, 'nasty'));
});

after(async () => {
  await pair[Symbol.asyncDispose]();
});

async function writeElements(dir: string, files: Readonly<Record<string, File>>): Promise<void> {
  for (const [name, file] of Object.entries(files)) {
    const target = path.join(dir, name);
    await mkdir(path.dirname(target), { recursive: true });
    if ('link' in file) {
      await symlink(file.link, target);
    } else if ('text' in file) {
      await writeFile(target, file.text);
    } else {
      const first = file.hook.startsWith('#!') ? '' : '#!/bin/bash\nset -eu\n';
      await writeFile(target, `${first}${file.hook}\n`);
      await chmod(target, 0o755);
    }
  }
}

test('each difference has its reason in the documentation', async () => {
  const reasons = ENDINGS.flatMap(({ because }) => (because === undefined ? [] : [{ because }]));
  await assertDocumented(reasons);
});

for (const [index, ending] of ENDINGS.entries()) {
  const { claim, files = {}, upstream, ours, because } = ending;
  test(`${claim}: ${upstream.status} and ${ours.status}`, async () => {
    const dir = path.join(pair.dir, `elements-${index}`);
    await mkdir(dir);
    await writeElements(dir, files);
    const own = Object.keys(files).map((file) => file.split('/')[0] ?? '');
    const recipe = {
      args: ['-n', ...(ending.elements ?? ['nasty-root', ...new Set(own)])],
      elementsPath: [dir, path.join(dir, 'more elements'), path.join(pair.dir, 'nasty')].filter(
        (each) => !each.endsWith('more elements') || own.includes('more elements'),
      ),
      env: NASTY_ENVIRONMENT,
    };
    const theirs = await pair.build('upstream', recipe);
    const mine = await pair.build('ours', {
      ...recipe,
      elementsPath: [...recipe.elementsPath, ...(ending.builtin ? [] : [UPSTREAM_ELEMENTS])],
    });
    for (const [built, end] of [
      [theirs, upstream],
      [mine, ours],
    ] as const) {
      const log = await readFile(built.log, 'utf8');
      assert.equal(built.status, end.status, `${built.dir}:\n${log.slice(-3000)}`);
      assert.match(log, end.says ?? /(?:)/);
    }
    assert.ok(because !== undefined || upstream.status === ours.status);
  });
}
