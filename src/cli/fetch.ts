/** `dibkit fetch`, which hooks call as `dib-fetch`: a verified file in the cache, or a clear failure. */
import path from 'node:path';
import { Command } from 'commander';
import { parseSha256 } from '../cache/checksum.ts';
import { verifiedFetch } from '../cache/verified-fetch.ts';
import type { DigestSource, VerifiedFetchSpec } from '../cache/verified-file.ts';
import { usageError } from '../events/failure.ts';
import { withCacheContext } from './cache-context.ts';
import { ownEnvironment } from './host-facts.ts';
import { parseArguments } from './parse-arguments.ts';

const DETAILS = `
PATH is relative to DIB_IMAGE_CACHE, when that is set. The digest is printed; what happens is told on
standard error.

Environment:
  DIB_OFFLINE            non-empty: use what is cached, without the network
  DIB_FETCH_ALLOW_STALE  1: use an older verified copy when no newer one is to be had
  DIB_FETCH_TIMEOUT      seconds that a server may be silent (30)
  DIB_LOCK_WAIT          seconds to wait for somebody who fetches the same file (1200)
  http_proxy, https_proxy, all_proxy, no_proxy, SSL_CERT_FILE   as for curl

Examples:
  dibkit fetch --url https://example.org/base.tar.xz --sums https://example.org/SHA256SUMS base.tar.xz
      into DIB_IMAGE_CACHE, when the list vouches for it; not again while it is the same
  dibkit fetch --url https://example.org/tool --sha256 "$(cat tool.sha256)" /var/tmp/tool

Status: 0 verified; 1 the server did not give it; 2 usage, or the cache cannot be written;
4 not what was published; 5 somebody else fetches it for too long.
`;

interface Options {
  readonly url?: string;
  readonly sums?: string;
  readonly sha256?: string;
  readonly name?: string;
  readonly sumsCache?: string;
  readonly verify?: true;
}

/** Status 0: the file is there and verified. */
export async function fetchCommand(argv: readonly string[]): Promise<number> {
  const command = new Command('dibkit fetch')
    .description('Fetches a file into the cache once, and vouches for it.')
    .usage('--url URL (--sums URL | --sha256 HEX) [OPTION]... PATH')
    .argument('<path>', 'where the file is to be')
    .option('--url <url>', 'the file')
    .option('--sums <url>', 'the list of SHA-256 checksums that has it')
    .option('--sha256 <hex>', 'the checksum itself')
    .option('--name <name>', 'its name in the list (the last part of the URL)')
    .option('--sums-cache <path>', 'where the list is kept (PATH.dib-sums)')
    .option('--verify', 'read the whole file again, even if it was verified before')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', DETAILS);
  if (parseArguments(command, argv) === 'done') {
    return 0;
  }
  const spec = specOf(command.opts<Options>(), command.args[0] ?? '');
  const file = await withCacheContext((context) => verifiedFetch(spec, context));
  process.stdout.write(`${file.sha256}\n`);
  return 0;
}

function specOf(options: Options, given: string): VerifiedFetchSpec {
  const environment = ownEnvironment();
  const url = options.url ?? '';
  if (!URL.canParse(url)) {
    throw usageError(`Option '--url' needs a URL: '${url}'`, 'See: dibkit fetch --help');
  }
  const resolve = (file: string): string => path.resolve(environment.DIB_IMAGE_CACHE ?? '', file);
  const lockWait = environment.DIB_LOCK_WAIT;
  return {
    url,
    path: resolve(given),
    digest: digestOf(options, resolve(options.sumsCache ?? `${given}.dib-sums`)),
    offline: (environment.DIB_OFFLINE ?? '') !== '',
    allowStale: environment.DIB_FETCH_ALLOW_STALE === '1',
    rehash: options.verify === true,
    command: `dibkit fetch ${url}`,
    // Not when we had loaded ourselves: of many that start at once, one asks the server.
    askedAt: performance.timeOrigin,
    ...(lockWait === undefined ? {} : { lockWaitMs: Number(lockWait) * 1000 }),
  };
}

function digestOf(options: Options, cachePath: string): DigestSource {
  const { sums, sha256: pinned, url = '' } = options;
  if ((sums === undefined) === (pinned === undefined)) {
    throw usageError("Give one of '--sums' and '--sha256'", 'See: dibkit fetch --help');
  }
  if (pinned !== undefined) {
    const sha256 = parseSha256(pinned);
    if (sha256 === undefined) {
      throw usageError(`Option '--sha256' needs 64 hexadecimal digits: '${pinned}'`);
    }
    return { kind: 'pinned', sha256 };
  }
  const name = options.name ?? decodeURIComponent(path.posix.basename(new URL(url).pathname));
  return { kind: 'sums', sums: { url: sums ?? '', cachePath, name } };
}
