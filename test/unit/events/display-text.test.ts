import assert from 'node:assert/strict';
import { test } from 'node:test';
import stringWidth from 'string-width';
import { displayText, fitWidth } from '../../../src/events/display-text.ts';

test('displayText() leaves nothing that could move the cursor or change the terminal', () => {
  const cases = [
    ['plain', 'plain'],
    ['\u001b[31mred\u001b[0m', 'red'],
    ['\u001b]0;title\u0007after', 'after'],
    ['\u001b]8;;http://x\u001b\\link\u001b]8;;\u001b\\', 'link'],
    ['a\u001b[2Jb\u001b[Hc', 'abc'],
    ['10 %\r50 %\r100 %', '100 %'],
    ['done\r', 'done'],
    ['a\tb', 'a    b'],
    ['bell\u0007 back\b nul\0 csi\u009b31m', 'bell back nul csi'],
    ['lone escape \u001b', 'lone escape '],
    ['evil \u202egpj.exe', 'evil gpj.exe'],
    ['two\nlines', 'two lines'],
    ['', ''],
  ] as const;
  for (const [line, expected] of cases) {
    assert.equal(displayText(line), expected, JSON.stringify(line));
  }
});

test('fitWidth() never exceeds the cells and never cuts a character in two', () => {
  const how = { widthOf: stringWidth, mark: '…' };
  assert.equal(fitWidth('fits', 4, how), 'fits');
  assert.equal(fitWidth('too long', 4, how), 'too…');
  assert.equal(fitWidth('日本語日本語', 6, how), '日本…');
  assert.equal(fitWidth('👨‍👩‍👧‍👦👨‍👩‍👧‍👦👨‍👩‍👧‍👦', 3, how), '👨‍👩‍👧‍👦…');
  assert.equal(fitWidth('anything', 0, how), '');
  assert.equal(stringWidth(fitWidth('x'.repeat(1_000_000), 20, how)), 20);
});
