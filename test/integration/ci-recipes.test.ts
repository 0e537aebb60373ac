/** The recipes of docs/ci.md: YAML that is one, scripts that are some, commands and options that we have. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

const ROOT = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));
const OURS = ['dibkit', 'disk-image-create'];
/** Keys whose values are scripts, in the languages of the three systems. */
const SCRIPTS = new Set([
  'run',
  'script',
  'before_script',
  'ansible.builtin.shell',
  'ansible.builtin.command',
]);

const text = await readFile(path.join(ROOT, 'docs/ci.md'), 'utf8');
const blocks = [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? '');

/** Every script in a value, whatever it is in. */
function scriptsIn(value: unknown): readonly string[] {
  if (Array.isArray(value)) {
    return value.flatMap(scriptsIn);
  }
  if (typeof value !== 'object' || value === null) {
    return [];
  }
  return Object.entries(value).flatMap(([key, inner]) =>
    SCRIPTS.has(key) && ['string', 'object'].includes(typeof inner)
      ? [[inner].flat().join('\n')]
      : scriptsIn(inner),
  );
}

function parsed(block: string): readonly unknown[] {
  return parseAllDocuments(block, { strict: true, uniqueKeys: true }).map((document) => {
    assert.deepEqual(document.errors, [], block);
    return document.toJS();
  });
}

/** Calls of our commands: the name and its words, continued lines joined. */
function callsIn(script: string): readonly (readonly string[])[] {
  return script
    .replaceAll('\\\n', ' ')
    .split('\n')
    .flatMap((line) => {
      const words = line.trim().split(/\s+/);
      const at = words.findIndex((word) => OURS.includes(word.replace(/^\/.*\/bin\//, '')));
      return at < 0 ? [] : [[path.basename(words[at] ?? ''), ...words.slice(at + 1)]];
    });
}

test('every recipe is valid YAML, without a key twice', () => {
  assert.ok(blocks.length >= 6, `${blocks.length} blocks`);
  for (const block of blocks) {
    assert.ok(parsed(block).length > 0);
  }
});

test('every script in them is one that a shell can read', () => {
  const scripts = blocks.flatMap((block) => parsed(block).flatMap(scriptsIn));
  assert.ok(scripts.length >= 10, `${scripts.length} scripts`);
  for (const script of scripts) {
    // What the systems put in there themselves.
    const filled = script.replaceAll(/\$?\{\{.*?\}\}/g, 'x');
    execFileSync('bash', ['-n'], { input: filled, stdio: ['pipe', 'ignore', 'pipe'] });
  }
});

test('our commands in them exist, with these options', async () => {
  const calls = blocks.flatMap((block) => parsed(block).flatMap(scriptsIn).flatMap(callsIn));
  assert.ok(calls.some(([name]) => name === 'dibkit'));
  assert.ok(calls.some(([name]) => name === 'disk-image-create'));
  for (const [name = '', ...words] of calls) {
    await access(path.join(ROOT, 'bin', name));
    const help = execFileSync(process.execPath, [path.join(ROOT, 'bin', name), '--help'], {
      encoding: 'utf8',
    });
    const named = name === 'dibkit' ? words.slice(0, 1) : words.filter((word) => /^-/.test(word));
    for (const word of named) {
      const pattern = new RegExp(`^ +(-\\w, )?${word}\\b`, 'm');
      assert.match(help, pattern, `${name} ${words.join(' ')}`);
    }
  }
});

test('the recipe of Zuul names the variables of the job that it builds on', () => {
  // Source: zuul-jobs, "Diskimage-Builder Jobs" and "Diskimage-Builder Roles".
  const known = ['command', 'image_name', 'formats', 'elements', 'environment'];
  const vars = blocks.flatMap((block) =>
    [...block.matchAll(/^ +build_diskimage_(\w+):/gm)].map((match) => match[1]),
  );
  assert.deepEqual(vars, known);
});
