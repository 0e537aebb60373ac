/**
 * Takes credentials out of text before anybody sees it.
 *
 * A URL's user part is a secret as soon as it has a password, and for web and proxy URLs even
 * without one (access tokens are passed that way). `git@host` after `ssh://` is an address.
 */
import type { EventBody } from './event.ts';

const MASK = '***';

// From `://` to the last `@` before whatever ends an authority. The class cannot match `/`, so
// that a long line is read once.
const AUTHORITY = /:\/\/([^\s/?#'"<>`]+)@/g;
// A password with an unescaped slash, `http://me:a/b@host`: after `name:` a port would be digits.
const SLASHED_PASSWORD = /:\/\/([^\s/?#'"<>`:]+:(?!\d*[/?#])[^\s'"<>`@]{1,256})@/g;
// Proxies are often given without a scheme: `http_proxy=me:secret@proxy:3128`.
const PROXY_VALUE = /(_proxy\s?[=:]\s?['"]?)([^\s'"/@]+)@/gi;

/** `text` with the user part of every URL, and of every proxy value, replaced. Idempotent. */
export function redact(text: string): string {
  if (!text.includes('@')) {
    return text;
  }
  const mask = (found: string, user: string, offset: number): string =>
    isAddress(user, text.slice(Math.max(0, offset - 8), offset)) ? found : `://${MASK}@`;
  return text
    .replace(AUTHORITY, mask)
    .replace(SLASHED_PASSWORD, `://${MASK}@`)
    .replace(PROXY_VALUE, `$1${MASK}@`);
}

function isAddress(user: string, before: string): boolean {
  return !user.includes(':') && /(?:ssh|sftp|rsync)$/i.test(before);
}

/** The same event with `redact` applied to every string in it; the same object if none changed. */
export function redactEvent<T extends EventBody>(event: T): T {
  return redactValue(event) as T;
}

function redactValue(value: unknown): unknown {
  if (typeof value === 'string') {
    return redact(value);
  }
  if (Array.isArray(value)) {
    const items = value.map(redactValue);
    return items.some((item, index) => item !== value[index]) ? items : value;
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value);
    const redacted = entries.map(([key, item]) => [key, redactValue(item)] as const);
    const changed = redacted.some(([, item], index) => item !== entries[index]?.[1]);
    return changed ? Object.fromEntries(redacted) : value;
  }
  return value;
}
