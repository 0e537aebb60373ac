import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failed } from '../../../src/events/failure.ts';
import type { BuildPlan } from '../../../src/plan/build-plan.ts';
import type { OptionValues } from '../../../src/plan/options.ts';
import { planBuild } from '../../../src/plan/plan-build.ts';

const HOST = {
  version: '1.2.3',
  arch: 'amd64',
  cwd: '/here',
  home: '/home/me',
  builtinElements: '/pkg/elements',
  implicitElement: '/pkg/hooks',
  shellLibrary: '/pkg/hooks/lib',
  node: '/bin/node',
  packageRoot: '/pkg',
};

function plan(options: OptionValues = {}, environment: Record<string, string> = {}): BuildPlan {
  return planBuild({
    elements: ['vm', 'os'],
    argv: ['vm', 'os'],
    options,
    environment,
    host: HOST,
  });
}

test('planBuild() has upstream’s defaults', () => {
  const { image, disk, work, show, arch, elementsPath } = plan();
  assert.deepEqual(image, {
    name: 'image',
    cwd: '/here',
    types: ['qcow2'],
    checksums: [],
    compress: true,
    overwrite: false,
    gzip: 'gzip',
  });
  assert.deepEqual(disk, { journalSize: 64, mkfsOptions: '', rootFsType: 'ext4' });
  assert.deepEqual(work, {
    tmpDir: '/tmp',
    noTmpfs: false,
    minTmpfs: 2,
    imageCache: '/home/me/.cache/image-create',
    lockFiles: '/home/me/.cache/dib/lockfiles',
  });
  assert.deepEqual(show, { quiet: false, timestamps: true, imageUsage: 'none', trace: 0 });
  assert.equal(arch, 'amd64');
  assert.deepEqual(elementsPath, ['/pkg/elements']);
});

test('planBuild() takes date and seed from the environment, and refuses what is no date', () => {
  assert.deepEqual(plan().identity, { seed: '' });
  const given = plan({}, { SOURCE_DATE_EPOCH: '1700000000', DIB_IMAGE_SEED: 'two' });
  assert.deepEqual(given.identity, { sourceDate: 1_700_000_000, seed: 'two' });
  assert.throws(
    () => plan({}, { SOURCE_DATE_EPOCH: 'today' }),
    /SOURCE_DATE_EPOCH must be seconds/,
  );
});

test('planBuild() refuses to work where no PATH can lead', () => {
  assert.throws(() => plan({}, { TMPDIR: '/a:b' }), /TMPDIR must have no colon.*'\/a:b'/);
});

const CASES: readonly {
  readonly claim: string;
  readonly options?: OptionValues;
  readonly environment?: Record<string, string>;
  readonly see: (plan: BuildPlan) => unknown;
  readonly expected: unknown;
}[] = [
  {
    claim: 'drops one suffix with exactly one type',
    options: { types: 'raw', output: 'a.raw' },
    see: (p) => p.image.name,
    expected: 'a',
  },
  {
    claim: 'keeps the suffix with several types',
    options: { types: 'raw,tar', output: 'a.raw' },
    see: (p) => p.image.name,
    expected: 'a.raw',
  },
  {
    claim: 'keeps a name that is nothing but a suffix',
    options: { types: 'raw', output: '.raw' },
    see: (p) => p.image.name,
    expected: '.raw',
  },
  {
    claim: 'names a type once',
    options: { types: 'tar,qcow2,tar' },
    see: (p) => p.image.types,
    expected: ['tar', 'qcow2'],
  },
  {
    claim: 'splits packages at commas and blanks and forgets empty ones',
    options: { packages: ['a,b', 'c d', 'e,,f'] },
    see: (p) => p.packages,
    expected: ['a', 'b', 'c', 'd', 'e', 'f'],
  },
  {
    claim: 'lets the option win over the variable',
    options: { imageSize: '1.5' },
    environment: { DIB_IMAGE_SIZE: '9' },
    see: (p) => p.disk.imageSize,
    expected: 1.5,
  },
  {
    claim: 'honours MKFS_OPTS, which upstream forgets',
    environment: { MKFS_OPTS: '-O ^64bit' },
    see: (p) => p.disk.mkfsOptions,
    expected: '-O ^64bit',
  },
  {
    claim: 'takes TMPDIR before TMP_DIR',
    environment: { TMPDIR: '/a', TMP_DIR: '/b' },
    see: (p) => p.work.tmpDir,
    expected: '/a',
  },
  {
    claim: 'disables tmpfs for any value but 0',
    environment: { DIB_NO_TMPFS: 'false' },
    see: (p) => p.work.noTmpfs,
    expected: true,
  },
  {
    claim: 'is quiet beside a log file',
    options: { logfile: 'x.log' },
    see: (p) => p.show.quiet,
    expected: true,
  },
  {
    claim: 'is not quiet beside a log file with DIB_QUIET=0',
    options: { logfile: 'x.log' },
    environment: { DIB_QUIET: '0' },
    see: (p) => p.show.quiet,
    expected: false,
  },
  {
    claim: 'adds -x to DIB_DEBUG_TRACE',
    options: { trace: 2 },
    environment: { DIB_DEBUG_TRACE: '1' },
    see: (p) => [p.show.trace, p.environment.DIB_DEBUG_TRACE],
    expected: [3, '3'],
  },
  {
    claim: 'overwrites for OVERWRITE_OLD_IMAGE=yes, without a shell error',
    environment: { OVERWRITE_OLD_IMAGE: 'yes' },
    see: (p) => p.image.overwrite,
    expected: true,
  },
  {
    claim: 'takes DIB_CHECKSUM as a substring match',
    environment: { DIB_CHECKSUM: 'sha256' },
    see: (p) => p.image.checksums,
    expected: ['sha256'],
  },
  {
    claim: 'puts the built-in elements last',
    environment: { ELEMENTS_PATH: '/a:/b' },
    see: (p) => [p.elementsPath, p.environment.ELEMENTS_PATH],
    expected: [['/a', '/b', '/pkg/elements'], '/a:/b:/pkg/elements'],
  },
  {
    claim: 'passes the user’s variables on, but not a preset IMAGE_ELEMENT',
    environment: { MINE: '1', IMAGE_ELEMENT: 'ghost' },
    see: (p) => [p.environment.MINE, p.environment.IMAGE_ELEMENT],
    expected: ['1', undefined],
  },
  {
    claim: 'keeps options and forgets variables with -c',
    options: { clearEnvironment: true, installType: 'package' },
    environment: { MINE: '1', PATH: '/bin' },
    see: (p) => [p.environment.MINE, p.environment.PATH, p.environment.DIB_DEFAULT_INSTALLTYPE],
    expected: [undefined, '/bin', 'package'],
  },
  {
    claim: 'always sets DIB_OFFLINE',
    see: (p) => p.environment.DIB_OFFLINE,
    expected: '',
  },
  {
    claim: 'dumps DIB variables so that a shell reads them back',
    environment: { DIB_X: 'a "b" $c `d` \\' },
    see: (p) => p.environment.DIB_ENV,
    expected: 'declare -x DIB_X="a \\"b\\" \\$c \\`d\\` \\\\"',
  },
  {
    claim: 'reads break points',
    environment: { break: 'before-root, after-error', break_outside_target: '1' },
    see: (p) => p.breaks,
    expected: { points: ['before-root', 'after-error'], outsideTarget: true },
  },
];

for (const { claim, options, environment, see, expected } of CASES) {
  test(`planBuild() ${claim}`, () => {
    assert.deepEqual(see(plan(options, environment)), expected);
  });
}

function ramdiskPlan(options: OptionValues, environment: Record<string, string> = {}): BuildPlan {
  const argv = ['os'];
  const command = 'ramdisk-image-create';
  return planBuild({ command, elements: argv, argv, options, environment, host: HOST });
}

test('planBuild() for ramdisk-image-create makes no image unless the tree is asked for', () => {
  const none = ramdiskPlan({});
  assert.deepEqual(none.image.types, []);
  assert.deepEqual(none.ramdisk, { elements: ['ramdisk'], unmadeTypes: [] });
  assert.equal(none.repeat, 'ramdisk-image-create os');
  // No container either: it needs a kernel.
  assert.equal(none.environment.DIB_CONTAINER_BUILD, '0');
  assert.equal(none.environment.IS_RAMDISK, '1');
  assert.equal(plan({}, { IS_RAMDISK: '1' }).environment.IS_RAMDISK, '0');
  const some = ramdiskPlan({ types: 'qcow2,oci,raw' });
  assert.deepEqual(some.image.types, ['oci']);
  assert.deepEqual(some.ramdisk?.unmadeTypes, ['qcow2', 'raw']);
  assert.equal(some.environment.DIB_CONTAINER_BUILD, '0');
});

test('planBuild() takes the RAM disk’s elements from the option, else from the variable', () => {
  const variable = { RAMDISK_ELEMENT: 'dracut-ramdisk  more' };
  assert.deepEqual(ramdiskPlan({}, variable).ramdisk?.elements, ['dracut-ramdisk', 'more']);
  const given = ramdiskPlan({ ramdiskElement: 'mine' }, variable);
  assert.deepEqual(given.ramdisk?.elements, ['mine']);
  assert.equal(given.environment.RAMDISK_ELEMENT, 'mine');
  assert.equal(given.repeat, "RAMDISK_ELEMENT='dracut-ramdisk  more' ramdisk-image-create os");
});

test('planBuild() tells all problems at once', () => {
  const wrong = (): BuildPlan =>
    plan({ types: 'qcow2,bogus', imageSize: 'big' }, { DIB_JOURNAL_SIZE: '-1' });
  assert.throws(wrong, (error: unknown) => {
    assert.ok(error instanceof Failed);
    assert.equal(error.failure.kind, 'usage');
    for (const part of ["'bogus'", 'qcow2, vmdk', 'DIB_IMAGE_SIZE', "'big'", 'DIB_JOURNAL_SIZE']) {
      assert.ok(error.message.includes(part), `${part} in: ${error.message}`);
    }
    return true;
  });
});

test('planBuild() asks for an element', () => {
  assert.throws(
    () => planBuild({ elements: [], argv: [], options: {}, environment: {}, host: HOST }),
    /At least one distribution root element must be specified/,
  );
});
