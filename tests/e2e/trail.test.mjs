// The audit trail, searched: what a query finds is what the journal holds, for those alone who may read it, and the reading is on record.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openTenant, startGateway, until } from './lib/gateway.mjs';
import { startUpstream } from './lib/upstream.mjs';

const TRAIL = '/.sekisho/api/v1/audit';
let gateway, upstream;

function tenantFile(name, own = {}) {
  return openTenant(name, upstream.url, {
    apps: [{ name: 'api', kind: 'api', path: '/api', upstreams: [upstream.url] }, { name: 'web', kind: 'api', path: '/web', upstreams: [upstream.url] }],
    roles: [{ name: 'all', allow: ['api * /**', 'web * /**'], deny: ['api DELETE /api/no'] },
      { name: 'auditor', allow: [`sekisho GET ${TRAIL}/**`] }],
    users: [{ name: 'hanako', roles: ['all'] }, { name: 'taro', roles: ['all'] }, { name: 'sakura', roles: ['auditor'] }],
    ...own,
  });
}

before(async () => {
  upstream = await startUpstream();
  gateway = await startGateway({ tenants: [tenantFile('acme'), tenantFile('beta')], settings: { workers: 2, journal: { file_size: '1M' } } });
});
after(async () => {
  await gateway?.stop();
  await upstream?.close();
});

const ask = (query, { user = 'sakura', host = 'acme.test', resource = 'records', ...options } = {}) =>
  gateway.request({ host, path: `${TRAIL}/${resource}${query ? `?${query}` : ''}`, headers: { authorization: gateway.basic(user) }, ...options });

async function found(query, options) {
  const response = await ask(query, options);
  assert.equal(response.status, 200, response.text);
  return JSON.parse(response.text);
}

// All pages of it.
async function all(query, options) {
  const records = [];
  for (let before = '', pages = 0; ; pages++) {
    const page = await found([query, before].filter(Boolean).join('&'), options);
    records.push(...page.records);
    if (page.next === null) {
      return records;
    }
    assert.ok(pages < 200, 'it ends');
    before = `before=${page.next}`;
  }
}

async function traffic() {
  const send = (user, method, path, options = {}) => gateway.request({ host: 'acme.test', method, path, headers: { authorization: gateway.basic(user) }, ...options });
  for (let i = 0; i < 8; i++) {
    await send('hanako', 'GET', `/api/things/${i}`);
    await send('taro', 'POST', `/web/things/${i}`, { body: 'x' });
    await send('hanako', 'DELETE', '/api/no');
  }
  await send('taro', 'GET', '/api/things/1', { host: 'beta.test' });
  await gateway.request({ host: 'acme.test', path: '/api/x' });
}

const idOf = (tenant) => gateway.records().find(({ host }) => host === `${tenant}.test`).tenant_id;

describe('a search', () => {
  const asked = {
    'subject=hanako': (r) => r.subject === 'hanako',
    'subject=hanako&subject=taro&decision=deny': (r) => ['hanako', 'taro'].includes(r.subject) && r.decision === 'deny',
    'subject=ha*': (r) => r.subject?.startsWith('ha'),
    'path=/api/things/*': (r) => r.path?.startsWith('/api/things/'),
    'path=/api/things/3': (r) => r.path === '/api/things/3',
    'app=web&method=POST&stage=intent': (r) => r.app === 'web' && r.method === 'POST' && r.stage === 'intent',
    'status=4xx': (r) => r.status >= 400 && r.status < 500,
    'status=403': (r) => r.status === 403,
    'address=127.0.0.0/8&op=login': (r) => r.address?.startsWith('127.') && r.op === 'login',
    'address=127.0.0.1&reason=denied-by-rule': (r) => r.address === '127.0.0.1' && r.reason === 'denied-by-rule',
    'host=acme.test&op=request&stage=single': (r) => r.host === 'acme.test' && r.op === 'request' && r.stage === 'single',
    'address=192.0.2.1': () => false,
    'subject=nobody': () => false,
  };

  before(async () => {
    await traffic();
  });

  test('finds what the journal holds of it, the newest first, and nothing else', async () => {
    const tenant = idOf('acme');
    for (const [query, fits] of Object.entries(asked)) {
      const got = await all(`${query}&limit=7`);
      const last = got.length ? got[0].seq : Infinity;
      const want = gateway.records().filter((r) => r.tenant_id === tenant && r.seq <= last && fits(r)).reverse();
      assert.deepEqual(got, want, query);
      assert.ok(got.length > 0 || /192|nobody/.test(query), `${query} finds some`);
    }
  });

  test('goes on over files of the journal', async () => {
    const files = () => gateway.records().length;
    const body = 'x'.repeat(900);
    for (let i = 0; i < 1200; i += 40) {
      await Promise.all(Array.from({ length: 40 }, (_, n) => gateway.request({ host: 'acme.test', path: `/web/many/${i + n}/${body}`, headers: { authorization: gateway.basic('taro') } })));
    }
    assert.ok(files() > 1200);
    const got = await all('path=/web/many/*&limit=200');
    assert.equal(got.length, 1200);
    assert.deepEqual(new Set(got.map(({ path }) => path.split('/')[3])).size, 1200);
    assert.deepEqual(await all(`path=/web/many/7/*`), got.filter(({ path }) => path.startsWith('/web/many/7/')));
  });

  test('of a request by the number that the client was told shows all of it, with the rule that decided', async () => {
    const refused = await gateway.request({ host: 'acme.test', method: 'DELETE', path: '/api/no', headers: { authorization: gateway.basic('hanako') } });
    const { id } = JSON.parse(refused.text);
    const { records } = await found(`request=${id}`);
    assert.deepEqual(records.map(({ op, decision, reason }) => [op, decision, reason]), [['request', 'deny', 'denied-by-rule']]);
    assert.match(records[0].rule, /DELETE \/api\/no/);
  });

  test('between two moments finds what was recorded then', async () => {
    const all = (await found('subject=hanako&op=request&limit=20')).records.reverse();
    const [from, to] = [all[3].time, all[8].time];
    const ms = (time) => Math.floor(Date.parse(time));
    const got = (await found(`subject=hanako&op=request&from=${from}&to=${to}&limit=200`)).records;
    assert.deepEqual(got.map(({ seq }) => seq).reverse(), all.filter(({ time }) => ms(time) >= ms(from) && ms(time) < ms(to)).map(({ seq }) => seq));
    assert.deepEqual((await found('to=-1h')).records, []);
    assert.ok((await found('from=-1h&limit=1')).records.length);
  });
});

describe('a reading', () => {
  test('is on record before it is answered, with who read and what was asked', async () => {
    const { records } = await found('op=trail-read&limit=1');
    assert.deepEqual([records[0].subject, records[0].detail, records[0].decision], ['sakura', 'op=trail-read&limit=1', 'allow']);
  });

  test('is for who may', async () => {
    for (const [options, status] of [[{ user: 'hanako' }, 403], [{ headers: {} }, 401], [{ method: 'POST' }, 403], [{ resource: 'nothing' }, 404]]) {
      const response = await ask('', options);
      assert.equal(response.status, status, JSON.stringify(options));
    }
  });

  test('is of the own tenant, whatever is asked', async () => {
    const acme = idOf('acme');
    for (const query of ['', 'host=acme.test', 'subject=*']) {
      const { records } = await found(query, { host: 'beta.test' });
      assert.ok(records.every(({ tenant_id: id }) => id !== acme), query);
    }
    const one = (await found('op=request&limit=1')).records[0];
    assert.deepEqual((await found(`request=${one.request}`, { host: 'beta.test' })).records, []);
  });

  test('says which parameter is wrong', async () => {
    const wrong = { 'subjct=x': 'subjct', 'decision=maybe': 'decision', 'address=127.0.0.1/8': 'address', 'limit=0': 'limit', 'limit=2&limit=3': 'limit', 'from=yesterday': 'from',
      'status=9xxx': 'status', 'step=1h': 'step', 'subject=': 'subject', 'wait=1h': 'wait' };
    for (const [query, name] of Object.entries(wrong)) {
      const response = await ask(query);
      assert.equal(response.status, 400, query);
      assert.match(JSON.parse(response.text).detail, new RegExp(`parameter "${name}"`), query);
    }
  });
});

describe('counts', () => {
  test('are those of the records, by decision and time', async () => {
    const { counts, step } = await found('subject=hanako&from=-1h&step=10s', { resource: 'stats' });
    assert.equal(step, 10);
    const records = await all('subject=hanako&from=-1h&limit=200');
    const sum = (name) => counts.reduce((total, count) => total + count[name], 0);
    for (const decision of ['allow', 'deny', 'challenge', 'error']) {
      assert.equal(sum(decision), records.filter((r) => r.decision === decision).length, decision);
    }
    for (const { from, allow } of counts) {
      const begins = Date.parse(from);
      assert.equal(allow, records.filter(({ time, decision }) => decision === 'allow' && Date.parse(time) >= begins && Date.parse(time) < begins + 10000).length);
    }
  });
});

describe('counts up to a moment', () => {
  test('are of the records before it, also when it is not a whole number of steps away', async () => {
    const records = (await found('subject=hanako&limit=20')).records;
    const to = records[10].time;
    const { counts } = await found(`subject=hanako&from=-1h&to=${to}&step=1h`, { resource: 'stats' });
    const before = (await all('subject=hanako&from=-1h&limit=200')).filter(({ time }) => Date.parse(time) < Date.parse(to));
    assert.equal(counts.reduce((sum, { allow, deny, challenge, error }) => sum + allow + deny + challenge + error, 0), before.length);
  });
});

describe('who waits', () => {
  const timed = async (query) => {
    const start = performance.now();
    return { records: (await found(query)).records, ms: performance.now() - start };
  };

  test('does so no longer when a record is there, whatever was read since', async () => {
    const { size } = await found('limit=1');
    await gateway.request({ host: 'acme.test', path: '/api/there', headers: { authorization: gateway.basic('taro') } });
    await found('limit=1');
    const { ms } = await timed(`after=${size}&limit=1&wait=8s`);
    assert.ok(ms < 4000, `it took ${ms} ms`);
  });

  test('does not for what can no longer come', async () => {
    const { size } = await found('subject=nobody');
    const { records, ms } = await timed(`subject=nobody&after=${size - 2}&before=${size - 1}&wait=8s`);
    assert.deepEqual(records, []);
    assert.ok(ms < 4000, `it took ${ms} ms`);
  });

  test('hears of the next record that fits, and not of its own reading', async () => {
    const { size } = await found('limit=1');
    const waiting = found(`after=${size}&wait=20s`);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await gateway.request({ host: 'acme.test', path: '/api/awaited', headers: { authorization: gateway.basic('taro') } });
    const { records } = await waiting;
    assert.ok(records.some(({ path }) => path === '/api/awaited'));
  });
});

describe('who asks much', () => {
  const asks = async (session, count, query, host = 'acme.test') => {
    const answers = await Promise.all(Array.from({ length: count }, () => ask(query, { version: 2, session, host, ms: 60000 })));
    return answers.map(({ status, text }) => (status === 200 ? 200 : JSON.parse(text).reason));
  };

  test('has so many questions at a time, and the largest answers hold up nobody', async () => {
    await all('op=trail-read&limit=200');
    const session = await gateway.h2('acme.test');
    for (let round = 0; round < 4; round++) {
      const got = await asks(session, 60, 'limit=200&wait=2s');
      assert.ok(got.every((status) => status === 200 || status === 'busy'), [...new Set(got)].join());
      assert.ok(got.filter((status) => status === 200).length >= 16);
      assert.equal((await ask('limit=1', { host: 'beta.test' })).status, 200);
    }
    session.destroy();
  });

  test('and goes away, leaves its places to others', async () => {
    for (let i = 0; i < 5; i++) {
      const session = await gateway.h2('acme.test');
      const streams = Array.from({ length: 20 }, () => session.request({ ':method': 'GET', ':authority': 'acme.test', ':scheme': 'https',
        ':path': `${TRAIL}/records?subject=nobody&wait=30s`, authorization: gateway.basic('sakura') }).on('error', () => {}));
      await until(() => gateway.records().filter(({ op, detail }) => op === 'trail-read' && detail === 'subject=nobody&wait=30s').length >= 16 * (i + 1), 'the questions to be asked');
      streams.forEach((stream) => stream.close());
      session.destroy();
      await until(async () => (await ask('limit=1')).status === 200, 'a place', 3000);
      assert.equal((await ask('limit=1', { host: 'beta.test' })).status, 200);
    }
  });

  test('asks for no more than its record can say, and no more ranges than are looked for in no time', async () => {
    for (const query of [`${'op=request&'.repeat(60)}subject=hanako`, 'path=*&'.repeat(5), 'op=request&'.repeat(33)]) {
      const response = await ask(query);
      assert.equal(JSON.parse(response.text).reason, 'bad-query', query);
    }
    assert.deepEqual((await found('before=0')).records, []);
  });
});

describe('what an operator does to a tenant', () => {
  test('is in the tenant\'s own trail, by the hash of its file, and in no other\'s', async () => {
    const before = (await found('op=config-changed', { host: 'beta.test' })).records.length;
    await gateway.reload((g) => g.tenant(tenantFile('acme', { networks: [{ name: 'here', cidrs: ['127.0.0.0/8', '::1/128', '192.0.2.0/24'] }] })));
    const hash = createHash('sha256').update(fs.readFileSync(path.join(gateway.folder, 'tenants', 'acme.yaml'))).digest('hex');
    const [record] = (await found('op=config-changed')).records;
    assert.equal(record.detail, `by the operator: the tenant file of SHA-256 ${hash}`);
    assert.equal((await found('op=config-changed', { host: 'beta.test' })).records.length, before);
    await gateway.recorded(({ op, tenant_id: id, detail }) => op === 'config-changed' && /^0+$/.test(id) && detail.startsWith('1 tenants changed'));
    await gateway.reload((g) => g.tenant(tenantFile('acme')));
  });
});

describe('who may no longer', () => {
  const users = [{ name: 'hanako', roles: ['all'] }, { name: 'taro', roles: ['all'] }];

  test('waits no longer: what is recorded behind a revocation is not for him', async () => {
    const { size } = await found('limit=1');
    const waiting = ask(`after=${size}&wait=20s`);
    await until(() => gateway.records().some(({ op, detail }) => op === 'trail-read' && detail === `after=${size}&wait=20s`), 'the question to be asked');
    await gateway.reload((g) => g.tenant(tenantFile('acme', { users })));
    const response = await waiting;
    assert.equal(response.status, 403, response.text);
    await gateway.reload((g) => g.tenant(tenantFile('acme')));
  });

  test('each of records, counts and proofs is a permission of its own', async () => {
    const role = (name, ...paths) => ({ name, allow: paths.map((path) => `sekisho GET ${TRAIL}/${path}`) });
    await gateway.reload((g) => g.tenant(tenantFile('acme', { roles: [{ name: 'all', allow: ['api * /**'] }, role('counts', 'stats'), role('finds', 'records'), role('proves', 'proof')],
      users: [...users, ...['counts', 'finds', 'proves'].map((name) => ({ name, roles: [name] }))] })));
    const may = { counts: 'stats', finds: 'records', proves: 'proof' };
    for (const user of Object.keys(may)) {
      for (const resource of Object.values(may)) {
        assert.equal((await ask('', { user, resource })).status, may[user] === resource ? 200 : 403, `${user} ${resource}`);
      }
    }
    await gateway.reload((g) => g.tenant(tenantFile('acme')));
  });

  test('a refused attempt to read is heard of by who waits', async () => {
    const { size } = await found('limit=1');
    const waiting = found(`decision=deny&after=${size}&wait=20s`);
    await ask('', { user: 'hanako' });
    const { records } = await waiting;
    assert.ok(records.length && records.every(({ decision }) => decision === 'deny'));
  });
});

describe('when a process dies', () => {
  test('the reader: the gate stays open, and the next one finds the same', async () => {
    const before = await all('subject=hanako&limit=200');
    gateway.kill('reader');
    const response = await gateway.request({ host: 'acme.test', path: '/api/x', headers: { authorization: gateway.basic('taro') } });
    assert.equal(response.status, 200);
    await until(async () => (await ask('limit=1')).status === 200, 'the reader to be back');
    assert.deepEqual(await all('subject=hanako&limit=200'), before);
  });

  test('what it had indexed is there again, and is made anew when somebody changed it', async () => {
    const folder = path.join(gateway.data, 'index');
    const indexes = await until(() => {
      const names = fs.readdirSync(folder).filter((name) => name.endsWith('.ski')).sort();
      return names.length > 2 && names;
    }, 'indexes of files that are full');
    const before = await all('path=/web/many/*&limit=200');
    const [first, second] = indexes.map((name) => path.join(folder, name));
    const change = (file, at) => {
      const bytes = fs.readFileSync(file);
      bytes[at < 0 ? bytes.length + at : at] ^= 1;
      fs.writeFileSync(file, bytes);
    };
    const back = () => until(async () => (await ask('limit=1')).status === 200, 'the reader to be back');
    for (const [file, at] of [[first, 100], [second, -30]]) {
      change(file, at);
      const changed = fs.readFileSync(file);
      gateway.kill('reader');
      await until(async () => (await ask('path=/web/many/*&subject=nobody')).status === 200, 'it to find out');
      await back();
      await until(() => fs.existsSync(file) && !fs.readFileSync(file).equals(changed), `${file} to be made anew`);
      assert.deepEqual(await all('path=/web/many/*&limit=200'), before);
    }
  });

  test('audit: the reader goes on with the next one', async () => {
    gateway.kill('audit');
    await until(async () => (await ask('limit=1')).status === 200, 'audit to be back');
    await gateway.request({ host: 'acme.test', path: '/api/after', headers: { authorization: gateway.basic('taro') } });
    assert.equal((await found('path=/api/after')).records.length, 1);
  });
});
