/** Digests of values, for keys. Pure. */
import { hash } from 'node:crypto';

/** SHA-256 in hex. */
export function sha256(text: string | Uint8Array): string {
  return hash('sha256', text);
}

/** Of any JSON value; the order of an object's fields does not matter. */
export function digestOf(value: unknown): string {
  return sha256(JSON.stringify(sorted(value)));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(sorted);
  }
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, each]) => each !== undefined)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, each]) => [name, sorted(each)]),
    );
  }
  return value;
}
