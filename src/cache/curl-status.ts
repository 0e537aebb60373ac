/** What curl would end with: pure. Callers of cache-url know its numbers. */

const STATUSES: readonly (readonly [RegExp, number])[] = [
  [/^scheme$/, 1],
  [/^url$|ERR_INVALID/, 3],
  [/^ENOTFOUND$|^EAI_/, 6],
  [/^ECONNREFUSED$|UNREACH$/, 7],
  [/^short$|LENGTH_MISMATCH/, 18],
  [/TIMEOUT$|^ETIMEDOUT$|^stalled$/, 28],
  [/TLS|SSL|EPROTO/, 35],
  [/^ENOENT$|^EISDIR$|^EACCES$/, 37],
  [/^redirects$/, 47],
  [/^ECONNRESET$|^EPIPE$|^UND_ERR_SOCKET$|^HPE_/, 56],
  [/CERT|SELF_SIGNED|UNABLE_TO/, 60],
];

/** Curl's status for the code of a `fetch` failure; 1 for what curl has no number for. Source: curl(1). */
export function curlStatus(code = ''): number {
  return STATUSES.find(([pattern]) => pattern.test(code))?.[1] ?? 1;
}
