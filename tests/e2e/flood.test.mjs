// A flood of refusals: each is answered and counted, and what is recorded of it leaves room for everybody else's records.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openTenant, startGateway } from './lib/gateway.mjs';
import { startUpstream } from './lib/upstream.mjs';

const COUNT = 6000, TRAIL = '/.sekisho/api/v1/audit';
let gateway, upstream;

before(async () => {
  upstream = await startUpstream();
  const acme = openTenant('acme', upstream.url, { roles: [{ name: 'all', allow: ['api * /**'] }, { name: 'auditor', allow: [`sekisho GET ${TRAIL}/**`] }],
    users: [{ name: 'sakura', roles: ['auditor'] }] });
  gateway = await startGateway({ tenants: [acme, openTenant('beta', upstream.url)], settings: { workers: 2 } });
});
after(async () => {
  await gateway?.stop();
  await upstream?.close();
});

test('each refusal is answered and counted, many of them together, and nothing of others is missing', async () => {
  const agent = gateway.agent({ keepAlive: true, maxSockets: 200 });
  const statuses = new Map();
  let sent = 0, others = 0;
  const attack = async () => {
    while (sent < COUNT) {
      sent++;
      const { status } = await gateway.request({ host: 'acme.test', agent, path: '/nobody' });
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  const work = async () => {
    while (sent < COUNT) {
      const { status } = await gateway.request({ host: 'beta.test', agent, path: `/others/${others}`, headers: { authorization: gateway.basic('hanako') } });
      assert.equal(status, 200);
      others++;
    }
  };
  await Promise.all([...Array.from({ length: 100 }, attack), work()]);
  assert.deepEqual([...statuses], [[401, COUNT]]);
  const records = gateway.records();
  const refused = records.filter(({ host, op, decision }) => host === 'acme.test' && op === 'request' && decision !== 'allow');
  const counted = refused.reduce((sum, { count = 1 }) => sum + count, 0);
  assert.equal(counted, COUNT, 'each is counted');
  const together = refused.filter(({ stage }) => stage === 'aggregate');
  assert.ok(together.length > 0 && together.every(({ count, status, address }) => count > 0 && status === 401 && address === '127.0.0.1'));
  assert.ok(refused.length < 0.95 * COUNT, `${refused.length} records of ${COUNT}: as many as there were groups to write`);
  assert.equal(records.filter(({ path }) => path?.startsWith('/others/')).length, others, 'of who works each is whole');
  const { status, text } = gateway.verify('--json');
  assert.equal(status, 0, text);

  const stats = await gateway.request({ host: 'acme.test', path: `${TRAIL}/stats?op=request&status=401&from=-1h`, headers: { authorization: gateway.basic('sakura') } });
  assert.equal(stats.status, 200, stats.text);
  const sum = JSON.parse(stats.text).counts.reduce((all, { deny = 0, challenge = 0 }) => all + deny + challenge, 0);
  assert.equal(sum, COUNT, 'and counts say as many');
});
