import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Journal } from '../../../src/migration/journal.ts';
import {
  type Intent,
  parseJournal,
  type Result,
  renderResult,
  SLOT_BYTES,
} from '../../../src/migration/journal-slots.ts';

const intent = (name: string, architecture = 'x86_64'): Intent => ({
  system: 'centos_9-stream',
  architecture,
  line: `http://m.test/${name}-1-1.src.rpm ${name} 1`,
  pending: `1-${name}-1`,
});

const SUBMITTED: Result = {
  outcome: 'submitted',
  failedRuns: 0,
  jobs: ['z9.1'],
  resultRoots: ['/srv/result/z9.1'],
  reason: 'z9.1',
};

async function inFile(work: (file: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'journal-'));
  try {
    await work(path.join(dir, 'journal'));
  } finally {
    await rm(dir, { recursive: true });
  }
}

function outcomes(journal: Journal): readonly string[] {
  return journal.all().map(({ intent: { pending }, result }) => `${pending} ${result?.outcome}`);
}

test('what is intended at one time has a place of its own, and results find theirs', async () => {
  await inFile(async (file) => {
    const names = Array.from({ length: 20 }, (_, index) => `p${index}`);
    {
      await using journal = await Journal.open(file, { readOnly: false });
      await Promise.all(
        names.map(async (name, index) => {
          const conclude = await journal.intend(intent(name));
          if (index % 2 === 0) {
            await conclude(SUBMITTED);
          }
        }),
      );
    }
    await using again = await Journal.open(file, { readOnly: true });
    assert.deepEqual(
      [...outcomes(again)].sort(),
      names.map((name, i) => `1-${name}-1 ${i % 2 === 0 ? 'submitted' : 'undefined'}`).sort(),
    );
  });
});

test('a result takes no room that the disk had not given before', async () => {
  await inFile(async (file) => {
    await using journal = await Journal.open(file, { readOnly: false });
    const conclude = await journal.intend(intent('p'));
    assert.equal((await readFile(file)).length, SLOT_BYTES);
    await conclude({ ...SUBMITTED, reason: 'x'.repeat(5000), jobs: Array(500).fill('z9.1') });
    assert.equal((await readFile(file)).length, SLOT_BYTES);
    assert.deepEqual(parseJournal(await readFile(file))[0]?.result?.jobs[0], 'z9.1');
  });
});

test('a journal that ends in the middle of a slot keeps the others, and goes on', async () => {
  await inFile(async (file) => {
    {
      await using journal = await Journal.open(file, { readOnly: false });
      await (await journal.intend(intent('one')))(SUBMITTED);
      await journal.intend(intent('two'));
    }
    for (const length of [SLOT_BYTES + 10, SLOT_BYTES + 1024, SLOT_BYTES + 1500]) {
      const whole = await readFile(file);
      await truncate(file, length);
      {
        await using journal = await Journal.open(file, { readOnly: false });
        const two = length < SLOT_BYTES + 1024 ? [] : ['1-two-1 undefined'];
        assert.deepEqual(outcomes(journal), ['1-one-1 submitted', ...two]);
        await (await journal.intend(intent('three')))(SUBMITTED);
      }
      await using after = await Journal.open(file, { readOnly: true });
      assert.ok(outcomes(after).includes('1-three-1 submitted'));
      await writeFile(file, whole);
    }
  });
});

test('a result that is torn is none, so that the submission is in doubt', async () => {
  await inFile(async (file) => {
    await using journal = await Journal.open(file, { readOnly: false });
    await (await journal.intend(intent('one')))(SUBMITTED);
    const content = await readFile(file);
    content.fill(0, 1024 + 20, SLOT_BYTES);
    assert.equal(parseJournal(content)[0]?.result, undefined);
    assert.equal(parseJournal(content)[0]?.intent.pending, '1-one-1');
  });
});

test('compacting keeps what is wanted, and only that', async () => {
  await inFile(async (file) => {
    await using journal = await Journal.open(file, { readOnly: false });
    for (const name of ['one', 'two']) {
      await (await journal.intend(intent(name)))({ ...SUBMITTED, outcome: 'failed' });
      await (await journal.intend(intent(name)))(SUBMITTED);
    }
    await journal.compact((known) => known.intent.pending === '1-two-1');
    assert.equal((await readFile(file)).length, SLOT_BYTES);
    await (await journal.intend(intent('three')))(SUBMITTED);
    await using again = await Journal.open(file, { readOnly: true });
    assert.deepEqual(outcomes(again), ['1-two-1 submitted', '1-three-1 submitted']);
  });
});

test('a result of the greatest length fits', () => {
  const bytes = renderResult({
    outcome: 'failed',
    failedRuns: 10_000,
    jobs: [],
    resultRoots: [],
    reason: '\u00e9"\\'.repeat(300),
  });
  assert.equal(bytes.length, 1024);
  assert.equal(typeof JSON.parse(bytes.toString()).reason, 'string');
});
