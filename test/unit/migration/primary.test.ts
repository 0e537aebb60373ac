/** The scanner beside a real SAX parser: on good input, on every cut, on thousands of damaged inputs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SaxesParser } from 'saxes';
import { type ListedPackage, packageLine } from '../../../src/migration/package-list.ts';
import { type PrimaryList, PrimaryReader } from '../../../src/migration/primary.ts';
import { packageXml, primaryXml } from '../../rig/primary-xml.ts';

const ROOT = 'http://mirror.test/source';

function read(content: Buffer, chunkBytes = content.length): PrimaryList {
  const reader = new PrimaryReader(ROOT);
  for (let at = 0; at < content.length; at += chunkBytes) {
    reader.write(content.subarray(at, at + chunkBytes));
  }
  return reader.end();
}

type Fields = Partial<Record<'name' | 'arch' | 'version' | 'href' | 'base', string>>;

/** The fields that a tag brings, as saxes has its attributes. */
function fieldsOf(tag: string, attributes: Readonly<Record<string, string>>): Fields {
  const { ver, href, 'xml:base': base } = attributes;
  const found =
    tag === 'version' ? { version: ver } : tag === 'location' ? { href, base } : undefined;
  const entries = Object.entries(found ?? {}).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Fields;
}

function lineOf({ name, arch, version, href, base }: Fields): string {
  const isSource = arch === 'src' || arch === 'nosrc';
  if (!isSource || name === undefined || version === undefined || href === undefined) {
    return '';
  }
  const made = packageLine({ name, version, href, base } as ListedPackage, ROOT);
  return 'line' in made ? `${made.line}\n` : '';
}

/** The same list by a parser that somebody else wrote. @throws what saxes throws. */
function readBySaxes(content: Buffer): string {
  const parser = new SaxesParser();
  const open: string[] = [];
  const lines: string[] = [];
  let fields: Fields = {};
  let text = '';
  const isField = (): boolean => open.length === 3 && open[1] === 'package';
  parser.on('opentag', ({ name, attributes }) => {
    open.push(name);
    assert.equal(open[0], 'metadata');
    if (open.length === 2) {
      fields = {};
    }
    if (isField()) {
      text = '';
      fields = { ...fieldsOf(name, attributes), ...fields };
    }
  });
  const addText = (more: string): void => {
    text += more;
  };
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.on('closetag', ({ name }) => {
    if (isField() && (name === 'name' || name === 'arch')) {
      fields[name] ??= text.trim();
    }
    if (open.length === 2 && name === 'package') {
      lines.push(lineOf(fields));
    }
    open.pop();
  });
  parser.write(content.toString('utf8'));
  parser.close();
  return lines.join('');
}

const PACKAGES = [
  { name: 'foo', version: '1.2' },
  { name: 'c++', version: 'v2.0~rc1^git' },
  { name: 'foo-bin', version: '1.2', arch: 'x86_64' },
  { name: 'kernel', version: '6.1', arch: 'nosrc' },
];
const SMALL = primaryXml(PACKAGES);

function inPackage(inner: string, attributes = ''): string {
  return `<metadata packages="1"><package type="rpm"${attributes}>${inner}</package></metadata>`;
}

const GOOD_INNER =
  '<name>foo</name><arch>src</arch><version ver="1"/><location href="foo-1-1.src.rpm"/>';
const FOO = `${ROOT}/foo-1-1.src.rpm foo 1\n`;

const SHAPES: readonly (readonly [what: string, xml: string, list: string])[] = [
  ['one line', inPackage(GOOD_INNER), FOO],
  [
    'other orders, single quotes, blanks in tags',
    inPackage(
      "<location xml:lang = 'a>b'\n href\t=\n'foo-1-1.src.rpm' /><version rel='1' ver='1' ></version><arch >src</arch\n><name>foo</name>",
    ),
    FOO,
  ],
  [
    'entities and character references',
    inPackage(
      '<name>f&#111;&#x6F;</name><arch>src</arch><version ver="&#49;"/><location href="foo&#45;1-1.src.rpm"/>',
    ),
    FOO,
  ],
  [
    'CDATA and comments, with tags in them',
    inPackage(
      `<!-- </package> <name>no</name> --><name><![CDATA[f]]>o<!-- x -->o</name><summary><![CDATA[</package><name>no</name>]]></summary>${GOOD_INNER.replace('<name>foo</name>', '')}`,
    ),
    FOO,
  ],
  [
    'processing instructions',
    `<?xml version="1.0"?><?a <b> ?>${inPackage(`<?c </package>?>${GOOD_INNER}`)}<?d?>\n`,
    FOO,
  ],
  ['a document type', `<!DOCTYPE metadata>\n${inPackage(GOOD_INNER)}`, FOO],
  ['a byte-order mark', `\ufeff${inPackage(GOOD_INNER)}`, FOO],
  [
    'the same names further down',
    inPackage(
      `<format><name>no</name><arch>x86_64</arch><version ver="2"/><location href="no-1-1.src.rpm"/></format>${GOOD_INNER}`,
    ),
    FOO,
  ],
  [
    'elements that are not packages',
    `<metadata><name>no</name><other>${GOOD_INNER}</other><package>${GOOD_INNER}</package></metadata>`,
    FOO,
  ],
  [
    'a base of its own',
    inPackage(GOOD_INNER.replace('<location', '<location xml:base="https://other.test/x/"')),
    'https://other.test/x/foo-1-1.src.rpm foo 1\n',
  ],
  ['an empty list', '<metadata packages="0"/>', ''],
];

for (const [what, xml, list] of SHAPES) {
  test(`PrimaryReader reads ${what}, wherever it is cut into chunks`, () => {
    const content = Buffer.from(xml);
    assert.equal(readBySaxes(content), list);
    for (const chunk of [1, 2, 3, 7, 64, content.length]) {
      assert.equal(read(content, chunk).text, list, `in chunks of ${chunk}`);
    }
  });
}

test('PrimaryReader counts what is not a source package, and what has no usable line', () => {
  const xml = primaryXml([
    ...PACKAGES,
    { name: 'evil', version: '1', href: 'Packages/$(touch x)-1-1.src.rpm' },
    { name: 'up', version: '1', href: '../../up-1-1.src.rpm' },
    { name: 'two words', version: '1' },
    { name: 'away', version: '1', href: 'https://elsewhere.test/away-1-1.src.rpm' },
    { name: 'line', version: '1', href: 'a\nb-1-1.src.rpm' },
  ]);
  const list = read(Buffer.from(xml));
  assert.equal(list.packages, 3);
  assert.equal(list.binaries, 1);
  assert.equal(list.unusable, 5);
  assert.match(list.examples[0] ?? '', /\$\(touch x\)/);
  assert.doesNotMatch(list.text, /touch|up-1|two|elsewhere/);
});

const FAULTS: readonly (readonly [what: string, xml: string, message: RegExp])[] = [
  ['nothing', '', /no elements/],
  ['a web page', '<!DOCTYPE html><html><body><br></body></html>', /<html>, not the metadata/],
  ['text', 'Not found', /ends in the middle|text outside/],
  [
    'fewer packages than it says',
    primaryXml(PACKAGES, 5),
    /says that it has 5 packages, and has 4/,
  ],
  ['tags that do not match', inPackage('<name>foo</nam>'), /<\/nam> closes <name>/],
  ['a tag that is closed twice', `${inPackage(GOOD_INNER)}</metadata>`, /closes nothing/],
  ['two roots', '<metadata/><metadata/>', /second root/],
  ['an attribute without quotes', '<metadata packages=1/>', /form name="value"/],
  ['attributes without a blank', '<metadata a="1"b="2"/>', /not well-formed/],
  ['a tag in an attribute', '<metadata a="<b>"/>', /'<' in an attribute/],
  ['an unknown entity', inPackage('<name>&nbsp;</name>'), /'&nbsp;' is no entity/],
  ['an entity that JavaScript knows', inPackage('<name>&constructor;</name>'), /no entity/],
  ['an ampersand', inPackage('<name>a & b</name>'), /'&' is no entity/],
  ['an attribute twice', inPackage('<version ver="1" ver="2"/>'), /twice/],
  ['entities of its own', '<!DOCTYPE a [<!ENTITY b "c">]><metadata/>', /rules of its own/],
  ['another encoding', '<?xml version="1.0" encoding="ISO-8859-1"?><metadata/>', /ISO-8859-1/],
  ['UTF-16', '\u00ff\u00fe<\0m\0', /not UTF-8/],
];

for (const [what, xml, message] of FAULTS) {
  test(`PrimaryReader refuses ${what}, wherever it is cut into chunks`, () => {
    const content = Buffer.from(xml, what === 'UTF-16' ? 'latin1' : 'utf8');
    for (const chunk of [1, 5, Math.max(1, content.length)]) {
      assert.throws(() => read(content, chunk), message, `in chunks of ${chunk}`);
    }
  });
}

test('PrimaryReader refuses metadata that ends early, at every byte, as a SAX parser does', () => {
  const content = Buffer.from(SMALL.trimEnd());
  for (let length = 0; length < content.length; length += 1) {
    const part = content.subarray(0, length);
    assert.throws(() => read(part), Error, `the first ${length} bytes`);
    assert.throws(() => readBySaxes(part), Error, `the first ${length} bytes`);
  }
  assert.equal(read(content).text, readBySaxes(content));
});

/** A generator whose numbers are the same on every machine. Source: Mulberry32. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const PIECES = [
  ...['<', '>', '"', "'", '&', '/', '=', ' ', '<!--', '-->', '<![CDATA[', ']]>', '<?', '?>', 'x'],
  ...['</package>', '<package>', '<name>', '&amp;', '&#65;', '</name>', '\n', '<a/>', ' a="b"'],
];

test('whatever a SAX parser accepts, the scanner lists in the same way', () => {
  const random = randomFrom(20241120);
  const base = `<metadata>${packageXml({ name: 'foo', version: '1' })}${packageXml({ name: 'bar', version: '2' })}</metadata>`;
  let accepted = 0;
  for (let round = 0; round < 4000; round += 1) {
    let xml = base;
    for (let change = 0; change <= random(3); change += 1) {
      const at = random(xml.length);
      const piece = random(3) === 0 ? '' : (PIECES[random(PIECES.length)] ?? '');
      xml = xml.slice(0, at) + piece + xml.slice(at + random(4));
    }
    const content = Buffer.from(xml);
    let expected: string | undefined;
    try {
      expected = readBySaxes(content);
    } catch {
      // Then the scanner may refuse it too, or not have looked there.
      assert.doesNotThrow(() => {
        try {
          read(content, 1 + random(50));
        } catch (error) {
          assert.ok(error instanceof Error && error.message !== '', xml);
        }
      });
      continue;
    }
    accepted += 1;
    assert.equal(read(content, 1 + random(50)).text, expected, xml);
  }
  assert.ok(accepted > 500, `only ${accepted} of the inputs were XML`);
});
