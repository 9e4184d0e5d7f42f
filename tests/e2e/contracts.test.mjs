// When contracts end, and what ends none: a reload that was refused, and a clock that was wrong for a moment. The supervisor's clock is another than the
// machine's here (libfaketime).
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { openTenant, startGateway, until } from './lib/gateway.mjs';
import { startUpstream } from './lib/upstream.mjs';

let gateway, upstream, folder;

const day = (days) => new Date(Date.now() + days * 24 * 3600 * 1000).toISOString().slice(0, 10);
const tenant = (name, own = {}) => openTenant(name, upstream.url, own);
const pass = (name, at) => gateway.request({ host: `${name}.test`, path: at, headers: { authorization: gateway.basic('hanako') } });
const shown = (name) => gateway.records().filter(({ host, op }) => host === `${name}.test` && op !== 'connection-refused').length; // that is in the operator's trail
const setClock = (offset) => fs.writeFileSync(path.join(folder, 'clock'), offset);
const answers = (name) => pass(name, '/').then(({ status }) => status === 200, () => false);

before(async () => {
  const [library] = ['/usr/lib', ...fs.readdirSync('/usr/lib').map((name) => `/usr/lib/${name}`)].map((at) => `${at}/faketime/libfaketime.so.1`).filter((file) => fs.existsSync(file));
  assert.ok(library, 'package libfaketime is there');
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sekisho-contracts-'));
  fs.chmodSync(folder, 0o755);
  setClock('+0');
  upstream = await startUpstream();
  gateway = await startGateway({ tenants: [tenant('acme'), tenant('beta', { contract: { ends: day(20) } }), tenant('gamma', { legal_hold: true }), tenant('delta'), tenant('omega')],
    through: ['/usr/bin/env', `LD_PRELOAD=${library}`, `FAKETIME_TIMESTAMP_FILE=${folder}/clock`, 'FAKETIME_NO_CACHE=1', 'FAKETIME_DONT_FAKE_MONOTONIC=1'],
    settings: { workers: 2, journal: { file_size: '1M' } } });
  for (const name of ['beta', 'gamma', 'delta', 'omega']) {
    for (let i = 0; i < 5; i++) {
      assert.equal((await pass(name, `/${i}`)).status, 200);
    }
  }
});
after(async () => {
  await gateway?.stop();
  await upstream?.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

// What was told to be erased before this one is erased by then.
async function end(name) {
  assert.equal((await gateway.reload(() => gateway.tenant(tenant(name, { contract: { ends: day(-2) } })))).id, 'SK1102');
  await until(() => shown(name) === 0, 'it is erased', 20000);
}

test('a reload that is refused lifts no hold', async () => {
  const over = { contract: { ends: day(-2) } };
  assert.equal((await gateway.reload(() => gateway.tenant(tenant('gamma', { ...over, legal_hold: true })))).id, 'SK1102');
  const zeta = path.join(gateway.folder, 'tenants/zeta.yaml');
  const { id } = await gateway.reload(() => {
    gateway.tenant(tenant('gamma', over));
    fs.writeFileSync(zeta, 'tenant: zeta\nnonsense: [');
  });
  assert.equal(id, 'SK1101');
  fs.unlinkSync(zeta);
  gateway.tenant(tenant('gamma', { ...over, legal_hold: true }));
  await end('delta');
  assert.ok(shown('gamma') >= 5);
});

test('a clock that is wrong for a moment ends no contract: the tenant is back when it is right', async () => {
  assert.ok(await answers('beta'));
  setClock('+40d');
  await until(async () => !(await answers('beta')), 'its host is unknown', 10000);
  setClock('+0');
  await until(() => answers('beta'), 'it is back', 20000);
  await end('omega');
  assert.ok(shown('beta') >= 6);
});

test('a file of a contract that is over, beside one of the same tenant that goes on, is refused', async () => {
  const file = (name, own) => fs.writeFileSync(path.join(gateway.folder, 'tenants', `${name}.yaml`), JSON.stringify({ ...JSON.parse(fs.readFileSync(path.join(gateway.folder, 'tenants/acme.yaml'), 'utf8')), ...own }));
  assert.equal((await pass('acme', '/twice')).status, 200);
  const line = await gateway.reload(() => file('acme-2020', { contract: { ends: day(-300) } }));
  assert.equal(line.id, 'SK1101');
  await gateway.stop({ keep: true });
  await assert.rejects(gateway.run());
  fs.unlinkSync(path.join(gateway.folder, 'tenants/acme-2020.yaml'));
  await gateway.run();
  await end('beta');
  assert.ok(shown('acme') >= 1);
});
