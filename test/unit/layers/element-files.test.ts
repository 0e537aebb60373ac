import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countedElementFiles, goesInto } from '../../../src/layers/element-files.ts';

const GOING = '#!/bin/bash\neval declare -A e=($(get_image_element_array))\n';

const ROWS: readonly (readonly [string, boolean])[] = [
  [`${GOING}cp "\${e[x]}/bin/tool" /`, true],
  [`${GOING}cp $dir/bin/* /`, true],
  [`${GOING}cp "$dir"/bin/* /`, true],
  [`${GOING}cp "\${dir}"/"bin" /`, true],
  ["path.join(all.IMAGE_ELEMENT_YAML, 'bin', name)", true],
  [`${GOING}cp /bin/tool /`, false],
  [`${GOING}cp "$dir/binary/tool" /`, false],
  ['cp "$TMP_HOOKS_PATH/bin/tool" /', false],
  [GOING, false],
];
for (const [text, expected] of ROWS) {
  test(`goesInto() is ${expected} for ${JSON.stringify(text.slice(-40))}`, () => {
    assert.equal(goesInto(text, 'bin'), expected);
  });
}

test('countedElementFiles() has what lies directly in elements, and in folders that are gone into', () => {
  const files = { 'e/pkg-map': '1', 'e/static/a/b': '2', 'e/bin/tool': '3' };
  assert.deepEqual(countedElementFiles(files, ['echo "$dir/static"']), {});
  assert.deepEqual(countedElementFiles(files, [GOING]), { 'e/pkg-map': '1' });
  assert.deepEqual(countedElementFiles(files, [`${GOING}ls "$dir/static"`]), {
    'e/pkg-map': '1',
    'e/static/a/b': '2',
  });
});
