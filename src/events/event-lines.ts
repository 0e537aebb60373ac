/**
 * Events as JSON, one per line: for `events.jsonl`, and between the engine and its console.
 *
 * `v` is `EVENTS_VERSION`. Kinds may be added without a new version: a reader skips those that it
 * does not know.
 */
import { StringDecoder } from 'node:string_decoder';
import { type BuildEvent, EVENTS_VERSION, type EventBody } from './event.ts';

type FieldType = 'string' | 'number' | 'boolean' | 'strings' | 'failure';
type FieldTypeOf<T> = T extends string
  ? 'string'
  : T extends number
    ? 'number'
    : T extends boolean
      ? 'boolean'
      : T extends readonly string[]
        ? 'strings'
        : 'failure';
type BodyOf<K> = Extract<EventBody, { kind: K }>;
type Optional<T> = { [K in keyof T]-?: undefined extends T[K] ? K : never }[keyof T];
/** Every field of an event that must be there, with its type; the compiler keeps it complete. */
type Shape<K> = {
  readonly [F in Exclude<keyof BodyOf<K>, 'kind' | Optional<BodyOf<K>>>]: FieldTypeOf<BodyOf<K>[F]>;
};

/** The required fields of every kind, with their types. */
export const EVENT_SHAPES: { readonly [K in EventBody['kind']]: Shape<K> } = {
  'build-start': {
    version: 'string',
    elements: 'strings',
    expanded: 'strings',
    imageName: 'string',
    imageTypes: 'strings',
    buildDir: 'string',
  },
  message: { level: 'string', text: 'string' },
  'element-hooks': { element: 'string' },
  'phase-start': { phase: 'string', where: 'string', dir: 'string', hooks: 'strings' },
  'environment-file': { path: 'string' },
  'hooks-ignored': { reason: 'string', names: 'strings' },
  'hook-start': { hook: 'string', path: 'string' },
  'hook-end': { hook: 'string', status: 'number', durationMs: 'number' },
  output: { line: 'string' },
  'phase-end': { phase: 'string', durationMs: 'number', ok: 'boolean' },
  layer: { outcome: 'string', phase: 'string', hooks: 'strings', reasons: 'strings' },
  'step-start': { step: 'string', detail: 'string' },
  'step-end': { step: 'string', durationMs: 'number' },
  'artifact-renamed': { from: 'string', to: 'string' },
  artifact: { type: 'string', path: 'string', sizeBytes: 'number' },
  'lock-wait': { path: 'string', holder: 'string' },
  'download-progress': { url: 'string', receivedBytes: 'number' },
  'download-end': { url: 'string', sizeBytes: 'number', durationMs: 'number' },
  'break-start': { point: 'string', lines: 'strings' },
  'break-end': { point: 'string' },
  'build-end': { durationMs: 'number' },
};

/** One event as one line, newline included. */
export function renderEventLine(event: BuildEvent): string {
  return `${JSON.stringify({ v: EVENTS_VERSION, ...event })}\n`;
}

/** What a line turned out to be. */
export type ParsedLine =
  | { readonly kind: 'event'; readonly event: BuildEvent }
  /** A kind that was added after this version of the program. */
  | { readonly kind: 'unknown'; readonly name: string }
  | { readonly kind: 'invalid'; readonly reason: string };

/** The event in a line. Optional fields are taken as they are. */
export function parseEventLine(line: string): ParsedLine {
  const value = parseRecord(line);
  if (value === undefined) {
    return { kind: 'invalid', reason: 'it is no JSON object' };
  }
  const { v, ...event } = value;
  if (v !== EVENTS_VERSION) {
    return { kind: 'invalid', reason: `its version is ${JSON.stringify(v)}` };
  }
  if (typeof event.at !== 'number' || typeof event.kind !== 'string') {
    return { kind: 'invalid', reason: 'it has no time or kind' };
  }
  if (!Object.hasOwn(EVENT_SHAPES, event.kind)) {
    return { kind: 'unknown', name: event.kind };
  }
  const shape: Readonly<Record<string, FieldType>> = EVENT_SHAPES[event.kind as EventBody['kind']];
  const wrong = Object.keys(shape).filter((field) => !isOfType(event[field], shape[field]));
  return wrong.length === 0
    ? { kind: 'event', event: event as unknown as BuildEvent }
    : { kind: 'invalid', reason: `wrong in "${event.kind}": ${wrong.join(', ')}` };
}

function parseRecord(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function isOfType(value: unknown, type: FieldType | undefined): boolean {
  return type === 'strings'
    ? Array.isArray(value) && value.every((item) => typeof item === 'string')
    : type === 'failure' || typeof value === type;
}

/** What the lines of a stream say, whatever pieces its bytes arrive in. Empty lines are skipped. */
export async function* readEventLines(
  chunks: AsyncIterable<Uint8Array | string>,
): AsyncGenerator<ParsedLine, void, undefined> {
  for await (const line of splitLines(chunks)) {
    yield parseEventLine(line);
  }
}

// Not node:readline: it also ends lines at U+2028, which JSON strings may contain.
async function* splitLines(chunks: AsyncIterable<Uint8Array | string>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let partial: string[] = [];
  for await (const chunk of chunks) {
    const [first = '', ...more] = text(chunk, decoder).split('\n');
    partial.push(first);
    for (const next of more) {
      if (partial.some((part) => part !== '')) {
        yield partial.join('');
      }
      partial = [next];
    }
  }
  const last = partial.join('') + decoder.end();
  if (last !== '') {
    yield last;
  }
}

function text(chunk: Uint8Array | string, decoder: StringDecoder): string {
  return typeof chunk === 'string' ? chunk : decoder.write(Buffer.from(chunk));
}
