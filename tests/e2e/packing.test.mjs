// Full files of the journal are packed while the gateway runs: everything that reads the trail says the same before and after, in a fraction of the room.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { BUILD, PASSWORD, openTenant, startGateway, until } from './lib/gateway.mjs';
import { halt } from './lib/person.mjs';
import { startUpstream } from './lib/upstream.mjs';

const TRAIL = '/.sekisho/api/v1/audit';
const VERIFY = path.join(BUILD, 'gateway/tools/sekisho-verify');
const NEWEST = 4; // files that stay as they were written
let gateway, upstream, folder;

before(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sekisho-packing-'));
  upstream = await startUpstream();
  const tenant = (name) => openTenant(name, upstream.url, {
    roles: [{ name: 'all', allow: ['api * /**'] }, { name: 'auditor', allow: [`sekisho GET ${TRAIL}/**`] }],
    users: [{ name: 'hanako', roles: ['all'] }, { name: 'taro', roles: ['all'] }, { name: 'sakura', roles: ['auditor'] }] });
  gateway = await startGateway({ tenants: [tenant('acme'), tenant('beta')],
    settings: { workers: 2, journal: { file_size: '1M' }, feeds: [{ name: 'ecs', form: 'ecs', to: 'file' }] } });
});
after(async () => {
  await gateway?.stop();
  await upstream?.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

const files = () => fs.readdirSync(path.join(gateway.data, 'journal')).filter((name) => name.endsWith('.skj')).sort().map((name) => path.join(gateway.data, 'journal', name));
const isPacked = (file) => {
  const bytes = Buffer.alloc(8), fd = fs.openSync(file);
  fs.readSync(fd, bytes, 0, 8, 0);
  fs.closeSync(fd);
  return bytes.toString() === 'SKJPACK1';
};

async function traffic(count) {
  const agent = gateway.agent({ keepAlive: true });
  for (let i = 0; i < count; i += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, n) => gateway.request({ host: n % 5 ? 'acme.test' : 'beta.test', agent, method: n % 9 ? 'GET' : 'POST',
      path: `/${i + n}/${'y'.repeat(700)}`, headers: { authorization: gateway.basic(n % 2 ? 'hanako' : 'taro') } })));
  }
  agent.destroy();
}

// The numbers of all records that a search finds, with its pages.
async function numbers(query) {
  const found = [];
  for (let before = ''; before !== null;) {
    const response = await gateway.request({ host: 'acme.test', path: `${TRAIL}/records?${query}${before}`, headers: { authorization: gateway.basic('sakura') } });
    assert.equal(response.status, 200, response.text);
    const page = JSON.parse(response.text);
    found.push(...page.records.map(({ seq }) => seq));
    before = page.next === null ? null : `&before=${page.next}`;
  }
  return found;
}

function proven(name) {
  const file = path.join(folder, name);
  const exported = spawnSync(path.join(BUILD, 'gateway/tools/sekisho'), ['audit', 'export', '--server', `https://acme.test:${gateway.port}`, '--user', 'sakura', '--cacert',
    gateway.authority.cert, '--resolve', `acme.test:${gateway.port}:127.0.0.1`, file], { encoding: 'utf8', env: { ...process.env, SEKISHO_PASSWORD: PASSWORD } });
  assert.equal(exported.status, 0, exported.stderr);
  const { status, stdout, stderr } = spawnSync(VERIFY, ['--json', '--key', gateway.key(), file], { encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
  return JSON.parse(stdout);
}

describe('packed files', () => {
  const questions = ['subject=hanako&method=POST', 'subject=taro&status=200', 'path=/77/*'];
  let wanted, until_;

  test('take the place of full ones but the newest, at a tenth of their size, and nothing that was recorded is lost', async () => {
    await traffic(1500);
    await until(() => fs.statSync(gateway.checkpoints).size > 4096, 'a checkpoint');
    fs.copyFileSync(gateway.checkpoints, path.join(folder, 'kept'));
    await traffic(7500);
    until_ = new Date().toISOString();
    await until(() => files().length > NEWEST && files().slice(0, -NEWEST).every(isPacked), () => `the older files to be packed: ${files().map((file) => +isPacked(file)).join(' ')}`, 30000);
    const packed = files().filter(isPacked);
    assert.ok(packed.length >= 4, `${packed.length} of ${files().length}`);
    assert.equal(files().slice(-NEWEST).some(isPacked), false);
    packed.forEach((file) => assert.ok(fs.statSync(file).size < 300_000, `${file}: ${fs.statSync(file).size}`));
    const verified = gateway.verify();
    assert.equal(verified.status, 0, verified.text);
    const records = gateway.records();
    const next = {};
    for (const { tenant_id: id, seq } of records) {
      assert.equal(seq, next[id] ?? 0, id);
      next[id] = seq + 1;
    }
    assert.equal(records.filter(({ host, op, stage }) => host && op === 'request' && stage !== 'intent').length, 9000);
  });

  test('are searched, with what the search over all records finds', async () => {
    const records = gateway.records().filter(({ host, time }) => host === 'acme.test' && time < until_);
    const holds = [(r) => r.subject === 'hanako' && r.method === 'POST', (r) => r.subject === 'taro' && r.status === 200, (r) => r.path?.startsWith('/77/')];
    wanted = holds.map((of) => records.filter(of).map(({ seq }) => seq).reverse());
    for (const [i, question] of questions.entries()) {
      assert.deepEqual(await numbers(`${question}&to=${until_}`), wanted[i], question);
      assert.ok(wanted[i].length > 0);
    }
  });

  test('are those that were signed when a copy of the checkpoints was kept: with the root key, or at the end of a chunk', () => {
    const kept = (...options) => spawnSync(VERIFY, ['--key', gateway.key(), '--checkpoint', path.join(folder, 'kept'), ...options, path.join(gateway.data, 'journal')], { encoding: 'utf8' });
    const opened = kept('--root-key', gateway.settings.root_key_file);
    assert.equal(opened.status, 0, opened.stdout + opened.stderr);
    const closed = kept();
    assert.ok(closed.status === 0 || /end within a packed chunk, where keys alone tell: give --root-key, or a newer checkpoint/.test(closed.stdout + closed.stderr), closed.stderr);
  });

  test('are exported, and proven by the public key alone', () => {
    const evidence = proven('all.tar');
    assert.equal(evidence.first, 0);
    assert.ok(evidence.records > 7000, JSON.stringify(evidence));
    const second = spawnSync('tests/evidence/run', [gateway.key(), path.join(folder, 'all.tar')], { encoding: 'utf8' });
    assert.equal(second.status, 0, second.stdout + second.stderr);
  });

  test('were fed, each record once and in order, as the feed was not behind', async () => {
    const lines = () => fs.readFileSync(path.join(gateway.data, 'feed', 'ecs.log'), 'utf8').split('\n').filter(Boolean);
    const all = gateway.records().length;
    await until(() => lines().length >= all, 'the feed to have all', 20000);
    const next = {};
    for (const { organization, event } of lines().map((line) => JSON.parse(line))) {
      assert.equal(event.sequence, next[organization.id] ?? 0, organization.id);
      next[organization.id] = event.sequence + 1;
    }
  });

  test('are gone on behind after a kill and after a stop, also by a reader without an index', async () => {
    const from = gateway.log.length;
    gateway.killing = true;
    gateway.kill('audit');
    await gateway.logged(({ id }) => id === 'SK1006', { from, ms: 10000 });
    assert.deepEqual(await numbers(`${questions[0]}&to=${until_}`), wanted[0]);
    await halt(gateway);
    fs.rmSync(path.join(gateway.data, 'index'), { recursive: true });
    await gateway.run();
    for (const [i, question] of questions.entries()) {
      assert.deepEqual(await numbers(`${question}&to=${until_}`), wanted[i], question);
    }
    assert.ok(proven('again.tar').records > 7000);
  });

  test('with a byte changed are found damaged, with the place named', () => {
    const [file] = files().filter(isPacked).slice(1), bytes = fs.readFileSync(file), copy = Buffer.from(bytes);
    copy[Math.floor(copy.length / 2)] ^= 1;
    fs.writeFileSync(file, copy);
    const { status, text } = gateway.verify();
    fs.writeFileSync(file, bytes);
    assert.equal(status, 1);
    assert.match(text, new RegExp(`${path.basename(file)}: at byte \\d+, group \\d+, the chunk is not what the directory says`));
    assert.equal(gateway.verify().status, 0);
  });
});
