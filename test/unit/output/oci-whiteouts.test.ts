import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Header, type HeaderData, Parser } from 'tar';
import { WhiteoutConversion } from '../../../src/output/oci-whiteouts.ts';
import {
  paddedBytes,
  readBlock,
  readRecords,
  renderEmptyFile,
  renderRecords,
} from '../../../src/output/tar-records.ts';

interface Entry extends HeaderData {
  readonly content?: string;
  readonly records?: Readonly<Record<string, string>>;
}

function block(data: HeaderData): Buffer {
  const bytes = Buffer.alloc(512);
  const common = { mode: 0o644, uid: 0, gid: 0, size: 0, mtime: new Date(1_700_000_000_000) };
  new Header({ ...common, ...data }).encode(bytes, 0);
  return bytes;
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(paddedBytes(bytes.length) - bytes.length)]);
}

/** An archive as GNU tar would write it. */
function archive(entries: readonly Entry[]): Buffer {
  const pieces = entries.flatMap(({ content = '', records, ...data }) => {
    const bytes = Buffer.from(content);
    const list = Object.entries(records ?? {}).map(([key, value]) => ({ key, value }));
    const extended =
      list.length === 0
        ? []
        : [renderRecords(list, block({ path: 'PaxHeaders/x', type: 'ExtendedHeader' }))];
    return [...extended, block({ type: 'File', ...data, size: bytes.length }), padded(bytes)];
  });
  return Buffer.concat([...pieces, Buffer.alloc(1024)]);
}

function convert(input: Buffer, pieceBytes = input.length): Buffer {
  const conversion = new WhiteoutConversion();
  const out: Buffer[] = [];
  for (let at = 0; at < input.length; at += pieceBytes) {
    out.push(...conversion.push(input.subarray(at, at + pieceBytes)));
  }
  return Buffer.concat([...out, conversion.end()]);
}

/** What another reader sees in an archive: `TYPE NAME CONTENT`. */
async function read(bytes: Buffer): Promise<readonly string[]> {
  const seen: string[] = [];
  const parser = new Parser({
    strict: true,
    onReadEntry: (entry) => {
      const line = `${entry.type} ${entry.path}`;
      const index = seen.push(line) - 1;
      entry.on('data', (chunk: Buffer) => {
        seen[index] += ` ${chunk.toString()}`;
      });
    },
  });
  const ended = new Promise((resolve, reject) => parser.on('end', resolve).on('error', reject));
  parser.end(bytes);
  await ended;
  return seen;
}

const LONG = `./${'d'.repeat(60)}/${'e'.repeat(60)}/`;

/** A layer with every kind of entry that an overlay's upper directory can have. */
const LAYER = archive([
  { path: './', type: 'Directory' },
  { path: './gone', type: 'CharacterDevice', devmaj: 0, devmin: 0 },
  { path: './gone-too', type: 'Link', linkpath: './gone' },
  { path: './kept', content: 'text' },
  { path: './kept-link', type: 'Link', linkpath: './kept' },
  { path: './null', type: 'CharacterDevice', devmaj: 1, devmin: 3 },
  {
    path: './opaque/',
    type: 'Directory',
    records: {
      'SCHILY.xattr.trusted.overlay.opaque': 'y',
      'SCHILY.xattr.security.selinux': 'a label',
    },
  },
  { path: './opaque/new', content: 'x'.repeat(700) },
  {
    path: './impure/',
    type: 'Directory',
    records: { 'SCHILY.xattr.trusted.overlay.impure': 'y' },
  },
  { path: 'short', type: 'CharacterDevice', records: { path: `${LONG}gone` } },
  {
    path: 'short',
    type: 'Directory',
    records: { path: LONG, 'SCHILY.xattr.user.overlay.opaque': 'y' },
  },
]);

test('WhiteoutConversion writes what images say for what an overlay says', async () => {
  assert.deepEqual(await read(convert(LAYER)), [
    'Directory ./',
    'File ./.wh.gone',
    'File ./.wh.gone-too',
    'File ./kept text',
    'Link ./kept-link',
    'CharacterDevice ./null',
    'Directory ./opaque/',
    'File ./opaque/.wh..wh..opq',
    `File ./opaque/new ${'x'.repeat(700)}`,
    'Directory ./impure/',
    `File ${LONG}.wh.gone`,
    `Directory ${LONG}`,
    `File ${LONG}.wh..wh..opq`,
  ]);
});

test('WhiteoutConversion drops the attributes of the overlay and keeps the others', () => {
  const text = convert(LAYER).toString('latin1');
  assert.doesNotMatch(text, /overlay\./);
  assert.match(text, /\d+ SCHILY\.xattr\.security\.selinux=a label\n/);
});

test('WhiteoutConversion does not care how the bytes are cut into pieces', () => {
  const whole = convert(LAYER);
  for (const pieceBytes of [1, 7, 511, 512, 513, 1000]) {
    assert.ok(convert(LAYER, pieceBytes).equals(whole), `pieces of ${pieceBytes} bytes`);
  }
});

test('WhiteoutConversion writes the same end whatever of the overlay was in the archive', () => {
  const [marked, plain] = [{ 'SCHILY.xattr.trusted.overlay.origin': 'x' }, {}].map((records) => {
    const bytes = archive([{ path: './file', content: 'y'.repeat(8192), records }]);
    // GNU tar writes whole records of twenty blocks.
    const record = Buffer.alloc(10_240 - (bytes.length % 10_240));
    return convert(Buffer.concat([bytes, record]));
  });
  assert.deepEqual(marked, plain);
});

test('WhiteoutConversion leaves an archive without an overlay in it byte by byte as it is', () => {
  const plain = archive([
    { path: './', type: 'Directory' },
    { path: './file', content: 'y'.repeat(5000) },
    {
      path: 'x',
      content: 'z',
      records: { path: `./${'n'.repeat(300)}`, 'SCHILY.xattr.user.a': 'é' },
    },
    { path: './b', type: 'SymbolicLink', linkpath: 'file' },
  ]);
  assert.ok(convert(plain).equals(plain));
});

test('WhiteoutConversion refuses half an archive, and files whose content is in another layer', () => {
  const half = LAYER.subarray(0, LAYER.length - 1024 - 512);
  assert.throws(() => convert(Buffer.concat([half, Buffer.alloc(100)])), /ended too early/);
  const records = { 'SCHILY.xattr.trusted.overlay.metacopy': '' };
  assert.throws(() => convert(archive([{ path: './file', records }])), /metacopy/);
});

test('readRecords() gives back what renderRecords() wrote, bytes that are no text included', () => {
  const records = [
    { key: 'path', value: 'a b=c\n' },
    { key: 'SCHILY.xattr.user.bytes', value: '\0\x01\xff\n=' },
    // One digit more in the length makes the record longer by one.
    ...[90, 91, 92, 93, 94, 95, 990, 991].map((length) => ({
      key: 'k',
      value: 'v'.repeat(length),
    })),
  ];
  const written = renderRecords(records, block({ path: 'x', type: 'ExtendedHeader' }));
  const { sizeBytes } = readBlock(written);
  assert.equal(written.length, 512 + paddedBytes(sizeBytes));
  assert.deepEqual(readRecords(written.subarray(512, 512 + sizeBytes)), records);
});

test('renderEmptyFile() makes a header that is right to the last sum', () => {
  const like = block({
    path: './a',
    type: 'CharacterDevice',
    uid: 7,
    gid: 8,
    devmaj: 1,
    devmin: 3,
  });
  const header = new Header(renderEmptyFile('./.wh.a', like), 0);
  assert.equal(header.cksumValid, true);
  const { path, type, size, uid, gid, mode } = header;
  assert.deepEqual(
    { path, type, size, uid, gid, mode },
    { path: './.wh.a', type: 'File', size: 0, uid: 7, gid: 8, mode: 0 },
  );
});
