import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ExtractionFacts, judgeExtraction } from '../../../src/cache/extract-outcome.ts';

const GOOD: ExtractionFacts = {
  archive: 'a.tgz',
  root: '/root',
  feed: ['xz', '-dc'],
  write: ['tar', '--extract'],
  feeder: 0,
  writer: 0,
  printed: ['block 22: ** Block of NULs **'],
  said: [],
  makesDevices: true,
};

test('judgeExtraction() has nothing to say about an archive that ended with its mark', () => {
  assert.equal(judgeExtraction(GOOD), undefined);
});

test('judgeExtraction() forgives missing device nodes where none can be made, and nothing else', () => {
  const tar = [
    '/tool: ./dev/sda: Cannot mknod: Operation not permitted',
    '/tool: Exiting with failure status due to previous errors',
  ];
  const squashfs = [
    '',
    'create_inode: failed to create block device /target/dev/sda, because Operation not permitted',
  ];
  const here = { ...GOOD, writer: 2, makesDevices: false };
  assert.equal(judgeExtraction({ ...here, said: tar }), undefined);
  assert.equal(judgeExtraction({ ...here, said: squashfs, write: ['unsquashfs'] }), undefined);
  const refused = [
    { ...here, said: tar, makesDevices: true },
    { ...here, said: ['/tool: a: Cannot open: Permission denied', ...tar] },
    { ...here, said: tar, printed: [] },
    { ...here, said: [] },
    { ...here, said: tar, writer: 1 },
  ];
  for (const facts of refused) {
    assert.notEqual(judgeExtraction(facts), undefined, JSON.stringify(facts));
  }
});

const CASES: readonly {
  name: string;
  facts: Partial<ExtractionFacts>;
  kind: string;
  says: RegExp;
}[] = [
  {
    name: 'no end mark',
    facts: { printed: ['block 22: ** End of File **'] },
    kind: 'verify',
    says: /no end mark/,
  },
  {
    name: 'a decompressor that failed',
    facts: { feeder: 1, writer: 2, said: ['xz: (stdin): Compressed data is corrupt'] },
    kind: 'verify',
    says: /xz failed with status 1 \(\(stdin\): Compressed/,
  },
  ...(
    [
      { code: 'Z_BUF_ERROR', message: 'unexpected end of file', says: /: it was cut off$/ },
      { code: 'Z_DATA_ERROR', message: 'bad check', says: /: it is damaged: bad check$/ },
      { code: 'EIO', message: 'EIO: i/o error', says: /: it cannot be read: EIO: i\/o error$/ },
    ] as const
  ).map(({ code, message, says }) => ({
    name: `what zlib or the disk says (${code})`,
    facts: {
      feed: [],
      inputError: Object.assign(new Error(message), { code }),
      writer: 2,
      said: ['/tool: Unexpected EOF in archive'],
    },
    kind: 'verify',
    says,
  })),
  {
    name: 'a member that climbs out',
    facts: { feeder: 141, writer: 2, said: ["/tool: block 4: ../x: Member name contains '..'"] },
    kind: 'verify',
    says: /contains '\.\.'/,
  },
  {
    name: 'a full disk, whoever failed first',
    facts: { feeder: 141, writer: 2, said: ['/tool: x: Wrote only 512 of 10240 bytes'] },
    kind: 'disk-full',
    says: /No space left/,
  },
  {
    name: 'a writer that failed for reasons of its own',
    facts: { feeder: 141, writer: 2, said: ['/tool: x: Cannot mknod: Operation not permitted'] },
    kind: 'tool',
    says: /tar failed with status 2/,
  },
  {
    name: 'a cell that could not be made',
    facts: { feeder: undefined, writer: undefined, said: ['cannot mount a tmpfs'] },
    kind: 'host',
    says: /cannot mount a tmpfs/,
  },
];

for (const { name, facts, kind, says } of CASES) {
  test(`judgeExtraction() reports ${name} as ${kind}`, () => {
    const failure = judgeExtraction({ ...GOOD, ...facts });
    assert.equal(failure?.kind, kind);
    assert.match(failure?.message ?? '', says);
  });
}
