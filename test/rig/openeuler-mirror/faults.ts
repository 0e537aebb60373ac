/** Ways in which a mirror can be broken. Pure. */

/** What is wrong; where it matters, with which repository, as `OS`, `EPOL/main`. */
export type Fault =
  /** The sum in `.sha256sum` is another file's. */
  | { readonly kind: 'wrong-sum' }
  /** No `docker_img`. */
  | { readonly kind: 'no-docker-img' }
  /** repomd.xml is there, the files that it names are not. */
  | { readonly kind: 'half-synchronised'; readonly repository: string }
  /** Metadata is there, the packages are not. */
  | { readonly kind: 'no-packages'; readonly repository: string }
  /** `update` has a newer basesystem that a stranger signed. */
  | { readonly kind: 'stranger' }
  /** `update` has a newer basesystem. Not a fault, but not the usual day either. */
  | { readonly kind: 'newer' }
  /** Everything below a repository is answered with a status. */
  | { readonly kind: 'status'; readonly repository: string; readonly status: number };

/** What to answer: a file below the mirror's directory, text, or a status. */
export type Answer =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'status'; readonly status: number };

const RELEASE_PATH = /^\/openEuler-[^/]+\//;

/** What to answer to a request for a path, which starts with a slash and is decoded. */
export function answerTo(path: string, faults: readonly Fault[]): Answer {
  for (const fault of faults) {
    const answer = brokenAnswer(path.replace(RELEASE_PATH, ''), fault);
    if (answer !== undefined) {
      return answer;
    }
  }
  return { kind: 'file', path: `www${path}` };
}

function brokenAnswer(path: string, fault: Fault): Answer | undefined {
  switch (fault.kind) {
    case 'wrong-sum': {
      const file = /([^/]+)\.sha256sum$/.exec(path)?.[1];
      return file === undefined
        ? undefined
        : { kind: 'text', text: `${'0'.repeat(64)}  ${file}\n` };
    }
    case 'no-docker-img':
      return statusIf(path.startsWith('docker_img'), 404);
    case 'half-synchronised': {
      const metadata = path.startsWith(`${fault.repository}/`) && path.includes('/repodata/');
      return statusIf(metadata && !path.endsWith('/repomd.xml'), 404);
    }
    case 'no-packages':
      return statusIf(path.startsWith(`${fault.repository}/`) && path.endsWith('.rpm'), 404);
    case 'stranger':
    case 'newer': {
      const file = /^update\/x86_64\/(.*)/.exec(path)?.[1];
      return file === undefined
        ? undefined
        : { kind: 'file', path: `variants/update-${fault.kind}/${file}` };
    }
    case 'status':
      return statusIf(path.startsWith(`${fault.repository}/`), fault.status);
  }
}

function statusIf(condition: boolean, status: number): Answer | undefined {
  return condition ? { kind: 'status', status } : undefined;
}
