// Evidence: a range of records that proves itself to who has nothing but the gateway's public key. As an auditor would: export it, take it elsewhere, verify
// it, change something, verify it again.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { BUILD, PASSWORD, openTenant, startGateway, until } from './lib/gateway.mjs';
import { startUpstream } from './lib/upstream.mjs';

const TRAIL = '/.sekisho/api/v1/audit';
const SEKISHO = path.join(BUILD, 'gateway/tools/sekisho');
const VERIFY = path.join(BUILD, 'gateway/tools/sekisho-verify');
const BLOCK = 512;
let gateway, upstream, folder, records;

before(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sekisho-evidence-'));
  upstream = await startUpstream();
  const tenant = (name) => openTenant(name, upstream.url, {
    roles: [{ name: 'all', allow: ['api * /**'] }, { name: 'auditor', allow: [`sekisho GET ${TRAIL}/**`] }],
    users: [{ name: 'hanako', roles: ['all'] }, { name: 'sakura', roles: ['auditor'] }] });
  gateway = await startGateway({ tenants: [tenant('acme'), tenant('beta')], settings: { workers: 2, journal: { file_size: '1M' } } });
  const long = 'y'.repeat(800);
  const agent = gateway.agent({ keepAlive: true });
  for (let i = 0; i < 1300; i += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, n) => gateway.request({ host: 'acme.test', agent, method: n % 7 ? 'GET' : 'POST', path: `/${i + n}/${long}`,
      headers: { authorization: gateway.basic('hanako') } })));
  }
  await gateway.request({ host: 'beta.test', path: '/', headers: { authorization: gateway.basic('hanako') } });
  records = gateway.records().filter(({ host }) => host === 'acme.test');
  agent.destroy();
});
after(async () => {
  await gateway?.stop();
  await upstream?.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

let count = 0;
function exported(options = [], { host = 'acme.test', user = 'sakura' } = {}) {
  const file = path.join(folder, `${++count}.tar`);
  const run = spawnSync(SEKISHO, ['audit', 'export', '--server', `https://${host}:${gateway.port}`, '--user', user, '--cacert', gateway.authority.cert,
    '--resolve', `${host}:${gateway.port}:127.0.0.1`, ...options, file], { encoding: 'utf8', env: { ...process.env, SEKISHO_PASSWORD: PASSWORD } });
  return { ...run, file };
}

function verified(file, options = [], key = gateway.key()) {
  const { status, stdout, stderr } = spawnSync(VERIFY, ['--json', '--key', key, ...options, file], { encoding: 'utf8' });
  return { status, stderr, ...JSON.parse(stdout || '{}') };
}

// Where a member's content begins in the archive, and its size.
function member(bytes, name) {
  for (let at = 0; bytes[at]; ) {
    const size = parseInt(bytes.toString('latin1', at + 124, at + 135), 8);
    if (bytes.toString('latin1', at, bytes.indexOf(0, at)) === name) {
      return { at: at + BLOCK, size };
    }
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  throw new Error(`no member ${name}`);
}

describe('an export', () => {
  test('of all that is there is proven elsewhere, with the public key alone', async () => {
    const { status, stderr, file } = exported(['--to', records.at(-1).time]);
    assert.equal(status, 0, stderr);
    const elsewhere = path.join(folder, 'elsewhere.tar');
    fs.renameSync(file, elsewhere);
    const result = verified(elsewhere);
    assert.equal(result.good, true, JSON.stringify(result));
    assert.equal(result.first, 0);
    assert.ok(result.records > 1300 && result.end <= result.size);
    const listed = spawnSync(VERIFY, ['--records', '--key', gateway.key(), elsewhere], { encoding: 'utf8', maxBuffer: 1 << 28 });
    const own = gateway.records().filter(({ tenant_id: id }) => id === result.tenant);
    assert.deepEqual(listed.stdout.trim().split('\n').map((line) => JSON.parse(line)), own.slice(0, result.records), 'and says what the journal says');
    assert.match(listed.stderr, /none was changed, left out, put in or moved/);
  });

  test('of a range is as long as it must be, wherever it begins and ends', () => {
    for (const [from, to] of [[0, 1], [255, 257], [300, 900], [512, 768], [records.length - 3, records.length - 1], [700, 701]]) {
      const { status, stderr, file } = exported(['--from', records[from].time, '--to', records[to].time]);
      if (records[from].time === records[to].time) {
        assert.equal(status, 1, stderr);
        continue;
      }
      assert.equal(status, 0, stderr);
      const result = verified(file);
      assert.equal(result.good, true, JSON.stringify(result));
      const seqs = records.filter(({ time }) => time >= records[from].time && time < records[to].time).map(({ seq }) => seq);
      assert.ok(result.first <= seqs[0] && result.end > seqs.at(-1), 'all of that time is in it');
    }
  });

  test('meets a checkpoint that was kept, and one of another past is told', async () => {
    const [tenant] = gateway.records().filter(({ host }) => host === 'acme.test');
    const kept = path.join(folder, 'kept');
    const notes = () => spawnSync(SEKISHO, ['journal', 'checkpoints', gateway.checkpoints], { encoding: 'utf8' }).stdout;
    fs.copyFileSync(gateway.checkpoints, kept);
    assert.match(notes(), new RegExp(tenant.tenant_id));
    await gateway.request({ host: 'acme.test', path: '/later', headers: { authorization: gateway.basic('hanako') } });
    const { size } = JSON.parse((await gateway.request({ host: 'acme.test', path: `${TRAIL}/records?limit=1`, headers: { authorization: gateway.basic('sakura') } })).text);
    const all = await until(() => {
      const made = exported();
      const result = made.status === 0 && verified(made.file, ['--checkpoint', kept]);
      return result && result.end >= size && { ...result, file: made.file };
    }, 'what was recorded to be signed', 5000, 300);
    assert.equal(all.good, true, JSON.stringify(all));
    const other = await startGateway({ tenants: [openTenant('acme', upstream.url)] });
    try {
      await other.request({ host: 'acme.test', path: '/', headers: { authorization: other.basic('hanako') } });
      await until(() => fs.statSync(other.checkpoints).size > 4096, 'a checkpoint');
      assert.notEqual(verified(all.file, ['--checkpoint', other.checkpoints]).status, 0, 'another gateway\'s');
      assert.equal(verified(all.file, [], other.key()).step, 2, 'nor is its key this one\'s');
    } finally {
      await other.stop();
    }
  });

  test('is of the own tenant, for who may read it, and is on record', async () => {
    assert.equal(exported([], { user: 'hanako' }).status, 1);
    const { file } = await until(() => {
      const made = exported([], { host: 'beta.test' });
      return made.status === 0 && made;
    }, 'an export', 5000, 300);
    assert.notEqual(verified(file).tenant, records[0].tenant_id);
    const read = gateway.records().filter(({ op, reason }) => op === 'trail-read' && reason === 'proof');
    assert.ok(read.length && read.every(({ subject }) => subject === 'sakura'));
  });

  test('takes no file\'s place', () => {
    const file = path.join(folder, `${count + 1}.tar`);
    fs.writeFileSync(file, 'here');
    const { status, stderr } = exported(['--to', records.at(-1).time]);
    assert.equal(status, 1);
    assert.match(stderr, /File exists/);
    assert.equal(fs.readFileSync(file, 'utf8'), 'here');
  });
});

describe('what somebody changed', () => {
  let good, bytes;

  before(() => {
    good = exported(['--from', records[100].time, '--to', records[900].time]).file;
    bytes = fs.readFileSync(good);
    assert.equal(verified(good).good, true);
  });

  const changed = (change, options) => {
    const file = path.join(folder, 'changed.tar');
    fs.writeFileSync(file, change(Buffer.from(bytes)) ?? bytes);
    return verified(file, options);
  };
  const flipped = (at) => (copy) => { copy[at] ^= 1; return copy; };

  test('one bit of any member: it is found, and the step and the records are named', () => {
    const { first } = verified(good);
    for (const [name, step] of Object.entries({ evidence: 1, checkpoint: 2, left: 3, tiles: 3, right: 3, salts: 4, records: 4 })) {
      const { at, size } = member(bytes, name);
      for (const place of [0, Math.floor(size / 2), size - 1]) {
        const result = changed(flipped(at + place));
        assert.equal(result.status, 1, name);
        assert.ok(result.step <= step && (step < 4 || result.step === 4), `${name}: ${JSON.stringify(result)}`);
        assert.ok(step < 4 || (result.seq >= first && result.what.length), JSON.stringify(result));
      }
    }
    const salts = member(bytes, 'salts');
    const result = changed(flipped(salts.at + 16 * 300));
    assert.ok(result.seq <= first + 300 && result.seq + 256 > first + 300, `the tile of record ${first + 300} is named: ${JSON.stringify(result)}`);
  });

  test('the archive cut anywhere, or something put behind', () => {
    for (let len = 0; len < bytes.length; len += 7919) {
      const file = path.join(folder, 'cut.tar');
      fs.writeFileSync(file, bytes.subarray(0, len));
      assert.equal(spawnSync(VERIFY, ['--key', gateway.key(), file]).status === 0, false, `${len}`);
    }
    assert.equal(changed((copy) => Buffer.concat([copy, Buffer.alloc(511), Buffer.from('x')])).step, 1);
  });
});
