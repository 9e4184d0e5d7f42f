// How long records are kept: what is due is erased by itself, signed and on record, and found by nobody any more; what is not, is there. The clock of audit,
// which says when something is due, is another than the machine's here (libfaketime).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { BUILD, PASSWORD, openTenant, startGateway, until } from './lib/gateway.mjs';
import { startUpstream } from './lib/upstream.mjs';

const TRAIL = '/.sekisho/api/v1/audit';
const DAYS = 2;
const AUDIT = path.join(BUILD, 'gateway/audit/sekisho-audit');
let gateway, upstream, folder;

const tenant = (name, own = {}) => openTenant(name, upstream.url, {
  roles: [{ name: 'all', allow: ['api * /**'] }, { name: 'auditor', allow: [`sekisho GET ${TRAIL}/**`] }],
  users: [{ name: 'hanako', roles: ['all'] }, { name: 'sakura', roles: ['auditor'] }], ...own });

// The build's programs, but audit: by a clock that is so far from the machine's ("-4d").
function programs() {
  const [library] = ['/usr/lib', ...fs.readdirSync('/usr/lib').map((name) => `/usr/lib/${name}`)].map((at) => `${at}/faketime/libfaketime.so.1`).filter((file) => fs.existsSync(file));
  assert.ok(library, 'package libfaketime is there');
  for (const name of fs.readdirSync(path.join(BUILD, 'gateway'))) {
    const program = path.join(BUILD, 'gateway', name, `sekisho-${name}`);
    if (fs.existsSync(program)) {
      fs.symlinkSync(program, path.join(folder, `sekisho-${name}`));
    }
  }
  fs.unlinkSync(path.join(folder, 'sekisho-audit'));
  fs.writeFileSync(path.join(folder, 'sekisho-audit'), `#!/bin/sh
export LD_PRELOAD=${library} FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME="$(cat ${folder}/clock)"
exec ${AUDIT} "$@"
`, { mode: 0o755 });
}

const setClock = (minutes) => fs.writeFileSync(path.join(folder, 'clock'), `${minutes < 0 ? '' : '+'}${minutes}m`);

// A clock that went ahead is believed when an hour is over, also an hour in which the gateway was started again.
async function goTo(minutes) {
  for (const before of [118, 59, 0]) {
    await gateway.stop({ keep: true });
    setClock(minutes - before);
    await gateway.run();
  }
}

before(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sekisho-programs-'));
  fs.chmodSync(folder, 0o755);
  programs();
  setClock(-4 * 1440);
  const pem = { publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } };
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 3072, ...pem });
  fs.writeFileSync(path.join(folder, 'recovery.pem'), publicKey);
  fs.writeFileSync(path.join(folder, 'recovery.key'), privateKey);
  fs.writeFileSync(path.join(folder, 'another.key'), generateKeyPairSync('rsa', { modulusLength: 3072, ...pem }).privateKey);
  upstream = await startUpstream();
  gateway = await startGateway({ programs: folder, tenants: [tenant('acme'), tenant('beta'), tenant('gamma', { legal_hold: true }), tenant('delta', { service: 'mail' })],
    settings: { workers: 2, journal: { file_size: '1M', operator_days: DAYS, recovery_key: path.join(folder, 'recovery.pem') },
      services: [{ name: 'svc', log_days: DAYS }, { name: 'mail', log_days: 30, recovery_days: 3 }] } });
});
after(async () => {
  await gateway?.stop();
  await upstream?.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

const pass = (name, at) => gateway.request({ host: `${name}.test`, path: at, headers: { authorization: gateway.basic('hanako') } });

async function found(name, query = '') {
  const response = await gateway.request({ host: `${name}.test`, path: `${TRAIL}/records?limit=200&${query}`, headers: { authorization: gateway.basic('sakura') } });
  assert.equal(response.status, 200, response.text);
  return JSON.parse(response.text).records;
}

function sekisho(name, command, ...args) {
  return spawnSync(path.join(BUILD, 'gateway/tools/sekisho'), ['audit', command, '--server', `https://${name}.test:${gateway.port}`, '--user', 'sakura', '--cacert', gateway.authority.cert,
    '--resolve', `${name}.test:${gateway.port}:127.0.0.1`, ...args], { encoding: 'utf8', env: { ...process.env, SEKISHO_PASSWORD: PASSWORD } });
}

const journal = () => fs.readdirSync(path.join(gateway.data, 'journal')).filter((name) => name.endsWith('.skj')).sort();
const verified = () => {
  const { status, text } = gateway.verify('--json');
  assert.equal(status, 0, text);
  return JSON.parse(text);
};

describe('what is due', () => {
  let first;

  before(async () => {
    for (const name of ['acme', 'beta', 'gamma']) {
      for (let i = 0; i < 20; i++) {
        assert.equal((await pass(name, `/old/${i}`)).status, 200);
      }
      assert.equal((await found(name, 'path=/old/*')).length, 20);
    }
    [first] = journal();
    await goTo(0);
  });

  test('is erased by itself, and its files are gone', async () => {
    await until(() => !journal().includes(first) || gateway.records().some(({ op }) => op === 'trail-erased'), 'the day is erased', 30000);
    await until(async () => (await found('acme', 'path=/old/*')).length === 0, 'it is found no more', 10000);
    assert.deepEqual(await found('beta', 'path=/old/*'), []);
    assert.equal(gateway.records().filter(({ host, path: at }) => host !== 'gamma.test' && at?.startsWith('/old/')).length, 0, 'nor by who has the root key');
  });

  test('is on record in each tenant\'s trail, with the numbers of what is gone', async () => {
    const [pruned] = await found('acme', 'op=trail-pruned');
    const [, end] = /^first=0 end=(\d+) until=\d{4}-\d\d-\d\d days=2$/.exec(pruned.detail);
    assert.equal((await found('acme', `before=${Number(end) + 5}`)).at(-1).seq, Number(end), 'the oldest one left');
    assert.equal(pruned.count, Number(end));
    assert.ok(gateway.records().some(({ op, tenant_id: id, detail }) => op === 'trail-erased' && (id === undefined || /^0+$/.test(id)) && /^service svc, until=.* days=2$/.test(detail)));
  });

  test('leaves a journal that is intact, and evidence that proves that it was due', async () => {
    assert.ok(verified().erased > 0, 'of the tenant on hold the file is still there');
    const file = path.join(folder, 'acme.tar');
    const run = await until(() => {
      const one = sekisho('acme', 'export', file);
      return one.status === 0 ? one : null;
    }, 'an export', 10000);
    assert.equal(run.status, 0, run.stderr);
    const { status, stdout, stderr } = spawnSync(path.join(BUILD, 'gateway/tools/sekisho-verify'), ['--json', '--key', gateway.key(), file], { encoding: 'utf8' });
    assert.equal(status, 0, stderr + stdout);
    const proven = JSON.parse(stdout);
    assert.ok(proven.first > 0 && proven.pruned === proven.first, stdout);
  });

  test('is kept of a tenant on hold, which says so, until that is lifted', async () => {
    assert.equal((await found('gamma', 'path=/old/*')).length, 20);
    assert.equal((await found('gamma', 'op=trail-held')).length, 1);
    assert.equal((await found('gamma', 'op=trail-pruned')).length, 0);
    assert.ok(journal().includes(first), 'in its file');
    const part = path.join(folder, 'gamma.tar');
    await until(() => sekisho('gamma', 'export', '--to', new Date(Date.now() - 2 * 24 * 3600 * 1000).toISOString(), part).status === 0, 'an export', 10000);
    assert.equal(verify('--key', gateway.key(), part).status, 0, 'a part of what is on hold is no evidence of a lie');
    assert.equal((await gateway.reload(() => gateway.tenant(tenant('gamma')))).id, 'SK1102');
    await until(async () => (await found('gamma', 'path=/old/*')).length === 0, 'it is erased', 15000);
    assert.equal((await found('gamma', 'op=trail-pruned')).length, 1);
    await until(() => !journal().includes(first), 'and its file', 10000);
    assert.equal(verified().erased, 0);
  });

  test('does not come back with a restart', async () => {
    await gateway.stop({ keep: true });
    await gateway.run();
    assert.deepEqual(await found('acme', 'path=/old/*'), []);
    assert.equal((await found('acme', 'op=trail-pruned')).length, 1, 'nor is it erased twice');
    assert.equal((await pass('acme', '/new')).status, 200);
    assert.equal((await found('acme', 'path=/new')).length, 1);
  });
});

const verify = (...args) => spawnSync(path.join(BUILD, 'gateway/tools/sekisho-verify'), args, { encoding: 'utf8' });
const certificates = () => fs.readdirSync(path.join(gateway.data, 'signer')).filter((name) => name.startsWith('erasure')).map((name) => path.join(gateway.data, 'signer', name));
const daysAgo = (days) => new Date(Date.now() - days * 24 * 3600 * 1000).toISOString().slice(0, 10);

describe('when a contract is over', () => {
  const yesterday = daysAgo(1.5);
  let id;

  test('the tenant is closed at once, without touching another, and all its records are unreadable', async () => {
    assert.equal((await pass('beta', '/last')).status, 200);
    ({ tenant_id: id } = (await found('beta', 'path=/last'))[0]);
    assert.equal((await gateway.reload(() => gateway.tenant(tenant('beta', { contract: { ends: yesterday } })))).id, 'SK1102');
    await until(async () => (await pass('beta', '/after').catch(() => null)) === null, 'its host is unknown', 5000);
    assert.equal((await pass('acme', '/meanwhile')).status, 200);
    await until(() => gateway.records().every(({ tenant_id: of }) => of !== id), 'its records are unreadable', 20000);
    assert.ok(gateway.records().some(({ op, detail }) => op === 'trail-erased' && detail === 'contract over: beta@svc'));
    assert.ok(verified().erased > 20);
    assert.equal((await found('acme', 'path=/meanwhile')).length, 1);
  });

  test('that is certified, and anybody can verify it', async () => {
    const [file] = await until(() => (certificates().length ? certificates() : null), 'the certificate', 10000);
    assert.equal(path.basename(file).split('-')[1], id);
    const { status, stdout, stderr } = verify('--json', '--key', gateway.key(), file);
    assert.equal(status, 0, stderr + stdout);
    const { size, time, ...rest } = JSON.parse(stdout);
    assert.deepEqual(rest, { good: true, erased: true, tenant: id, contract: 'beta@svc' });
    assert.ok(size > 20 && Math.abs(Date.parse(time) - Date.now()) < 600000, stdout);
    assert.match(verify('--key', gateway.key(), file).stdout, /^erased: .*\ncontract beta@svc\nsigned /);
    const changed = path.join(folder, 'certificate');
    fs.writeFileSync(changed, fs.readFileSync(file, 'utf8').replace('beta@svc', 'acme@svc'));
    assert.equal(verify('--key', gateway.key(), changed).status, 1);
    assert.equal(verify(file).status, 2, 'a key is needed');
  });

  test('a restart does not bring them back, and a new contract begins with nothing', async () => {
    await gateway.stop({ keep: true });
    await gateway.run();
    assert.equal(await pass('beta', '/after').catch(() => null), null);
    assert.equal((await gateway.reload(() => gateway.tenant(tenant('beta')))).id, 'SK1102');
    assert.equal((await pass('beta', '/again')).status, 200);
    assert.equal((await found('beta', 'path=/again')).length, 1);
    assert.deepEqual(await found('beta', 'path=/last'), []);
    assert.ok(verified().erased > 20);
  });

  test('on a day to come it is in force, and a day that there is not is refused', async () => {
    const day = (ends) => gateway.reload(() => gateway.tenant(tenant('beta', { contract: { ends } })));
    assert.equal((await day('2126-02-28')).id, 'SK1102');
    assert.equal((await pass('beta', '/on')).status, 200);
    assert.equal((await day('2126-02-29')).id, 'SK1101');
    assert.equal((await day('2128-02-29')).id, 'SK1102');
  });
});

describe('when a contract is over whose service leaves a copy for recovery', () => {
  const records = (...args) => {
    const run = verify('--root-key', gateway.settings.root_key_file, '--records', ...args, path.join(gateway.data, 'journal'));
    return { ...run, delta: run.stdout.split('\n').filter((line) => line.includes('"host":"delta.test"')).length };
  };
  const recovery = (name) => ['--recovery-key', path.join(folder, name)];

  test('its records are unreadable at once, but for who has the recovery key', async () => {
    for (let i = 0; i < 5; i++) {
      assert.equal((await pass('delta', `/kept/${i}`)).status, 200);
    }
    const before = certificates().length;
    assert.equal((await gateway.reload(() => gateway.tenant(tenant('delta', { service: 'mail', contract: { ends: daysAgo(1.5) } })))).id, 'SK1102');
    await until(() => records().delta === 0, 'its records are unreadable', 20000);
    assert.ok(gateway.records().some(({ op, detail }) => op === 'trail-erased' && /^contract over: delta@mail, recoverable until=\d{4}-/.test(detail)));
    assert.ok(records(...recovery('recovery.key')).delta >= 5);
    const { status, stderr } = records(...recovery('another.key'));
    assert.equal(status, 1);
    assert.match(stderr, /another\.key: no tenant's key was left for this one/);
    assert.equal(certificates().length, before, 'it is not certified before it is erased');
  });

  test('nobody can read them when its days are over, and that is certified', async () => {
    await goTo(3 * 1440);
    await until(() => certificates().some((file) => JSON.parse(verify('--json', '--key', gateway.key(), file).stdout).contract === 'delta@mail'), 'the certificate', 30000);
    assert.ok(gateway.records().some(({ op, detail }) => op === 'trail-erased' && detail === 'no longer recoverable: delta@mail'));
    assert.match(records(...recovery('recovery.key')).stderr, /no tenant's key was left/);
  });
});
