// Keys of programs: who they let in, to what, until when; and that nobody else learns of them.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { PASSWORD, deadline, openTenant, startGateway, until } from './lib/gateway.mjs';
import { SEKISHO, allRecords, loggedIn, openDownload, endedAfter, problemOf, sekisho, sekishoLive } from './lib/person.mjs';
import { startUpstream } from './lib/upstream.mjs';

const day = (days) => new Date(Date.now() + days * 86400000).toISOString().replace(/\.\d+/, '');
function makeKey(name, expires = day(30)) {
  const secret = randomBytes(32).toString('base64url');
  return { text: `sekisho_${name}_${secret}`, entry: { sha256: createHash('sha256').update(secret).digest('hex'), expires } };
}

const names = ['reader', 'scoped', 'home', 'switchedoff', 'twin', 'gone', 'stream', 'admin'];
const keys = Object.fromEntries(names.map((name) => [name, makeKey(name)]));
const old = makeKey('expired', day(-1));
const next = makeKey('twin');
let gateway, upstream, sink;

function tenantFile(name, change = {}) {
  const program = (user, own = {}) => ({ name: user, backend: 'key', roles: ['all'], keys: [keys[user].entry], ...own, ...change[user] });
  return openTenant(name, upstream.url, {
    hosts: [`${name}.test`],
    networks: [{ name: 'here', cidrs: ['127.0.0.0/8'] }, { name: 'one', cidrs: ['127.0.0.9/32'] }],
    apps: [
      { name: 'api', kind: 'api', path: '/api', upstreams: [upstream.url], identity: ['assertion', 'forwarded-user'] },
      { name: 'other', kind: 'api', path: '/other', upstreams: [upstream.url] },
      { name: 'injecting', kind: 'api', path: '/injecting', upstreams: [upstream.url], inject: [{ header: 'X-API-Key', value: 'of the gateway' }] },
      { name: 'stream', kind: 'api', path: '/stream', upstreams: [sink.url] },
      { name: 'panel', kind: 'panel', path: '/', upstreams: [upstream.url] },
    ],
    roles: [{ name: 'all', allow: ['api * /**', 'other * /**', 'injecting * /**', 'stream * /**', 'panel * /**', 'panel GET /'], deny: ['api DELETE /api/no'] },
      { name: 'admin', allow: ['sekisho GET /.sekisho/api/v1/sessions', 'sekisho * /.sekisho/api/v1/keys/**', 'sekisho * /.sekisho/api/v1/keys'] }],
    users: [{ name: 'hanako', roles: ['all'] }, { name: 'sakura', roles: ['admin'] }, program('reader'), program('scoped', { scope: ['api GET,HEAD'] }), program('home', { from: ['one'] }),
      program('switchedoff', { disabled: true }), program('twin', { keys: [keys.twin.entry, next.entry] }), program('stream'),
      { name: 'expired', backend: 'key', roles: ['all'], keys: [old.entry] }, program('admin', { roles: ['admin'] }),
      ...(change.gone === null ? [] : [program('gone')])],
  });
}

before(async () => {
  upstream = await startUpstream();
  sink = await startUpstream((request, response) => { response.writeHead(200); response.write('more\n'); }, { stream: true });
  gateway = await startGateway({ tenants: [tenantFile('acme'), openTenant('beta', upstream.url, { users: [{ name: 'hanako', roles: ['all'] }] })], settings: { workers: 2 } });
});
after(async () => {
  await gateway?.stop();
  await upstream?.close();
  await sink?.close();
});

const seen = (response) => JSON.parse(response.text);
const ask = (key, options = {}) => gateway.request({ path: '/api/x', ...options, headers: { authorization: `Bearer ${key.text}`, ...options.headers } });
const askHeader = (key, options = {}) => gateway.request({ path: '/api/x', ...options, headers: { 'x-api-key': key.text, ...options.headers } });

describe('a key', () => {
  test('lets a program in by either header, is on record by name, and is not passed on', async () => {
    for (const [how, by] of [['Bearer', ask], ['X-API-Key', askHeader]]) {
      const response = await by(keys.reader);
      assert.equal(response.status, 200, how);
      assert.ok(!response.text.includes(keys.reader.text.slice(-43)), `${how}: the upstream saw the key`);
      assert.equal(seen(response).headers['x-forwarded-user'], 'reader');
      const claims = JSON.parse(Buffer.from(seen(response).headers['x-sekisho-jwt-assertion'].split('.')[1], 'base64url'));
      assert.deepEqual(claims.amr, ['key']);
    }
    const [login] = await gateway.recorded({ op: 'login', subject: 'reader', decision: 'allow' });
    assert.equal(login.factors, 'key');
    const [request] = await gateway.recorded({ op: 'request', subject: 'reader', path: '/api/x', decision: 'allow' });
    assert.equal(request.session, login.session);
    assert.ok(!JSON.stringify(await allRecords(gateway)).includes(keys.reader.text.slice(-43)));
  });

  test('made by sekisho new-key works', async (t) => {
    const { stdout } = sekisho(['new-key', 'fresh'], { program: SEKISHO });
    const [text, entry] = stdout.trim().split('\n');
    const [, sha256, expires] = /sha256: ([0-9a-f]+), expires: "([^"]+)"/.exec(entry);
    gateway.tenant(openTenant('fresh', upstream.url, { users: [{ name: 'fresh', backend: 'key', roles: ['all'], keys: [{ sha256, expires }] }] }));
    assert.equal((await gateway.reload()).id, 'SK1102');
    assert.equal((await gateway.request({ host: 'fresh.test', headers: { authorization: `bearer ${text}` } })).status, 200);
  });

  test('wrong, expired, disabled, of nobody, of another tenant, or of a person gets 401; the record says why', async () => {
    const wrong = { text: keys.reader.text.slice(0, -4) + (keys.reader.text.endsWith('AAAA') ? 'BBBB' : 'AAAA') };
    const cases = [[wrong, 'reader', 'wrong-key'], [old, 'expired', 'key-expired'], [keys.switchedoff, 'switchedoff', 'account-disabled'],
      [makeKey('nobody'), 'nobody', 'unknown-user'], [makeKey('hanako'), 'hanako', 'no-program']];
    for (const [key, subject, reason] of cases) {
      const response = await ask(key);
      assert.equal(response.status, 401, reason);
      assert.equal(problemOf(response).reason, 'login-required');
      assert.match(response.headers['www-authenticate'], /Bearer realm=/);
      const [record] = await gateway.recorded({ op: 'login', subject, reason });
      assert.equal(record.decision, 'deny');
    }
    assert.equal((await gateway.request({ host: 'beta.test', headers: { authorization: `Bearer ${keys.reader.text}` } })).status, 401);
  });

  test('malformed ones are nobody', async () => {
    for (const text of ['sekisho_', 'sekisho__' + 'A'.repeat(43), `sekisho_${'n'.repeat(65)}_${'A'.repeat(43)}`, `sekisho_reader-${'A'.repeat(43)}`,
      'sekisho_reader_short', `${keys.reader.text} x`, `x${keys.reader.text}`, keys.reader.text.toUpperCase()]) {
      assert.equal((await ask({ text })).status, 401, text);
    }
  });

  test('twice in one request is refused, as is a key beside a password', async () => {
    for (const headers of [{ authorization: `Bearer ${keys.reader.text}`, 'x-api-key': keys.reader.text },
      { authorization: gateway.basic('hanako'), 'x-api-key': keys.reader.text }, { 'x-api-key': [keys.reader.text, keys.reader.text] }]) {
      const response = await gateway.request({ path: '/api/x', headers });
      assert.equal(response.status, 400);
      assert.equal(problemOf(response).reason, 'two-credentials');
    }
  });

  test('is held to its scope, its networks, and its roles\' rules', async () => {
    assert.equal((await ask(keys.scoped)).status, 200);
    for (const [method, path] of [['POST', '/api/x'], ['GET', '/other/x']]) {
      const response = await ask(keys.scoped, { method, path });
      assert.equal(response.status, 403);
      assert.equal(problemOf(response).reason, 'out-of-scope');
    }
    assert.equal(problemOf(await ask(keys.home)).reason, 'user-network-not-allowed');
    assert.equal((await ask(keys.home, { tls: { localAddress: '127.0.0.9' } })).status, 200);
    assert.equal(problemOf(await ask(keys.reader, { method: 'DELETE', path: '/api/no' })).reason, 'denied-by-rule');
    assert.equal((await gateway.request({ path: '/.sekisho/api/v1/sessions', headers: { authorization: `Bearer ${keys.admin.text}` } })).status, 200);
    assert.equal((await gateway.request({ path: '/.sekisho/api/v1/sessions', headers: { authorization: `Bearer ${keys.reader.text}` } })).status, 403);
  });

  test('is no password, and a password no key', async () => {
    assert.equal((await ask(keys.reader)).status, 200); // remembered
    assert.equal((await gateway.request({ path: '/api/x', user: 'reader', password: keys.reader.text.slice(-43) })).status, 401);
    assert.equal((await gateway.request({ path: '/api/x', user: 'reader', password: keys.reader.text })).status, 401);
    await assert.rejects(loggedIn(gateway, 'acme.test', 'reader', keys.reader.text.slice(-43)));
    assert.equal((await ask({ text: `sekisho_hanako_${PASSWORD.replaceAll(' ', '-').padEnd(43, 'x')}` })).status, 401);
  });

  test('is nothing to a panel', async () => {
    const response = await gateway.request({ path: '/', headers: { authorization: `Bearer ${keys.reader.text}` } });
    assert.equal(response.status, 303);
    const browser = await loggedIn(gateway, 'acme.test', 'hanako');
    for (const headers of [{ authorization: `Bearer ${keys.reader.text}` }, { 'x-api-key': keys.reader.text }]) {
      const page = await browser.get('/page', { headers });
      assert.equal(page.status, 200);
      assert.ok(!page.text.includes(keys.reader.text.slice(-43)), 'and its upstream does not see it');
    }
  });

  test('of the upstream\'s own kind goes through, or is refused where the gateway injects one', async () => {
    const response = await gateway.request({ path: '/api/x', user: 'hanako', headers: { 'x-api-key': 'the upstream knows this one' } });
    assert.equal(response.status, 200);
    assert.equal(seen(response).headers['x-api-key'], 'the upstream knows this one');
    const injected = await askHeader(keys.reader, { path: '/injecting/x' });
    assert.equal(seen(injected).headers['x-api-key'], 'of the gateway');
    const own = await gateway.request({ path: '/injecting/x', user: 'hanako', headers: { 'x-api-key': 'mine' } });
    assert.equal(problemOf(own).reason, 'reserved-header');
    const spelt = await gateway.request({ path: '/injecting/x', headers: { x_api_key: keys.reader.text } });
    assert.equal(problemOf(spelt).reason, 'reserved-header');
  });
});

describe('a change of keys', () => {
  test('two hold at one time, and what leaves the file ends within a second, open streams too', async () => {
    const agent = gateway.agent();
    assert.equal((await ask(keys.twin, { agent })).status, 200);
    assert.equal((await ask(next)).status, 200);
    assert.equal((await ask(keys.gone)).status, 200);
    const stream = await openDownload(gateway, 'acme.test', { authorization: `Bearer ${keys.stream.text}` });
    gateway.tenant({ ...tenantFile('acme', { twin: { keys: [next.entry] }, gone: null, stream: { keys: [] } }), certificates: gateway.certificates.acme });
    const start = performance.now();
    gateway.child.kill('SIGHUP');
    await until(async () => (await ask(keys.twin, { agent })).status === 401, '401 for the old key', 5000, 5);
    await until(async () => (await ask(keys.gone)).status === 401, '401 for the one that is gone', 5000, 5);
    assert.ok(performance.now() - start < 1000, `${performance.now() - start} ms`);
    await deadline(endedAfter(stream), 'the end of the stream', 2000);
    assert.equal((await ask(next)).status, 200);
    agent.destroy();
  });

  test('one that expires while it is used is good for nothing from that second on', async () => {
    const key = makeKey('brief', new Date(Math.ceil(Date.now() / 1000 + 3) * 1000).toISOString().replace(/\.\d+/, ''));
    gateway.tenant(openTenant('brief', upstream.url, { users: [{ name: 'brief', backend: 'key', roles: ['all'], keys: [key.entry] }] }));
    assert.equal((await gateway.reload()).id, 'SK1102');
    const get = () => gateway.request({ host: 'brief.test', headers: { authorization: `Bearer ${key.text}` } }).then(({ status }) => status);
    assert.equal(await get(), 200);
    await until(async () => await get() === 401, 'the end of the key', 8000);
    assert.ok(Date.now() >= Date.parse(key.entry.expires) - 20, 'not before');
    assert.ok(Date.now() < Date.parse(key.entry.expires) + 1000, 'and not long after');
  });
});

describe('the last use of a key', () => {
  const API = '/.sekisho/api/v1/keys';
  const list = (query = '', options = {}) => gateway.request({ host: 'used.test', path: `${API}${query}`, user: 'sakura', ...options });
  const rows = async (query, options) => (await list(query, options)).json().keys;
  const usedOf = async (key, options) => (await rows('', options)).find(({ sha256 }) => sha256 === key.entry.sha256)?.used;
  // Auth tells the store without waiting for an answer.
  const known = (key) => until(() => usedOf(key), 'a last use');
  const tool = (...args) => sekishoLive(['keys', 'list', '--server', `https://used.test:${gateway.port}`, '--user', 'sakura', '--cacert', gateway.authority.cert,
    '--resolve', `used.test:${gateway.port}:127.0.0.1`, ...args], { env: { SEKISHO_PASSWORD: PASSWORD } });
  const get = (key, options = {}) => ask(key, { host: 'used.test', ...options });

  before(async () => {
    for (const name of ['used', 'also']) {
      assert.equal((await gateway.reload(() => gateway.tenant(tenantFile(name)))).id, 'SK1102');
    }
  });

  test('is told for each key, to some minutes, for the tenant it was used at', async () => {
    const all = (await list()).json();
    assert.equal(all.total, 10);
    assert.deepEqual(all.keys.map(({ used }) => used), Array(10).fill(null));
    assert.deepEqual((await rows('?user=reader')), [{ user: 'reader', sha256: keys.reader.entry.sha256, expires: `${keys.reader.entry.expires.slice(0, 19)}.000Z`, certificate: null, used: null }]);
    assert.equal((await get(keys.twin)).status, 200);
    const used = await known(keys.twin);
    assert.ok(Math.abs(Date.parse(used) - Date.now()) < 10000, used);
    for (let i = 0; i < 6; i++) {
      assert.equal((await get(keys.twin)).status, 200);
    }
    assert.equal(await usedOf(keys.twin), used, 'not a write for each request');
    assert.deepEqual((await rows('?user=twin')).map((row) => row.used).sort(), [used, null].sort(), 'its other key is another');
    assert.deepEqual((await rows('', { host: 'also.test' })).map((row) => row.used), Array(10).fill(null), 'and another tenant\'s too');
  });

  test('is told of no key that was refused', async () => {
    const wrong = { text: keys.reader.text.slice(0, -4) + (keys.reader.text.endsWith('AAAA') ? 'BBBB' : 'AAAA') };
    for (const key of [wrong, old, keys.switchedoff]) {
      assert.equal((await get(key)).status, 401);
    }
    assert.equal((await get(keys.scoped)).status, 200);
    await known(keys.scoped);
    for (const key of [keys.reader, old, keys.switchedoff]) {
      assert.equal(await usedOf(key), null);
    }
  });

  test('outlives auth, store and a restart', async () => {
    const used = await known(keys.twin);
    for (const process of ['auth', 'store']) {
      gateway.kill(process);
      await until(() => gateway.ready(), 'an open gate');
      await until(async () => (await list()).status === 200, 'an answer');
      assert.equal(await usedOf(keys.twin), used);
    }
    assert.equal((await get(keys.twin)).status, 200);
    await until(async () => await usedOf(keys.twin) > used, 'a later use, of an auth that remembers none');
  });

  test('goes with the key', async () => {
    assert.equal((await get(keys.gone)).status, 200);
    await known(keys.gone);
    const change = async (own) => assert.equal((await gateway.reload(() => gateway.tenant({ ...tenantFile('used', own), certificates: gateway.certificates.used }))).id, 'SK1102');
    await change({ gone: null, twin: { keys: [next.entry] } });
    assert.equal(await usedOf(keys.gone), undefined);
    assert.equal(await usedOf(keys.twin), undefined);
    await change({});
    assert.equal(await usedOf(keys.gone), null);
    assert.equal(await usedOf(keys.twin), null);
    assert.ok(await usedOf(keys.scoped));
  });

  test('is for who may ask, and there is nothing else to do about keys', async () => {
    for (const [options, status, reason] of [[{ user: undefined }, 401, 'login-required'], [{ user: 'hanako' }, 403, 'not-permitted'], [{ method: 'DELETE' }, 405, 'method-not-allowed'],
      [{ path: `${API}/x` }, 404, 'no-such-resource'], [{ path: `${API}-x` }, 403, 'not-permitted']]) {
      const response = await list('', options);
      assert.deepEqual([response.status, problemOf(response).reason], [status, reason]);
    }
    assert.deepEqual((await list('?user=nobody')).json(), { keys: [], total: 0 });
    assert.deepEqual((await list('?user=hanako')).json(), { keys: [], total: 0 });
  });

  test('is shown by sekisho keys list', async () => {
    const table = await tool(), json = await tool('--of', 'scoped', '-o', 'json');
    assert.equal(table.status, 0, table.stderr);
    assert.match(table.stdout, /^USER +USED +EXPIRES +SHA256\n/);
    assert.match(table.stdout, new RegExp(`^scoped +20\\d\\d-\\S+ +20\\d\\d-\\S+ +${keys.scoped.entry.sha256}$`, 'm'));
    assert.match(table.stdout, new RegExp(`^reader +never +20\\d\\d-\\S+ +${keys.reader.entry.sha256}$`, 'm'));
    assert.deepEqual(JSON.parse(json.stdout), await rows('?user=scoped'));
  });
});

test('a tenant file with a key that cannot be is refused with its line', async () => {
  const bad = async (user, what) => {
    const line = await gateway.reload(() => gateway.tenant(openTenant('bad', upstream.url, { users: [user] })));
    assert.equal(line.id, 'SK1101');
    assert.match(JSON.stringify(line), what);
  };
  const good = makeKey('a').entry;
  await bad({ name: 'a', backend: 'key', roles: ['all'], keys: [{ ...good, sha256: 'abc' }] }, /64 hexadecimal digits/);
  await bad({ name: 'a', backend: 'key', roles: ['all'], keys: [{ ...good, expires: 'soon' }] }, /is not a time such as/);
  await bad({ name: 'a_b', backend: 'key', roles: ['all'], keys: [good] }, /at most 64 letters/);
  await bad({ name: 'a', backend: 'key', roles: ['all'], keys: Array(6).fill(good) }, /at most 5 keys/);
  await bad({ name: 'a', backend: 'key', roles: ['all'], keys: [good], scope: ['nope GET'] }, /is not APP METHOD/);
  await bad({ name: 'a', roles: ['all'], keys: [good] }, /are of programs: backend: key/);
});
