/** The command `cache-url`, with upstream's words and statuses. Source: dib contract, 6.1. */
import path from 'node:path';
import { Command } from 'commander';
import { curlStatus } from '../cache/curl-status.ts';
import { DEFAULT_RETRIES } from '../cache/retry.ts';
import { copyUrl, type UrlCopyOutcome } from '../cache/url-copy.ts';
import { Failed } from '../events/failure.ts';
import { withCacheContext } from './cache-context.ts';
import { temporaryParent } from './host-facts.ts';
import { runCommand } from './main.ts';
import { parseArguments } from './parse-arguments.ts';
import { reportFailure } from './report-failure.ts';

const EXAMPLES = `
The server is asked whether the copy has changed since it was downloaded. What it says is not verified: for that
there is dibkit fetch. A new copy gets its name when it is complete.

Environment:
  http_proxy, https_proxy, all_proxy, no_proxy, SSL_CERT_FILE   as for curl

Examples:
  cache-url https://example.org/base.img /var/cache/base.img
      downloads it, unless the copy there is still the server's
  cache-url -f https://example.org/base.img /var/cache/base.img
      past all caches on the way
`;

/** As often as upstream has curl try. */
const RETRIES = { ...DEFAULT_RETRIES, attempts: 4 };

void runCommand(async () => {
  const command = new Command('cache-url')
    .description('Downloads URL to DESTINATION, unless the copy there is still current.')
    .usage('[-f] URL DESTINATION')
    .argument('<url>', 'what to download')
    .argument('<destination>', 'a file, or a named pipe')
    .option('-f', 'make caches on the way fetch it anew')
    .helpOption('-h, --help', 'print this help')
    .addHelpText(
      'after',
      `${EXAMPLES}\nStatus: 0 done, 44 not found (404), those of curl for the network, else 1`,
    );
  try {
    if (parseArguments(command, process.argv.slice(2)) === 'done') {
      return 0;
    }
    const [given = '', destination = ''] = command.args;
    const url = given.includes('://') ? given : `http://${given}`;
    const spec = {
      url,
      destination: path.resolve(destination),
      force: command.opts<{ readonly f?: true }>().f === true,
      temporaryDirectory: temporaryParent(),
    };
    const outcome = await withCacheContext((context) => copyUrl(spec, context), RETRIES);
    process.stdout.write(`${words(outcome, given)}\n`);
    return 0;
  } catch (error) {
    return statusOf(error);
  }
});

/** compat: all of them. */
function words(outcome: UrlCopyOutcome, url: string): string {
  switch (outcome) {
    case 'first':
      return `Downloaded and cached ${url} for the first time`;
    case 'changed':
      return `Server copy has changed. Using server version of ${url}`;
    case 'forced':
      return `Downloaded and cached ${url}, having forced upstream caches to revalidate`;
    case 'unchanged':
      return `Server copy has not changed. Using locally cached ${url}`;
    case 'empty':
      return `Ignoring empty file returned by curl. Using locally cached ${url}`;
  }
}

function statusOf(error: unknown): number {
  if (!(error instanceof Failed)) {
    throw error;
  }
  const { failure } = error;
  if (failure.kind === 'fetch' && failure.status !== undefined) {
    process.stdout.write(`Server returned an unexpected response code. [${failure.status}]\n`);
    return failure.status === 404 ? 44 : 1;
  }
  if (failure.kind !== 'fetch' && failure.kind !== 'usage') {
    throw error;
  }
  reportFailure(failure);
  return failure.kind === 'usage' ? 1 : curlStatus(failure.code);
}
