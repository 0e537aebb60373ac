/** Names of container images: `[HOST[:PORT]/]PATH[:TAG]`. Source: distribution/reference, grammar. */

export interface Reference {
  /** As given, without the tag: `web`, `registry.example:5000/team/web`. */
  readonly repository: string;
  readonly tag: string;
}

const COMPONENT = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const HOST =
  '[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*';
const PATTERN = new RegExp(
  `^((?:${HOST}(?::\\d+)?/)?${COMPONENT}(?:/${COMPONENT})*)(?::([\\w][\\w.-]{0,127}))?$`,
);

/** The parts of a name; undefined when it is none. Without a tag it is `latest`, as everywhere. */
export function parseReference(text: string): Reference | undefined {
  const [, repository, tag = 'latest'] = PATTERN.exec(text) ?? [];
  return repository === undefined || repository.length > 255 ? undefined : { repository, tag };
}

/** The name for an image that was given none: the file's, as far as such names allow. */
export function referenceFromName(file: string): Reference {
  const base = file.slice(file.lastIndexOf('/') + 1).toLowerCase();
  const repository = base.replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-+|-+$/g, '');
  return { repository: repository === '' ? 'image' : repository, tag: 'latest' };
}

export function renderReference({ repository, tag }: Reference): string {
  return `${repository}:${tag}`;
}

/** With Docker's host and folder written out, as containerd and podman know it. */
export function fullReference(reference: Reference): string {
  const [first = '', ...rest] = reference.repository.split('/');
  const hasHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  const folder = hasHost ? '' : rest.length > 0 ? 'docker.io/' : 'docker.io/library/';
  return `${folder}${renderReference(reference)}`;
}
