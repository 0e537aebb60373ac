import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readsHome } from '../../../src/layers/home.ts';

const ROWS: readonly (readonly [text: string, expected: boolean])[] = [
  ['cp "$HOME/x" y', true],
  ['cp ~/x y', true],
  ['KEYS=~/.ssh/keys', true],
  ['ls ~', true],
  ['(cd ~ && ls)', true],
  ["open('~/x')", true],
  ['cd\nls', true],
  ['(cd; ls)', true],
  ['cd && ls', true],
  ['os.path.expanduser(x)', true],
  ['os.homedir()', true],
  ['#!/usr/bin/env python3\nimport os', true],
  ['git clone "$url"', true],
  ['x=$(curl -s "$url")', true],
  ['/usr/bin/ssh host', true],
  ['env wget x', true],
  ['pip install x', true],
  ['go build ./...', true],
  ['cd /tmp', false],
  ['cd "$dir" || exit', false],
  ['[[ $x =~ ^a ]]', false],
  ["awk '$3 ~ /x/ { print }'", false],
  ['cp -r /usr/share/keyrings/debian.gpg /etc/apt/trusted.gpg.d', false],
  ['install_base sudo python3 python3-pip gnupg2', false],
  ['# go on as if nothing was', false],
  ['legit digits', false],
];
for (const [text, expected] of ROWS) {
  test(`readsHome() is ${expected} for ${JSON.stringify(text)}`, () => {
    assert.equal(readsHome(text), expected);
  });
}
