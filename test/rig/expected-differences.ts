/**
 * What differs between upstream's images and ours, and is meant to. Each reason is a part of a sentence
 * of docs/compatibility.md; a row that nothing is like any more fails the comparison.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Expected } from './differences.ts';
import { ROOT } from './run-hook.ts';

/** @throws when the documentation lacks a reason. */
export async function assertDocumented(table: readonly Pick<Expected, 'because'>[]): Promise<void> {
  const page = await readFile(path.join(ROOT, 'docs/compatibility.md'), 'utf8');
  const text = page.replace(/\s+/g, ' ');
  const missing = table.map(({ because }) => because).filter((reason) => !text.includes(reason));
  assert.deepEqual([...new Set(missing)], [], 'docs/compatibility.md does not say this');
}

const ALL = ['content', 'only-upstream', 'only-ours'] as const;

/** What hooks see of each phase, as the fixture `nasty-record` writes it. */
function seen(kind: 'env' | 'facts', names: string): RegExp {
  return new RegExp(`^/nasty/${kind}/[a-z-]+\\.d/(?:${names})$`);
}

/** Of every image. */
export const OF_ARCHIVES: readonly Expected[] = [
  {
    path: /^\/dev(?:\/|$)/,
    what: ['only-upstream', 'mode', 'time', 'owner', 'type'],
    because: 'no device nodes of the host',
  },
  { path: /^\/(?:proc|sys)$/, what: ['only-ours'], because: 'the empty `proc` and `sys`' },
  { path: /^\/etc\/fstab$/, what: ['content'], because: '`/etc/fstab` is written for a disk' },
  {
    path: /^\/lost\+found$/,
    what: ['only-upstream'],
    because: "an archive has no `lost+found` of a disk's file system",
  },
];

/** What the nasty elements find; both engines have the elements of the package. */
export const OF_NASTY: readonly Expected[] = [
  ...OF_ARCHIVES,
  {
    path: /^\/$/,
    what: ['mode'],
    because: 'hidden files at the top, the owner and mode of `/`',
  },
  {
    path: /^\/(?:\.hidden|\.autorelabel|\.top-hidden(?:\/.*)?)$/,
    what: ['only-ours'],
    because: 'hidden files at the top, the owner and mode of `/`',
  },
  {
    path: /^\/tmp\/with blank$/,
    what: ['only-upstream'],
    because: 'files in `/tmp` with blanks in their names are removed, too',
  },
  {
    path: /^\/nasty\/pipe$/,
    what: ['content'],
    because: 'a writer whose reader has gone is ended by SIGPIPE',
  },
  {
    path: seen('facts', 'signals-ignored'),
    what: ['content'],
    because: 'a writer whose reader has gone is ended by SIGPIPE',
  },
  {
    path: seen('facts', 'descriptors'),
    what: ['content'],
    because: 'hooks have the descriptors 0, 1 and 2, and no other of ours',
  },
  {
    path: seen('facts', 'limits'),
    what: ['content'],
    because: 'limits are those of the caller',
  },
  {
    path: seen('facts', 'top'),
    what: ['content'],
    because: 'hidden files at the top, the owner and mode of `/`',
  },
  {
    path: seen('facts', 'mounts'),
    what: ['content'],
    because: 'the root of the target is an overlay',
  },
  {
    path: seen('facts', 'tmp'),
    what: ['content'],
    because: '`/tmp` of the target has no files of the engine but `in_target.d`',
  },
  {
    path: /^\/nasty\/cleanup$/,
    what: ['content'],
    because: '`/etc/fstab` is written for a disk',
  },
  {
    path: seen(
      'env',
      'DIBKIT_\\w+|DIB_(?:BOOT_LABEL|BOOT_UUID|ROOT_UUID|CONTAINER_BUILD|DISK_MODE|FAILURE_FILE)|IS_RAMDISK',
    ),
    what: ['only-ours'],
    because: 'variables that only our hooks need',
  },
  {
    path: seen('env', 'SOURCE_DATE_EPOCH'),
    what: ['only-ours'],
    because: '`SOURCE_DATE_EPOCH` is the date of the image',
  },
  {
    path: seen('env', 'DIB_DEFAULT_INSTALLTYPE'),
    what: ['only-ours'],
    because: '`DIB_DEFAULT_INSTALLTYPE` is known in `root.d`, too',
  },
  {
    path: seen('env', 'IMAGE_BLOCK_DEVICES?'),
    what: ['only-upstream'],
    because: 'hooks see no block device',
  },
  {
    path: seen('env', 'DIB_ENV'),
    what: ['content'],
    because: '`DIB_ENV` has the variables that are about the image',
  },
  {
    path: seen('env', 'PATH'),
    what: ['content'],
    because: '`PATH` in the target has no literal `$PATH`',
  },
  {
    path: seen('env', 'SHELL|SHLVL|TERM|LC_CTYPE|SUDO_\\w+|PS4|OUT_IMAGE_PATH|BASH_FUNC__ps4%%'),
    what: ALL,
    because: 'what sudo, Python and a tracing bash leave behind in the environment',
  },
  {
    path: /^\/nasty\/functions-/,
    what: ['content'],
    because: 'what sudo, Python and a tracing bash leave behind in the environment',
  },
  {
    path: seen('env', 'BASH_FUNC_die%%'),
    what: ['content'],
    because: '`die` never ends a hook with success',
  },
  {
    path: seen('env', 'NASTY_SOURCED'),
    what: ['content'],
    because: '`environment.d` is sourced by a shell that was started with `-c`',
  },
  { path: seen('env', '_LIB'), what: ['content'], because: '`_LIB` is the library of the engine' },
  {
    path: /^\/nasty\/hooks(?:\/.*)?$/,
    what: ['time'],
    because: 'files of elements have the time of the build in the hook tree',
  },
  {
    path: /^\/nasty\/hooks\/(?:lib|host-bin|fingerprint\.d|source-date|dib-run-parts|environment\.d\/1[12]-dib-|[a-z-]+\.d\/\d+-(?:\d+-)?dib-)/,
    what: ALL,
    because: 'what upstream does in its main script are hooks here',
  },
  {
    path: /^\/nasty\/hooks\/(?:README\.rst|element-deps|svc-map|pkg-map|package-installs\.\w+|__init__\.py)$/,
    what: ['content'],
    because: 'which of several files of one name at the top of elements is in the hook tree',
  },
];

/** What differs besides where each engine has its own helper elements. */
export const OF_BUILTIN: readonly Expected[] = [
  ...OF_NASTY,
  {
    path: seen('env', 'DIB_PYTHON_EXEC|ELEMENTS_PATH|IMAGE_ELEMENT_YAML'),
    what: ['content'],
    because: 'the built-in elements are written anew',
  },
  {
    path: /^\/nasty\/hooks\/(?:bin|[a-z-]+\.d)\//,
    what: ALL,
    because: 'the built-in elements are written anew',
  },
  {
    path: /^\/nasty\/hooks\/(?:svc-map-services|__init__\.py)$/,
    what: ALL,
    because: 'the built-in elements are written anew',
  },
  {
    path: /^\/usr\/local\/bin\/(?:package-(?:un)?installs(?:-squash|-v2)?|pkg-map|svc-map)$/,
    what: ALL,
    because: 'the built-in elements are written anew',
  },
  {
    path: /^\/(?:nasty|usr\/share)\/pkg-map\/(?:\.flat(?:\/.*)?|svc-map)$/,
    what: ['only-upstream', 'only-ours'],
    because: '`pkg-map` reads a table that was made beside each map',
  },
  {
    path: /^\/nasty\/packages$/,
    what: ['content'],
    because: 'packages of the older text files are in the same transaction',
  },
  {
    path: /^\/nasty\/services$/,
    what: ['content'],
    because: '`pkg-map` prints each of several names on its own line',
  },
  {
    path: /^\/(?:nasty|usr\/share)\/svc-map\/services$/,
    what: ['content'],
    because: 'a service that is mapped to nothing keeps its name',
  },
];

/** What differs in a whole Debian; times are not compared. */
export const OF_DEBIAN: readonly Expected[] = [
  ...OF_ARCHIVES,
  {
    path: /\/__pycache__\/.*\.pyc$/,
    what: ['content'],
    because: "Python's compiled files name the digest of their source, not its time",
  },
  {
    path: /^\/boot\/initrd\.img-/,
    what: ['content'],
    because: 'a RAM disk has the files of the image, and their dates',
  },
  {
    path: /^\/etc\/shadow-?$/,
    what: ['content'],
    because: 'the day on which a password was changed is not later than the date of the image',
  },
  {
    path: /^\/etc\/iscsi\/initiatorname\.iscsi$/,
    what: ['content'],
    because: 'a name that open-iscsi draws by lot',
  },
  {
    path: /^\/var\/cache\/ldconfig\/aux-cache$/,
    what: ['only-upstream'],
    because: 'a cache that has inode numbers in it',
  },
  {
    path: /^(?:\/etc|beside\/image\.d)\/dib-manifests\/dib_environment$/,
    what: ['content'],
    because: '`DIB_ENV` has the variables that are about the image',
  },
];
