// The second verifier of evidence, over all that make.mjs makes. What two verifiers must agree on stands there; here is that this one does say it.
// Needs what tests/run --build installs; no gateway, and no root.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Chance, cases, flips } from './make.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const RUN = path.join(HERE, 'run');
const all = [...cases()];

let folder, judge;

before(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sekisho-evidence-'));
  const built = path.join(folder, 'verify.mjs');
  execFileSync(path.join(HERE, '../e2e/node_modules/.bin/esbuild'), [path.join(HERE, 'verify.ts'), '--format=esm', '--target=node18', '--log-level=warning', `--outfile=${built}`]);
  ({ judge } = await import(pathToFileURL(built)));
});
after(() => fs.rmSync(folder, { recursive: true, force: true }));

// The command line of a case, whose files are there until the next one's.
function argumentsOf({ key, archive, checkpoints }) {
  const write = (name, content) => {
    const file = path.join(folder, name);
    fs.writeFileSync(file, content);
    return file;
  };
  return [key, write('evidence.tar', archive), ...checkpoints.map((note, i) => write(`checkpoint-${i}`, note))];
}

// A line of JSON, with numbers as they stand in it: some are no doubles.
const parse = (line) => JSON.parse(line.replace(/("(?:[^"\\]|\\.)*")|(\d+)/g, (_, string, digits) => string ?? `"${digits}"`));

// What the case expects, of what was said.
function assertSaid({ name, expected }, { status, said }) {
  assert.equal(status, expected.good ? 0 : 1, `${name}: ${said}`);
  const found = parse(said);
  assert.deepEqual(Object.keys(found), expected.good ? ['good', 'first', 'end', 'size', 'tenant', 'time', 'records', 'open', 'closed_before', 'pruned'] : ['good', 'step', 'what', 'seq'], name);
  for (const [field, value] of Object.entries(expected)) {
    assert.equal(found[field], ['boolean', 'string'].includes(typeof value) || value === null ? value : String(value), `${name}: ${field} in ${said}`);
  }
}

describe('the second verifier', () => {
  for (const group of new Set(all.map((one) => one.group))) {
    const own = all.filter((one) => one.group === group);
    test(`says of ${group} what is to be said: ${own.length}`, () => {
      const failures = own.flatMap((one) => {
        try {
          assertSaid(one, judge(argumentsOf(one)));
          return [];
        } catch (error) {
          return [error.message.split('\n')[0]];
        }
      });
      assert.deepEqual(failures, []);
    });
  }

  test('each case has a name of its own, and each step its cases', () => {
    assert.equal(new Set(all.map(({ group, name }) => `${group}: ${name}`)).size, all.length);
    assert.deepEqual([...new Set(all.map(({ expected }) => expected.step ?? 0))].sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test('each bit of an archive counts', () => {
    for (const one of flips()) {
      assertSaid(one, judge(argumentsOf(one)));
    }
  });

  test('bytes of any kind are refused, and soon', () => {
    const chance = new Chance('any');
    const archives = all.filter(({ group }) => group === 'forms').map(({ archive }) => archive);
    for (let i = 0; i < 500; i++) {
      const [one, other] = [chance.of(archives), chance.of(archives)];
      const [from, to, at] = [chance.below(one.length), chance.below(one.length), chance.below(other.length)];
      const archive = Buffer.concat([one.subarray(0, from), chance.of([Buffer.alloc(0), chance.bytes(chance.below(600))]), other.subarray(at, at + chance.below(2048)), one.subarray(to)]);
      const start = process.hrtime.bigint();
      const { status, said } = judge(argumentsOf({ ...all[0], archive }));
      assert.ok(process.hrtime.bigint() - start < 10_000_000_000n);
      assert.ok(status === 1 || archives.some((right) => right.subarray(0, 12000).equals(archive.subarray(0, 12000))), said);
      parse(said);
    }
  });

  test('a record of 512 MiB is read in pieces', () => {
    const { archive, ...one } = all.find(({ name }) => name === 'small: no records');
    const [key, file] = argumentsOf({ ...one, archive });
    const at = archive.length - 1024 - 512;
    const size = 2 ** 29 + 5;
    const header = Buffer.from(archive.subarray(at, at + 512));
    header.write(size.toString(8).padStart(11, '0'), 124, 'latin1');
    header.fill(' ', 148, 156);
    header.write(`${header.reduce((total, byte) => total + byte, 0).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    // A text of zeros, which take no room on the disk.
    const descriptor = fs.openSync(file, 'r+');
    fs.writeSync(descriptor, Buffer.concat([header, Buffer.from('7a20000000', 'hex')]), 0, 517, at);
    fs.ftruncateSync(descriptor, at + 512 + Math.ceil(size / 512) * 512 + 1024);
    fs.closeSync(descriptor);
    const held = process.memoryUsage().rss;
    const { status, said } = judge([key, file]);
    assert.ok(process.memoryUsage().rss - held < 1 << 27);
    assertSaid({ name: 'one record for all', expected: { good: false, step: 4, seq: null } }, { status, said });
    assert.match(said, /fewer/);
  });

  describe('as a program', () => {
    const run = (...args) => spawnSync(RUN, args, { encoding: 'utf8' });

    test('says one line, and its status tells whether all is good', () => {
      for (const step of [undefined, 1, 2, 3, 4, 5, 6, 7]) {
        for (const one of all.filter(({ expected }) => expected.step === step).slice(-2)) {
          const { status, stdout, stderr } = run(...argumentsOf(one));
          assert.equal(stderr, '');
          assert.match(stdout, /^[^\n]+\n$/);
          assertSaid(one, { status, said: stdout });
        }
      }
    });

    test('wrong usage is told, and judges nothing', () => {
      const right = all.find(({ checkpoints, expected }) => expected.good && checkpoints.length > 0);
      const [key, archive, checkpoint] = argumentsOf(right);
      for (const args of [[], [key], [key, '/nowhere'], [key, folder], [key, '/dev/zero'], [key, archive, '/nowhere'], [key, archive, checkpoint, folder], ['', archive], [archive, key],
        [key.slice(0, -1), archive], [`${key} `, archive], [key.toUpperCase(), archive], [key.replace(/\+[0-9a-f]{8}\+/, '+00000000+'), archive], [key.replace('sekisho/', 'other/'), archive]]) {
        const { status, stdout, stderr } = run(...args);
        assert.equal(status, 2, args.join(' '));
        assert.equal(stdout, '');
        assert.match(stderr, /^verify: [^\n]+\n$/);
      }
    });
  });
});
