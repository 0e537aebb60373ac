import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type ImageContent,
  type ImagesToBe,
  imageRoom,
  isGuess,
  type Judgement,
  mayNeedTwice,
} from '../../../src/output/image-room.ts';

const CONTENT: ImageContent = { archiveBytes: 1000, diskBytes: [2000], share: 0.5 };

const ROWS: readonly (readonly [
  what: string,
  image: Partial<ImagesToBe>,
  content: Partial<ImageContent>,
  bytes: readonly [least: number, expected: number, most: number],
])[] = [
  ['an archive is as long as it is', { types: ['tar'] }, {}, [1000, 1000, 1020]],
  ['the raw disk is there already', { types: ['raw'] }, {}, [0, 0, 0]],
  ['of a disk some blocks may hold nothing', { types: ['vmdk'] }, {}, [1800, 2000, 2040]],
  ['what is compressed is guessed, and may be half', { types: ['tgz'] }, {}, [250, 500, 1020]],
  ['xz does better than deflate', { types: ['tar.xz'] }, {}, [162.5, 325, 1020]],
  [
    'a qcow2 may be there twice while it is put in order',
    { types: ['qcow2'] },
    {},
    [460, 1840, 4080],
  ],
  [
    'with options of its own it is written in order',
    { types: ['qcow2'], qemuImgOptions: 'compat=0.10' },
    {},
    [460, 920, 2040],
  ],
  [
    'one that is not compressed is not',
    { types: ['qcow2'], compress: false },
    {},
    [1800, 2000, 2040],
  ],
  ['options may compress', { types: ['vmdk'], qemuImgOptions: 'a=b' }, {}, [460, 920, 2040]],
  [
    'what is complete stays while the qcow2 is put in order, what comes later takes its room',
    { types: ['raw.zst', 'qcow2', 'tar'] },
    {},
    [1920, 2840, 5100],
  ],
  [
    'what comes later may need more',
    { types: ['qcow2', 'vmdk'] },
    { share: 0.1 },
    [1892, 2184, 4080],
  ],
  [
    'each further disk becomes images, the tree does not',
    { types: ['tar', 'vmdk'] },
    { diskBytes: [2000, 100, 10] },
    [2899, 3110, 3172.2],
  ],
  ['layers are as their format has them', { types: ['docker', 'oci'] }, {}, [1250, 1500, 2040]],
  [
    'or as somebody wants them',
    { types: ['docker', 'oci'], compression: 'none' },
    {},
    [2000, 2000, 2040],
  ],
  ['a tree without a disk', { types: ['tar'] }, { diskBytes: [] }, [1000, 1000, 1020]],
];

for (const [what, image, content, bytes] of ROWS) {
  test(`room for images: ${what}`, () => {
    const whole: ImagesToBe = { types: [], compress: true, ...image };
    const room = (as: Judgement): number =>
      Math.round(imageRoom(whole, { ...CONTENT, ...content }, as) * 10) / 10;
    assert.deepEqual([room('least'), room('expected'), room('most')], bytes);
  });
}

test('what is guessed and what is there twice are said of the formats that are', () => {
  const said = (types: readonly string[], compress: boolean): readonly boolean[] => {
    const image = { types, compress };
    return [isGuess(image), mayNeedTwice(image)];
  };
  assert.deepEqual(said(['qcow2', 'tar'], true), [true, true]);
  assert.deepEqual(said(['qcow2', 'tar'], false), [false, false]);
  assert.deepEqual(said(['tar', 'raw.xz'], false), [true, false]);
});
