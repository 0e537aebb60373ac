/** The schema of events that users get, and whether events are what it says. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { Ajv } from 'ajv';

interface EventDefinition {
  readonly properties: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly required: readonly string[];
}

export interface EventsSchema {
  readonly definitions: Readonly<Record<string, EventDefinition>>;
  readonly oneOf: readonly { readonly $ref: string }[];
}

/** `docs/events.schema.json`. */
export async function eventsSchema(): Promise<EventsSchema> {
  const file = new URL('../../docs/events.schema.json', import.meta.url);
  return JSON.parse(await readFile(file, 'utf8')) as EventsSchema;
}

/**
 * Every line is an event that the schema allows, with no field that it does not name. Validated by
 * ajv, not by our own reader.
 */
export async function assertValidEvents(lines: readonly string[]): Promise<void> {
  const schema = await eventsSchema();
  const validate = new Ajv({ allErrors: false, strict: true }).compile(schema);
  for (const line of lines) {
    const event = JSON.parse(line) as Record<string, unknown>;
    assert.ok(validate(event), `${line}\n${JSON.stringify(validate.errors, undefined, 1)}`);
    const { v: _, at: __, ...fields } = event;
    const named = Object.keys(schema.definitions[String(event.kind)]?.properties ?? {});
    const unnamed = Object.keys(fields).filter((name) => !named.includes(name));
    assert.deepEqual(unnamed, [], `fields that the schema does not name in ${line}`);
  }
}
