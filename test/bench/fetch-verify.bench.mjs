/** Fetching and verifying 1 GiB, against curl and then sha256sum. */
import { fetchArgv, NAME, withServedFile } from './fetch.mjs';
import { alternate, seconds } from './measure.mjs';

export const name = 'fetch and verify';
export const goal = 0.8;
export const unit = 's';

const ROUNDS = 5;
const THEIRS = 'curl -s -o "$0" "$1/$0" && curl -s -o SUMS "$1/SHA256SUMS" && sha256sum -c SUMS';

export function measure() {
  return withServedFile(({ server, cache }) =>
    alternate(
      ROUNDS,
      () => seconds(fetchArgv(server, cache())),
      () => seconds(['sh', '-c', THEIRS, NAME, server.url], { cwd: cache() }),
    ),
  );
}
