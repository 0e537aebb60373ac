import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memberList } from '../../../src/output/layer-archive.ts';
import {
  membersOf,
  type PhaseUppers,
  type Upper,
  type UpperKind,
} from '../../../src/output/layer-members.ts';

const KINDS: Readonly<Record<string, UpperKind>> = {
  '/': 'directory',
  '!': 'opaque',
  '-': 'whiteout',
};

/** `a/`: a directory, `a!`: an opaque one, `a-`: a whiteout, else a file; the directories above them as well. */
function upper(directory: string, text: string): Upper {
  const entries = new Map<string, UpperKind>([['', 'directory']]);
  for (const word of text.split(' ').filter(Boolean)) {
    const kind = KINDS[word.slice(-1)] ?? 'other';
    const path = kind === 'other' ? word : word.slice(0, -1);
    const above = path.split('/').slice(0, -1);
    for (const [index] of above.entries()) {
      const name = above.slice(0, index + 1).join('/');
      entries.set(name, entries.get(name) ?? 'directory');
    }
    entries.set(path, kind);
  }
  return { directory, entries: [...entries].map(([path, kind]) => ({ path, kind })) };
}

/** Phases as `PART | PART`, each part as `upper` takes it; one that cleans begins with `clean:`. */
function phase(text: string, number: number): PhaseUppers {
  const cleans = text.startsWith('clean:');
  const parts = (cleans ? text.slice('clean:'.length) : text).split('|');
  return { cleans, uppers: parts.map((part, index) => upper(`${number}.${index}`, part)) };
}

/** Members without the top, those that hide what is below with `!`; the number of the part behind `@`, if not 0. */
function shown(phases: readonly string[]): readonly string[] {
  return membersOf(phases.map(phase)).map(({ members, hiding }) =>
    members
      .filter(({ path }) => path !== '')
      .map(({ path, directory }) => {
        const part = directory.split('.')[1];
        return `${path}${hiding.has(path) ? '!' : ''}${part === '0' ? '' : `@${part}`}`;
      })
      .join(' '),
  );
}

const BELOW = 'd/x d/y f';

const ROWS: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ['one part is as it was', ['b a/c a/b'], ['a a/b a/c b']],
  ['the last part counts', ['a b | a'], ['a@1 b']],
  ['a directory goes on', ['d/ d/a | d/ d/b'], ['d@1 d/a d/b@1']],
  ['what a later part removes leaves no trace', ['a b d/x | a- d-'], ['b']],
  ['not even a layer with anything in it', ['a | a-'], ['']],
  ['a whiteout of what lies below stays', [BELOW, 'd/x- | f-'], ['d d/x d/y f', 'd d/x f@1']],
  ['one part brings it, the next one removes it', [BELOW, 'f | f-'], ['d d/x d/y f', 'f@1']],
  ['removed, then anew as a file', [BELOW, 'd- | d'], ['d d/x d/y f', 'd@1']],
  ['removed, then anew as a directory', [BELOW, 'd- | d/z'], ['d d/x d/y f', 'd!@1 d/z@1']],
  ['made anew, then added to', [BELOW, 'd! d/z | d/w'], ['d d/x d/y f', 'd!@1 d/w@1 d/z']],
  ['emptied, then made anew', [BELOW, 'd/x- d/y- | d! d/z'], ['d d/x d/y f', 'd!@1 d/z@1']],
  ['made anew twice', [BELOW, 'd! d/z | d! d/w'], ['d d/x d/y f', 'd!@1 d/w@1']],
  ['a directory, a file, a directory', [BELOW, 'd | d!'], ['d d/x d/y f', 'd!@1']],
  ['a directory in place of a file', [BELOW, 'f! f/z'], ['d d/x d/y f', 'f f/z']],
  ['a new directory hides nothing', [BELOW, 'n! n/z | n/w'], ['d d/x d/y f', 'n@1 n/w@1 n/z']],
  ['nor does one in place of an empty one', ['e/', 'e! e/z'], ['e', 'e e/z']],
  ['removed in what is hidden', [BELOW, 'd! d/x | d/x-'], ['d d/x d/y f', 'd!@1']],
  ['gone in one phase, back in the next', [BELOW, 'd-', 'd! d/x'], ['d d/x d/y f', 'd', 'd d/x']],
  ['under a name with other bytes', ['a/b a-b a.'], ['a a/b a-b a.']],
  [
    'what a phase that cleans removes or replaces is in no layer',
    ['log tmp/a d/x d/y', 'log tmp/b d/x- p/q', 'clean:log tmp/a- tmp/b- d! d/z p'],
    ['d tmp', 'd tmp', 'd d/z log p tmp'],
  ],
  ['what it leaves alone stays', ['d/x d/y', 'clean:d/x- e'], ['d d/y', 'd e']],
  [
    'a directory that lies above a whiteout shows nothing that was removed',
    ['d/x', 'd-', 'clean:d/'],
    ['d d/x', 'd', 'd'],
  ],
];

test('membersOf() makes of the parts of a phase what it would have left without cuts', () => {
  for (const [name, phases, expected] of ROWS) {
    assert.deepEqual(shown(phases), expected, name);
  }
});

test('memberList() says where each member lies, whatever the names', () => {
  const members = [
    { directory: '/a', path: '' },
    { directory: '/a', path: '-C\n\\n' },
    { directory: '/é "\\', path: '\xff' },
  ];
  const list = '-C "/a"\0.\0./-C\n\\n\0-C "/\xc3\xa9 \\"\\\\"\0./\xff\0';
  assert.deepEqual(memberList(members), Buffer.from(list, 'latin1'));
});
