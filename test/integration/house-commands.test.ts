/** docs/commands.md is what the commands say of themselves. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));
const PAGE = readFileSync(path.join(ROOT, 'docs/commands.md'), 'utf8');
const PACKAGE = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
  readonly bin: Readonly<Record<string, string>>;
};

const PARTS = [
  ...[
    'Name',
    'Synopsis',
    'Description',
    'Options',
    'Environment',
    'Exit status',
    'Files',
    'Examples',
  ],
  'See also',
];

test('docs/commands.md has every command, and of each every part of a manual', () => {
  const sections = PAGE.split(/^## /m);
  for (const command of Object.keys(PACKAGE.bin)) {
    const section = sections.find((each) => each.startsWith(`${command}\n`)) ?? '';
    const own = section.split(/^### /m)[0] ?? '';
    const missing = PARTS.filter((part) => !own.includes(`\n**${part}**\n`));
    assert.deepEqual(missing, [], command);
  }
});

test('docs/commands.md has the options, variables and examples that --help prints, and no others', () => {
  const script = path.join(ROOT, 'scripts/command-docs.mjs');
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
});

test('every link of docs/commands.md leads somewhere', () => {
  const anchors = [...PAGE.matchAll(/^#+ (.*)$/gm)].map(
    ([, title]) => `#${title?.toLowerCase().replaceAll(' ', '-')}`,
  );
  for (const [, target = ''] of PAGE.matchAll(/\]\(([^)]+)\)/g)) {
    const known = target.startsWith('#')
      ? anchors.includes(target)
      : readFileSync(path.join(ROOT, 'docs', target)) !== undefined;
    assert.ok(known, target);
  }
});
