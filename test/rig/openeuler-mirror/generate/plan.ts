/** Which RPM each Debian package goes to, and what the RPMs need of each other. Pure. */
import type { Deb } from './debs.ts';
import { RPMS, type RpmRow } from './packages.ts';

export interface PlannedRpm {
  readonly name: string;
  readonly row: RpmRow;
  readonly debs: readonly Deb[];
  readonly version: string;
  readonly requires: readonly string[];
  /** The release of the kernel, as `uname -r` has it, when this is one. */
  readonly kernel?: string;
}

const KERNEL = /^linux-image-(.+)$/;
/** Of the packages that are not made of Debian's. */
const OWN_VERSION = '1.0';

/** All RPMs that are the same in every release. */
export function planRpms(debs: readonly Deb[]): PlannedRpm[] {
  const rpmOfDeb = rpmNames(debs);
  const providers = new Map(debs.flatMap((deb) => deb.provides.map((name) => [name, deb.name])));
  const names = new Set([...rpmOfDeb.values(), ...Object.keys(RPMS)]);
  return [...names].sort().map((name) => {
    const row = RPMS[name] ?? {};
    const own = debs.filter((deb) => rpmOfDeb.get(deb.name) === name);
    const kernel = KERNEL.exec(own[0]?.name ?? '')?.[1];
    const needed = own.flatMap((deb) => deb.depends.map((some) => firstRpm(some)));
    const requires = new Set([...needed, ...(row.requires ?? []), ...foundation(name)]);
    return {
      name,
      row,
      debs: own,
      version: rpmVersion(own[0]?.version ?? OWN_VERSION),
      requires: [...requires].filter((word) => word !== undefined && word !== name) as string[],
      ...(kernel === undefined ? {} : { kernel }),
    };
  });

  function firstRpm(alternatives: readonly string[]): string | undefined {
    return alternatives
      .map((word) => rpmOfDeb.get(word) ?? rpmOfDeb.get(providers.get(word) ?? ''))
      .find((found) => found !== undefined);
  }
}

/** The links from / into /usr must be there before any file. */
function foundation(name: string): string[] {
  return name === 'filesystem' ? [] : ['filesystem'];
}

function rpmNames(debs: readonly Deb[]): ReadonlyMap<string, string> {
  const rows = Object.entries(RPMS);
  const named = new Map(rows.flatMap(([name, row]) => (row.debs ?? []).map((deb) => [deb, name])));
  return new Map(
    debs.map(({ name }) => [name, KERNEL.test(name) ? 'kernel' : (named.get(name) ?? name)]),
  );
}

function rpmVersion(version: string): string {
  return version.replaceAll(/[^A-Za-z0-9.]+/g, '_');
}
