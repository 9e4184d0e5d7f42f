// What is permitted: roles, networks and denials, at a running gateway and in `sekisho policy`, which must agree.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { PASSWORD, freePorts, openTenant, startGateway } from './lib/gateway.mjs';
import { Browser, SESSION_COOKIE, loggedIn, problemOf, sekishoLive } from './lib/person.mjs';
import { startUpstream } from './lib/upstream.mjs';

let gateway, upstream, port6;

// Networks by loopback address: 127.0.0.1 office, 127.0.0.2 lab, 127.0.0.3 street (let in, no more), 127.0.0.4 in none, ::1 six.
const NETWORKS = [
  { name: 'office', cidrs: ['127.0.0.1/32'] },
  { name: 'lab', cidrs: ['127.0.0.2'] },
  { name: 'street', cidrs: ['127.0.0.3/32'] },
  { name: 'six', cidrs: ['::1/128'] },
];

const ROLES = [
  { name: 'reader', allow: ['api GET,HEAD /api/**', 'panel GET,HEAD /**'] },
  { name: 'writer', inherits: ['reader'], allow: ['api POST,PUT /api/zones/**'], deny: ['api PUT /api/zones/locked/**'] },
  { name: 'chief', inherits: ['writer'], allow: ['api * /api/**', 'office-api * /internal/**'], deny: ['api DELETE /api/zones/*'] },
  { name: 'lab-only', from: ['lab'], allow: ['api GET /api/lab/**'], deny: ['api GET /api/lab/secret'] },
  { name: 'both', inherits: ['reader', 'lab-only'] },
  { name: 'nothing' },
];

const USERS = [
  { name: 'reader', roles: ['reader'] },
  { name: 'writer', roles: ['writer'] },
  { name: 'chief', roles: ['chief'] },
  { name: 'tech', roles: ['lab-only'] },
  { name: 'both', roles: ['both'] },
  { name: 'tied', roles: ['chief'], from: ['lab'] },
  { name: 'nothing', roles: ['nothing'] },
];

// user, address, method, path, verdict, reason
const CASES = [
  ['reader', '127.0.0.1', 'GET', '/api/x', 'allow', 'allowed'],
  ['reader', '127.0.0.1', 'HEAD', '/api/x/y/z', 'allow', 'allowed'],
  ['reader', '127.0.0.1', 'GET', '/api', 'allow', 'allowed'],
  ['reader', '127.0.0.1', 'POST', '/api/zones/a', 'deny', 'not-permitted'],
  ['reader', '127.0.0.1', 'OPTIONS', '/api/x', 'deny', 'not-permitted'],
  ['reader', '127.0.0.1', 'PATCH', '/api/x', 'deny', 'not-permitted'],
  ['reader', '127.0.0.3', 'GET', '/api/x', 'allow', 'allowed'],
  ['reader', '127.0.0.4', 'GET', '/api/x', 'deny', 'network-not-allowed'],
  ['reader', '::1', 'GET', '/api/x', 'allow', 'allowed'],
  ['reader', '::1', 'POST', '/api/x', 'deny', 'not-permitted'],
  ['writer', '127.0.0.1', 'GET', '/api/zones/a', 'allow', 'allowed'],
  ['writer', '127.0.0.1', 'POST', '/api/zones/a/b', 'allow', 'allowed'],
  ['writer', '127.0.0.1', 'POST', '/api/zonesx/a', 'deny', 'not-permitted'],
  ['writer', '127.0.0.1', 'POST', '/api/Zones/a', 'deny', 'not-permitted'],
  ['writer', '127.0.0.1', 'PUT', '/api/zones/locked/a', 'deny', 'denied-by-rule'],
  ['writer', '127.0.0.1', 'PUT', '/api/zones/%6Cocked/a', 'deny', 'denied-by-rule'],
  ['writer', '127.0.0.1', 'PUT', '/api/zones/locked2/a', 'allow', 'allowed'],
  ['writer', '127.0.0.1', 'DELETE', '/api/zones/a', 'deny', 'not-permitted'],
  ['chief', '127.0.0.1', 'DELETE', '/api/zones/a', 'deny', 'denied-by-rule'],
  ['chief', '127.0.0.1', 'DELETE', '/api/zones/a/b', 'allow', 'allowed'],
  ['chief', '127.0.0.1', 'PUT', '/api/zones/locked/a', 'deny', 'denied-by-rule'],
  ['chief', '127.0.0.1', 'PATCH', '/api/other', 'allow', 'allowed'],
  ['chief', '127.0.0.1', 'GET', '/internal/x', 'allow', 'allowed'],
  ['chief', '127.0.0.2', 'GET', '/internal/x', 'deny', 'app-network-not-allowed'],
  ['reader', '127.0.0.2', 'GET', '/internal/x', 'deny', 'app-network-not-allowed'],
  ['reader', '127.0.0.1', 'GET', '/internal/x', 'deny', 'not-permitted'],
  ['tech', '127.0.0.2', 'GET', '/api/lab/a', 'allow', 'allowed'],
  ['tech', '127.0.0.1', 'GET', '/api/lab/a', 'deny', 'role-network-not-allowed'],
  ['tech', '127.0.0.2', 'GET', '/api/lab/secret', 'deny', 'denied-by-rule'],
  ['tech', '127.0.0.1', 'GET', '/api/x', 'deny', 'not-permitted'],
  ['both', '127.0.0.1', 'GET', '/api/x', 'allow', 'allowed'],
  ['both', '127.0.0.1', 'GET', '/api/lab/secret', 'deny', 'denied-by-rule'],
  ['both', '127.0.0.2', 'GET', '/api/lab/secret', 'deny', 'denied-by-rule'],
  ['tied', '127.0.0.2', 'GET', '/api/x', 'allow', 'allowed'],
  ['tied', '127.0.0.1', 'GET', '/api/x', 'deny', 'user-network-not-allowed'],
  ['tied', '::1', 'GET', '/api/x', 'deny', 'user-network-not-allowed'],
  ['nothing', '127.0.0.1', 'GET', '/api/x', 'deny', 'not-permitted'],
  [null, '127.0.0.1', 'GET', '/api/x', 'challenge', 'login-required'],
  [null, '127.0.0.4', 'GET', '/api/x', 'deny', 'network-not-allowed'],
  [null, '127.0.0.2', 'GET', '/internal/x', 'deny', 'app-network-not-allowed'],
  ['chief', '127.0.0.1', 'GET', '/.sekisho/api/v1/sessions', 'deny', 'not-permitted'],
  ['reader', '127.0.0.1', 'GET', '/api/../internal/x', 'deny', 'dot-segment'],
  ['reader', '127.0.0.1', 'GET', '/api//x', 'deny', 'empty-segment'],
  ['reader', '127.0.0.1', 'GET', '/api/%2e%2e/x', 'deny', 'dot-segment'],
  ['reader', '127.0.0.1', 'GET', '/api%2Fx', 'deny', 'encoded-slash'],
  ['reader', '127.0.0.1', 'GET', '/api/%2525', 'deny', 'bad-path-byte'],
  ['reader', '127.0.0.1', 'GET', '/api/%zz', 'deny', 'bad-percent-encoding'],
];

before(async () => {
  upstream = await startUpstream();
  const [port, six] = await freePorts(2);
  port6 = six;
  gateway = await startGateway({
    tenants: [openTenant('acme', upstream.url, {
      networks: NETWORKS,
      from: ['office', 'lab', 'street', 'six'],
      apps: [
        { name: 'api', kind: 'api', path: '/api', upstreams: [upstream.url] },
        { name: 'office-api', kind: 'api', path: '/internal', from: ['office'], upstreams: [upstream.url] },
        { name: 'panel', kind: 'panel', path: '/', upstreams: [upstream.url] },
      ],
      roles: ROLES,
      users: USERS,
    }),
    openTenant('fresh', upstream.url, { open: undefined, from: undefined, users: [{ name: 'reader', roles: ['all'] }] }),
    openTenant('nowhere', upstream.url, { from: [] }),
    openTenant('apps', upstream.url, { hosts: ['apps.test', 'second.test'], apps: [
      { name: 'one', kind: 'api', path: '/one', upstreams: [upstream.url] },
      { name: 'deep', kind: 'api', path: '/one/two', upstreams: [upstream.url] },
      { name: 'there', kind: 'api', path: '/there', hosts: ['second.test'], upstreams: [upstream.url] },
    ], roles: [{ name: 'one', allow: ['one GET /one/**'] }, { name: 'deep', allow: ['deep GET /one/**'] }, { name: 'there', allow: ['there GET /there/**'] }],
    users: [{ name: 'one', roles: ['one'] }, { name: 'deep', roles: ['deep'] }, { name: 'there', roles: ['there'] }] })],
    settings: { listen: [`127.0.0.1:${port}`, `127.0.0.2:${port}`, `[::1]:${port6}`] },
  });
  gateway.port = port;
});

after(async () => {
  await gateway?.stop();
  await upstream?.close();
});

function from(address) {
  return address === '::1' ? { host: '::1', port: port6 } : { host: '127.0.0.1', localAddress: address };
}

const ask = (user, address, method, target, options = {}) => gateway.request({ method, path: target, user: user ?? undefined, tls: from(address), ...options });

const tenantPath = () => path.join(gateway.folder, 'tenants/acme.yaml');

describe('one table, three judges', () => {
  test('the gateway decides as the table says', async () => {
    for (const [user, address, method, target, verdict, reason] of CASES) {
      const name = `${user} ${address} ${method} ${target}`;
      const before = upstream.requests.length;
      // As bytes: a client's own idea of a path must not get in between.
      const wire = await gateway.rawTls('acme.test', from(address));
      wire.write(`${method} ${target} HTTP/1.1\r\nhost: acme.test\r\n${user ? `authorization: ${gateway.basic(user)}\r\n` : ''}content-length: 0\r\n\r\n`);
      const response = await wire.response({ head: method === 'HEAD' });
      wire.destroy();
      if (verdict === 'allow') {
        assert.equal(response.status, 200, name);
        assert.equal(upstream.requests.length, before + 1, name);
        continue;
      }
      assert.equal(upstream.requests.length, before, `${name}: nothing reaches the upstream`);
      const problem = JSON.parse(response.body.toString());
      assert.equal(problem.reason, reason, name);
      assert.equal(response.status, verdict === 'challenge' ? 401 : ['not-permitted', 'denied-by-rule'].includes(reason) || reason.includes('network') ? 403 : 400, name);
      const [record] = await gateway.recorded((r) => r.request === problem.id && r.op !== 'login');
      assert.equal(record.reason, reason, name);
      assert.equal(record.decision, verdict, name);
      assert.equal(record.address, address, name);
      if (reason === 'denied-by-rule') {
        assert.match(record.rule, /deny/, name);
      }
    }
  });

  test('`sekisho policy test` decides as the table says', async () => {
    const tenant = JSON.parse(fs.readFileSync(tenantPath(), 'utf8'));
    tenant.tests = CASES.map(([user, address, method, target, expect, reason]) => ({ ...(user ? { user } : {}), address, method, path: target, expect, reason }));
    const file = gateway.file('with-tests.yaml', tenant);
    const good = await sekishoLive(['policy', 'test', file]);
    assert.equal(good.status, 0, good.stdout + good.stderr);
    assert.match(good.stdout, new RegExp(`\\b${CASES.length}\\b`));
    tenant.tests[0].expect = 'deny';
    const bad = await sekishoLive(['policy', 'test', gateway.file('with-tests.yaml', tenant)]);
    assert.equal(bad.status, 1);
    assert.match(bad.stdout + bad.stderr, /with-tests\.yaml:\d+: .*tests\[0\]/);
  });

  test('`sekisho policy explain` says the verdict, the reason and the rule', async () => {
    for (const [user, address, method, target, verdict, reason] of CASES) {
      const { status, stdout, stderr } = await sekishoLive(['policy', 'explain', ...(user ? ['--user', user] : []), '--address', address, '--method', method, '--path', target,
        '-o', 'json', tenantPath()]);
      assert.equal(status, 0, stderr);
      const explained = JSON.parse(stdout);
      const flat = JSON.stringify(explained);
      assert.equal(explained.decision ?? explained.verdict, verdict, `${user} ${address} ${method} ${target}: ${flat}`);
      assert.equal(explained.reason, reason, `${user} ${address} ${method} ${target}: ${flat}`);
      if (reason === 'denied-by-rule') {
        assert.match(explained.rule, /deny/);
      }
    }
    const table = await sekishoLive(['policy', 'explain', '--user', 'tech', '--address', '127.0.0.1', '--path', '/api/lab/a', tenantPath()]);
    assert.match(table.stdout, /\bno\b[\s\S]*role-network-not-allowed/);
  });
});

test('a new tenant admits nobody: not open, no network, no role, each alone', async () => {
  const closed = await gateway.request({ host: 'fresh.test', user: 'reader' });
  assert.equal(closed.status, 403);
  assert.equal(problemOf(closed).reason, 'tenant-closed');
  const nowhere = await gateway.request({ host: 'nowhere.test', user: 'hanako' });
  assert.equal(nowhere.status, 403);
  assert.equal(problemOf(nowhere).reason, 'network-not-allowed');
});

test('the app is the longest prefix that ends at a segment, on its own hosts alone', async () => {
  const status = async (user, target, host = 'apps.test') => (await gateway.request({ host, path: target, user })).status;
  assert.equal(await status('one', '/one/x'), 200);
  assert.equal(await status('one', '/one/two/x'), 403, 'another app\'s');
  assert.equal(await status('deep', '/one/two/x'), 200);
  assert.equal(await status('deep', '/one/two'), 200);
  assert.equal(await status('deep', '/one/twox'), 403);
  assert.equal(await status('one', '/one/twox'), 200);
  assert.equal(await status('there', '/there/x', 'second.test'), 200);
  assert.equal(await status('there', '/there/x', 'apps.test'), 404);
  const none = await gateway.request({ host: 'apps.test', path: '/nothing', user: 'one' });
  assert.equal(none.status, 404);
  assert.equal(none.headers['content-type'], 'application/problem+json');
  assert.deepEqual([problemOf(none).reason, problemOf(none).detail], ['no-app', 'no app is at apps.test/nothing: check the host and the path']);
  const own = await gateway.request({ host: 'apps.test', path: '/.sekisho/nonsense', user: 'one' });
  assert.deepEqual([own.status, problemOf(own).reason, problemOf(own).detail], [404, 'no-such-page', 'the gateway has no page at apps.test/.sekisho/nonsense: check the path']);
});

describe('denials', () => {
  test('an api says so in JSON, with a reason and an opaque id', async () => {
    const response = await ask('reader', '127.0.0.1', 'POST', '/api/x');
    assert.equal(response.status, 403);
    assert.equal(response.headers['content-type'], 'application/problem+json');
    assert.equal(response.headers['cache-control'], 'no-store');
    const problem = problemOf(response);
    assert.deepEqual([problem.status, problem.reason], [403, 'not-permitted']);
    assert.match(problem.id, /^[0-9a-f]{32}$/);
    assert.doesNotMatch(response.text, /reader|writer|role|acme/, 'and nothing of how it came to it');
  });

  test('a panel says so on a page, in Japanese or English', async () => {
    const browser = await loggedIn(gateway, 'acme.test', 'nothing');
    for (const [language, lang, word] of [['ja', 'ja', 'アクセスできません'], ['en', 'en', 'Access denied'], ['de', 'en', 'Access denied']]) {
      const response = await browser.get('/zones', { headers: { 'accept-language': language } });
      assert.equal(response.status, 403);
      assert.match(response.headers['content-type'], /^text\/html/);
      assert.match(response.text, new RegExp(`<html lang="${lang}">`));
      assert.ok(response.text.includes(word), language);
      assert.match(response.text, /<code>not-permitted<\/code>/);
      const [, id] = /<code>([0-9a-f]{32})<\/code>/.exec(response.text);
      const [record] = await gateway.recorded((r) => r.request === id);
      assert.equal(record.reason, 'not-permitted');
      assert.equal(record.subject, 'nothing');
      assert.match(response.headers['content-security-policy'], /default-src 'none'/);
      assert.doesNotMatch(response.text, /<script/);
      assert.match(response.text, /\/\.sekisho\/logout/);
    }
  });

  test('a panel from a network that is not let in shows no login page', async () => {
    for (const target of ['/', '/.sekisho/login', '/.sekisho/logout']) {
      const response = await gateway.request({ path: target, tls: from('127.0.0.4') });
      assert.equal(response.status, 403, target);
      assert.match(response.text, /network-not-allowed/);
    }
  });

  test('a session from one address is judged by the address of each request', async () => {
    const browser = new Browser(gateway, 'acme.test', { tls: from('127.0.0.2') });
    assert.equal((await browser.login('tied', PASSWORD)).status, 303);
    assert.equal((await browser.get('/x')).status, 200);
    const elsewhere = await gateway.request({ path: '/x', headers: { cookie: `${SESSION_COOKIE}=${browser.session}` }, tls: from('127.0.0.1') });
    assert.equal(elsewhere.status, 403);
    assert.match(elsewhere.text, /user-network-not-allowed/);
  });
});
