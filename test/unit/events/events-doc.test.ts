/** The format of events, as documented, is the one that the code has. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { EVENT_SHAPES } from '../../../src/events/event-lines.ts';
import { exitCode, type Failure } from '../../../src/events/failure.ts';
import { eventsSchema } from '../../rig/events-schema.ts';

const TYPES: Readonly<Record<string, unknown>> = {
  string: { type: 'string' },
  number: { type: 'number' },
  boolean: { type: 'boolean' },
  strings: { type: 'array', items: { type: 'string' } },
};

const doc = await readFile(new URL('../../../docs/events.md', import.meta.url), 'utf8');

for (const [kind, shape] of Object.entries(EVENT_SHAPES)) {
  test(`docs/events.schema.json and docs/events.md have the event ${kind}`, async () => {
    const { definitions, oneOf } = await eventsSchema();
    const fields = Object.entries(shape);
    const properties = Object.fromEntries(fields.map(([name, type]) => [name, TYPES[type]]));
    const wanted = {
      properties: { kind: { const: kind }, ...properties },
      required: ['kind', ...fields.map(([name]) => name)],
    };
    const hint = `\nits definition starts as ${JSON.stringify(wanted)}, and "oneOf" names it`;
    const found = definitions[kind];
    assert.ok(found !== undefined, `docs/events.schema.json lacks '${kind}'${hint}`);
    assert.deepEqual([...found.required].sort(), [...wanted.required].sort(), hint);
    for (const [name, type] of fields) {
      const property: Readonly<Record<string, unknown>> | undefined = found.properties[name];
      assert.ok(property !== undefined, `'${kind}' lacks '${name}'${hint}`);
      const { description: _, ...rest } = property;
      // A few words instead of any.
      if (type !== 'string' || !('enum' in rest)) {
        assert.deepEqual(rest, TYPES[type], `${kind}.${name}`);
      }
    }
    assert.ok(
      oneOf.some(({ $ref }) => $ref === `#/definitions/${kind}`),
      hint,
    );
    const row = doc.split('\n').find((line) => line.startsWith(`| \`${kind}\` |`));
    assert.ok(row !== undefined, `docs/events.md lacks a row for '${kind}'`);
    for (const name of Object.keys(found.properties).filter((each) => each !== 'kind')) {
      assert.ok(
        row.includes(`\`${name}\``),
        `docs/events.md: the row of '${kind}' lacks '${name}'`,
      );
    }
  });
}

test('the documents have no event that the code has not', async () => {
  const { definitions } = await eventsSchema();
  const known = [...Object.keys(EVENT_SHAPES), 'failure'].sort();
  assert.deepEqual(Object.keys(definitions).sort(), known);
});

test('docs/events.md has the exit code of every kind of failure', async () => {
  const { definitions } = await eventsSchema();
  const { kind: kinds } = definitions.failure?.properties ?? {};
  assert.ok(Array.isArray(kinds?.enum) && kinds.enum.length > 0);
  for (const kind of kinds.enum) {
    const status = exitCode({ kind, message: '', signal: 0 } as unknown as Failure);
    const code = kind === 'interrupted' ? '128 + n' : String(status);
    const row = doc.split('\n').find((line) => line.startsWith(`| ${code} |`));
    assert.ok(row?.includes(`\`${kind}\``), `the row of ${code} lacks '${kind}'`);
  }
});
