/**
 * Which proxy an address is asked through. Source: curl(1), "ENVIRONMENT": lower-case names win, and
 * HTTP_PROXY in capitals does not count.
 */

/** The proxy's URL; undefined when the address is asked directly. */
export function proxyFor(
  url: URL,
  environment: Readonly<Record<string, string | undefined>>,
): URL | undefined {
  const first = (...names: readonly string[]): string | undefined =>
    names.map((name) => environment[name]).find((value) => value !== undefined && value !== '');
  const names = url.protocol === 'https:' ? ['https_proxy', 'HTTPS_PROXY'] : ['http_proxy'];
  const proxy = first(...names, 'all_proxy', 'ALL_PROXY');
  if (proxy === undefined || isExcepted(url, first('no_proxy', 'NO_PROXY') ?? '')) {
    return undefined;
  }
  return new URL(proxy.includes('://') ? proxy : `http://${proxy}`);
}

/** A name in the list also stands for the names below it; `*` for all. */
function isExcepted(url: URL, list: string): boolean {
  return list
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => {
      const [, name = '', port] = /^\.?(.*?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
      const isName = name === '*' || url.hostname === name || url.hostname.endsWith(`.${name}`);
      return isName && (port === undefined || port === url.port);
    });
}

/** What a request to a proxy says about who we are. */
export function proxyAuthorization({ username, password }: URL): Readonly<Record<string, string>> {
  if (username === '' && password === '') {
    return {};
  }
  const plain = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(plain).toString('base64')}` };
}
