// Two verifiers of evidence, one in C and one from the format document alone, agree on every archive: whole ones, and such as somebody changed.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { cases } from '../evidence/make.mjs';
import { BUILD } from './lib/gateway.mjs';

const VERIFY = path.join(BUILD, 'gateway/tools/sekisho-verify');
let folder;

before(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sekisho-verifiers-'));
});
after(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

function judged({ key, archive, checkpoints }) {
  const file = path.join(folder, 'evidence.tar');
  fs.writeFileSync(file, archive);
  const others = checkpoints.flatMap((note, i) => {
    const name = path.join(folder, `checkpoint-${i}`);
    fs.writeFileSync(name, note);
    return ['--checkpoint', name];
  });
  const { status, stdout, stderr } = spawnSync(VERIFY, ['--json', '--key', key, ...others, file], { encoding: 'utf8' });
  return { status, ...JSON.parse(stdout || '{}'), stderr };
}

test('sekisho-verify says of each what the format document says', () => {
  const wrong = [];
  let count = 0, readings = 0;
  for (const one of cases()) {
    const got = judged(one);
    const { good } = one.expected;
    count++;
    readings += one.reading ? 1 : 0;
    // Where the document leaves a choice, both say no, each at its own step; what does not begin as evidence is to sekisho-verify a journal, which has no steps, and other checkpoints are read before.
    const same = Boolean(got.good) === good && (good || Boolean(one.reading) || got.step === one.expected.step || (one.expected.step <= 2 && got.intact === false));
    if (!same || (got.status === 0) !== Boolean(got.good)) {
      wrong.push(`${one.group}: ${one.name}: ${JSON.stringify(one.expected, (_, v) => (typeof v === 'bigint' ? String(v) : v))} and ${JSON.stringify(got)}`);
    }
  }
  assert.ok(count > 2000 && readings < 200, `${count} cases, ${readings} of them a matter of reading`);
  assert.deepEqual(wrong.slice(0, 40), [], `${wrong.length} of ${count}`);
});
