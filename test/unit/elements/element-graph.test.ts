import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  describeLoops,
  elementGraph,
  renderGraph,
  renderWhy,
} from '../../../src/elements/element-graph.ts';

/** `vm` asks for a block device, which `mbr` provides; `os` and `vm` share `lib`. */
const ELEMENTS = [
  { name: 'lib', deps: [], provides: [] },
  { name: 'pkg', deps: ['lib'], provides: [] },
  { name: 'mbr', deps: [], provides: ['block-device'] },
  { name: 'vm', deps: ['block-device', 'pkg'], provides: [] },
  { name: 'os "x"', deps: ['pkg', 'lib'], provides: ['system'] },
];
const GRAPH = elementGraph(['vm', 'os "x"', 'system'], ELEMENTS);

test('elementGraph() leads names to the elements that provide them', () => {
  assert.deepEqual(GRAPH.roots, ['vm', 'os "x"']);
  assert.deepEqual(GRAPH.edges[1], { from: 'vm', to: 'mbr', as: 'block-device' });
});

test('renderGraph() draws a tree in which nothing is drawn twice', () => {
  assert.deepEqual(renderGraph(GRAPH, 'text'), [
    'vm',
    '├─ mbr as block-device',
    '└─ pkg',
    '   └─ lib',
    'os "x"',
    '├─ pkg',
    '│  └─ lib',
    '└─ lib',
  ]);
  const twice = elementGraph(
    ['top'],
    [...ELEMENTS, { name: 'top', deps: ['vm', 'pkg'], provides: [] }],
  );
  assert.equal(renderGraph(twice, 'text').at(-1), '└─ pkg (above)');
});

test('renderGraph() quotes names for dot and mermaid', () => {
  assert.ok(renderGraph(GRAPH, 'dot').includes('  "os \\"x\\"" -> "pkg";'));
  assert.ok(renderGraph(GRAPH, 'dot').includes('  "vm" -> "mbr" [label="block-device"];'));
  const mermaid = renderGraph(GRAPH, 'mermaid');
  assert.ok(mermaid.includes('  e4(["os #quot;x#quot;"])'));
  assert.ok(mermaid.includes('  e3 -->|"block-device"| e2'));
});

const WHY: readonly (readonly [wanted: string, lines: readonly string[]])[] = [
  ['lib', ['vm -> pkg -> lib', 'os "x" -> lib']],
  ['mbr', ['vm -> mbr as block-device']],
  ['block-device', ['block-device is provided by mbr', 'vm -> mbr as block-device']],
  ['vm', ['vm was asked for by name']],
];

for (const [wanted, lines] of WHY) {
  test(`renderWhy() of ${wanted}`, () => {
    assert.deepEqual(renderWhy(GRAPH, wanted), lines);
  });
}

test('renderWhy() refuses what is not there, with what is near', () => {
  assert.throws(() => renderWhy(GRAPH, 'pkgs'), /'pkgs' is not pulled in/);
});

test('describeLoops() names elements that need each other, and which comes first', () => {
  const needs = (name: string, ...deps: string[]) => ({ name, deps, provides: [] });
  assert.deepEqual(
    describeLoops([needs('c', 'a', 'c'), needs('b', 'c'), needs('a', 'b'), needs('top', 'a')]),
    ["Elements need each other: c -> a -> b -> c. 'c' comes first"],
  );
  assert.deepEqual(describeLoops(ELEMENTS), []);
});
