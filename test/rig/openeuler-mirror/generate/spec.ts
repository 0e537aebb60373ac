/** RPM spec files, as text. Pure. */

export interface RpmFile {
  readonly path: string;
  readonly kind: 'file' | 'config' | 'dir' | 'ghost';
  /** The inside of %attr(). */
  readonly attr?: string;
}

export interface Rpm {
  readonly name: string;
  readonly version: string;
  readonly release: string;
  readonly noarch: boolean;
  readonly requires: readonly string[];
  readonly provides: readonly string[];
  readonly post: string;
  readonly posttrans: string;
  readonly files: readonly RpmFile[];
}

/** One spec whose packages are these: rpmbuild writes them all at once, on all cores. */
export function renderSpec(rpms: readonly Rpm[]): string {
  const head = [
    'Name: stand-in',
    'Version: 1',
    'Release: 1',
    'Summary: Stand-in',
    'License: Various',
    'AutoReqProv: no',
    '%description',
    'Not built.',
  ];
  return `${[...head, ...rpms.flatMap(renderRpm), '%prep', '%build', '%install'].join('\n')}\n`;
}

function renderRpm(rpm: Rpm): string[] {
  const { name } = rpm;
  return [
    `%package -n ${name}`,
    `Version: ${rpm.version}`,
    `Release: ${rpm.release}`,
    'Summary: Part of the stand-in for openEuler',
    'License: Various',
    'Vendor: dibkit tests',
    'AutoReqProv: no',
    ...(rpm.noarch ? ['BuildArch: noarch'] : []),
    ...rpm.requires.map((word) => `Requires: ${word}`),
    ...rpm.provides.map((word) => `Provides: ${word}`),
    `%description -n ${name}`,
    'Made of Debian packages, for tests. This is not openEuler.',
    ...scriptlet('post', name, rpm.post),
    ...scriptlet('posttrans', name, rpm.posttrans),
    `%files -n ${name}`,
    '%defattr(-, root, root, -)',
    ...rpm.files.map(renderFile),
  ];
}

function scriptlet(kind: string, name: string, body: string): string[] {
  return body === '' ? [] : [`%${kind} -n ${name}`, body];
}

const DIRECTIVES = { file: '', config: '%config(noreplace) ', dir: '%dir ', ghost: '%ghost ' };

function renderFile({ path, kind, attr }: RpmFile): string {
  const mode = attr === undefined ? '' : `%attr(${attr}) `;
  return `${mode}${DIRECTIVES[kind]}"${path.replaceAll('%', '%%')}"`;
}
