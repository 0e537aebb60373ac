/** Repository metadata for tests: primary.xml of packages, and the repomd.xml that vouches for it. */
import { createHash } from 'node:crypto';

export interface TestPackage {
  readonly name: string;
  readonly version: string;
  readonly release?: string;
  readonly arch?: string;
  /** Default: `Packages/NAME-VERSION-RELEASE.ARCH.rpm`. */
  readonly href?: string;
  readonly description?: string;
  /** Elements in `rpm:requires`, in the words of XML. Default: a few. */
  readonly requires?: readonly string[];
}

const DESCRIPTION = `Several lines:
a &lt; b, "quotes", caf\u00e9`;
const REQUIRES = [
  '<rpm:entry name="gcc"/>',
  '<rpm:entry name="rpmlib(CompressedFileNames)" flags="LE" epoch="0" ver="3.0.4" rel="1"/>',
  '<rpm:entry name="name" flags="GE" epoch="0" ver="1.0"/>',
];

/** One package the way createrepo_c writes it. */
export function packageXml(spec: TestPackage): string {
  const { name, version, release = '1.el9', arch = 'src' } = spec;
  const { description = DESCRIPTION, requires = REQUIRES } = spec;
  const href = spec.href ?? `Packages/${name}-${version}-${release}.${arch}.rpm`;
  const pkgid = createHash('sha256').update(href).digest('hex');
  return `<package type="rpm">
  <name>${name}</name>
  <arch>${arch}</arch>
  <version epoch="0" ver="${version}" rel="${release}"/>
  <checksum type="sha256" pkgid="YES">${pkgid}</checksum>
  <summary>What ${name} is for &amp; more</summary>
  <description>${description}</description>
  <packager>Builders &lt;build@example.org&gt;</packager>
  <url>https://example.org/${name}?a=1&amp;b=2</url>
  <time file="1700000000" build="1690000000"/>
  <size package="12345" installed="23456" archive="24680"/>
  <location href="${href}"/>
  <format>
    <rpm:license>GPL-2.0-or-later</rpm:license>
    <rpm:vendor>Example</rpm:vendor>
    <rpm:group>Unspecified</rpm:group>
    <rpm:buildhost>builder.example.org</rpm:buildhost>
    <rpm:sourcerpm/>
    <rpm:header-range start="4504" end="33333"/>
    <rpm:requires>
${requires.map((entry) => `      ${entry}\n`).join('')}    </rpm:requires>
    <file>${name}.spec</file>
  </format>
</package>`;
}

/** A whole primary.xml. */
export function primaryXml(packages: readonly TestPackage[], count = packages.length): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="${count}">
${packages.map(packageXml).join('\n')}
</metadata>
`;
}

export interface RepomdSpec {
  /** Relative to the repository, as in `location`. */
  readonly href: string;
  /** The compressed file, which digest and size are of. */
  readonly content: Uint8Array;
  readonly openSize?: number;
}

/** A repomd.xml with primary and other metadata, whose names also contain "primary". */
export function repomdXml({ href, content, openSize }: RepomdSpec): string {
  const digest = createHash('sha256').update(content).digest('hex');
  return `<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">
  <revision>1700000000</revision>
  <data type="primary_db">
    <checksum type="sha256">${'0'.repeat(64)}</checksum>
    <location href="repodata/0-primary.sqlite.bz2"/>
    <size>1</size>
  </data>
  <data type="primary">
    <checksum type="sha256">${digest}</checksum>
    <location href="${href}"/>
    <timestamp>1700000000</timestamp>
    <size>${content.length}</size>${openSize === undefined ? '' : `\n    <open-size>${openSize}</open-size>`}
  </data>
  <data type="filelists">
    <checksum type="sha256">${'1'.repeat(64)}</checksum>
    <location href="repodata/1-filelists.xml.gz"/>
    <size>1</size>
  </data>
</repomd>
`;
}
