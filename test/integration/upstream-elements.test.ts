/**
 * Every element of Debian's package of diskimage-builder: what it stands for, as upstream's own code
 * says and as ours does, and whether its hooks fit together.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { before, test } from 'node:test';
import { readHookTree } from '../../src/elements/assemble.ts';
import { type Catalogue, openCatalogue } from '../../src/elements/catalogue.ts';
import { NOT_BUILT_IN } from '../../src/elements/not-built-in.ts';
import { resolveElements } from '../../src/elements/resolve.ts';
import { UPSTREAM_ELEMENTS } from '../rig/differential.ts';
import { ROOT } from '../rig/run-hook.ts';

/** Each element alone, and with a Debian; prints what it stands for, or the first line of what is wrong. */
const ASK_UPSTREAM = `
import json, logging, os, sys
from diskimage_builder.element_dependencies import _expand_element_dependencies, _find_all_elements

logging.disable(logging.CRITICAL)
every = _find_all_elements(sys.argv[1])

def expand(*names):
    try:
        return sorted(element.name for element in _expand_element_dependencies(list(names), every))
    except Exception as error:
        return str(error).split("\\n")[0]

print(json.dumps({name: [expand(name), expand(*{"debian-minimal", name})] for name in every if name != "__pycache__"}))
`;

type Answer = readonly string[] | string;

/**
 * Refused with every operating system: nothing in the package is the `deploy` of the first, and a
 * `block-device`, which the second needs, is chosen by whoever names it (`disk-image-create` does).
 */
const INCOMPLETE = ['deploy-kexec', 'vm'];

/** Elements of two families of distributions, or of two ages, bring one file each; with both tools. */
const CLASHING = [
  "modprobe-blacklist: Cannot use the hook 'install.d/80-modprobe-blacklist' twice: it is in 'modprobe' and in 'modprobe-blacklist'",
  ...['yum', 'yum-minimal', 'zypper', 'zypper-minimal'].map((name) => {
    const family = name.replace('-minimal', '');
    return `${name}: Cannot use the file 'bin/install-packages' twice: it is in 'dpkg' and in '${family}'`;
  }),
].sort();

let upstream: Readonly<Record<string, readonly [Answer, Answer]>>;
let catalogue: Catalogue;

before(async () => {
  const argv = ['-c', ASK_UPSTREAM, UPSTREAM_ELEMENTS];
  const said = execFileSync('/usr/bin/python3', argv, { encoding: 'utf8' });
  upstream = JSON.parse(said);
  catalogue = await openCatalogue([UPSTREAM_ELEMENTS]);
});

function expand(...names: readonly string[]): Answer {
  try {
    return resolveElements(names, catalogue)
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    return (error as Error).message;
  }
}

test('every element stands for the same ones, or is refused by both', () => {
  assert.ok(Object.keys(upstream).length > 100);
  const differing = Object.entries(upstream).flatMap(([name, theirs]) => {
    const ours = [expand(name), expand(...new Set(['debian-minimal', name]))];
    return theirs.flatMap((answer, at) => {
      const mine = ours[at];
      const alike =
        typeof answer === 'string' ? typeof mine === 'string' : String(answer) === String(mine);
      return alike ? [] : [`${name}: upstream ${answer}; ours ${mine}`];
    });
  });
  assert.deepEqual(differing, []);
});

test('the documentation says of every element what becomes of it here', async () => {
  const page = await readFile(path.join(ROOT, 'docs/compatibility.md'), 'utf8');
  const table = /^\| elements of the package \|.*?\n\n/ms.exec(page)?.[0] ?? '';
  const told = [...table.matchAll(/`([a-z0-9-]+)`/g)].map(([, name]) => name);
  const untold = Object.keys(upstream).filter((name) => !told.includes(name));
  assert.deepEqual(untold, []);
});

test("who asks for one of upstream's elements that is not built in is told that it is one", () => {
  const ours = readdirSync(path.join(ROOT, 'elements'));
  const missing = Object.keys(upstream).filter((name) => !ours.includes(name));
  assert.deepEqual(
    missing.filter((name) => !NOT_BUILT_IN.has(name)),
    [],
  );
  assert.deepEqual(
    ours.filter((name) => NOT_BUILT_IN.has(name)),
    [],
  );
});

test('what needs something that nobody has is refused', () => {
  const refused = Object.entries(upstream).filter(([, [, answer]]) => typeof answer === 'string');
  const missing = refused.filter(([, [, answer]]) => String(answer).includes('not found'));
  assert.deepEqual(
    missing.map(([name]) => name),
    INCOMPLETE,
  );
});

test('hooks of what goes together are put into one tree, and clashes are told by name', async () => {
  const clashing: string[] = [];
  for (const name of Object.keys(upstream)) {
    const alone = expand(name);
    const names = typeof alone === 'string' ? expand('debian-minimal', name) : alone;
    if (typeof names === 'string') {
      continue;
    }
    const elements = names
      .map((each) => catalogue.elements.get(each))
      .filter((one) => one !== undefined);
    await readHookTree(elements).catch((error: Error) =>
      clashing.push(`${name}: ${error.message}`),
    );
  }
  assert.deepEqual(clashing.sort(), CLASHING);
});
