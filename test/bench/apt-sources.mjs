/** Where this host gets Debian from, in the words of the element debian-minimal. */
import { spawnSync } from 'node:child_process';

/**
 * The variables that make a build use the host's release, mirror and security suite.
 *
 * @throws when apt does not know a Debian suite.
 */
export function hostSources() {
  const rows = indexTargets();
  const main = rows.find(({ suite }) => !suite.includes('-'));
  if (main === undefined) {
    throw new Error('apt knows no Debian suite on this host; run apt-get update');
  }
  const suites = ['', '-updates', '-security'].map((suffix) => main.suite + suffix);
  const wanted = rows.filter(({ suite }) => suites.includes(suite));
  const lines = wanted.map(({ site, suite }) => `${suite}:deb ${site} ${suite} main`);
  return {
    DIB_RELEASE: main.suite,
    DIB_DISTRIBUTION_MIRROR: main.site,
    DIB_APT_SOURCES_CONF: lines.join('\n'),
  };
}

/** One row per suite of Debian's. Source: apt-get(8), indextargets. */
function indexTargets() {
  const format = '$(ORIGIN)|$(RELEASE)|$(SITE)|$(COMPONENT)|$(CREATED_BY)';
  const { stdout } = spawnSync('apt-get', ['indextargets', '--format', format], {
    encoding: 'utf8',
  });
  return stdout
    .split('\n')
    .map((line) => line.split('|'))
    .filter(([origin, , , ...rest]) => origin === 'Debian' && rest.join() === 'main,Packages')
    .map(([, suite, site]) => ({ suite, site: site.replace(/\/$/, '') }));
}
