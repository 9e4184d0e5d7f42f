// Who somebody is: passwords of programs (Basic) and of people (the login page), and what is remembered of them.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { PASSWORD, deadline, openTenant, startGateway, until } from './lib/gateway.mjs';
import { Browser, FORM_COOKIE, SESSION_COOKIE, allRecords, formToken, loggedIn, problemOf } from './lib/person.mjs';
import { startUpstream } from './lib/upstream.mjs';

const OTHER = 'another long password 2';
const LONG = Array.from({ length: 512 }, (_, i) => String.fromCodePoint(0xe0 + ((i * i) % 31))).join(''); // 1024 bytes of UTF-8, the most there may be

let gateway, upstream;

function tenantFile(name, users) {
  return openTenant(name, upstream.url, {
    regulation: { max_retries: 20, find_time: '1s', ban_time: '1s' }, // these tests guess a lot; guessing.test.mjs is about that
    apps: [
      { name: 'api', kind: 'api', path: '/api', upstreams: [upstream.url] },
      { name: 'panel', kind: 'panel', path: '/', upstreams: [upstream.url] },
    ],
    roles: [{ name: 'all', allow: ['api * /**', 'panel * /**', 'panel GET /'] }],
    users,
  });
}

const USERS = [
  { name: 'hanako', roles: ['all'] },
  { name: 'jiro', roles: ['all'] },
  { name: 'sleepy', roles: ['all'], disabled: true },
  { name: 'long', roles: ['all'], password: LONG },
  ...['removed', 'switchedoff', 'changed', 'kept'].map((name) => ({ name, roles: ['all'] })),
];

before(async () => {
  upstream = await startUpstream();
  gateway = await startGateway({ tenants: [tenantFile('acme', USERS), tenantFile('beta', [{ name: 'betty', roles: ['all'] }])],
    settings: { workers: 2, factor_helpers: 2 } });
});

after(async () => {
  await gateway?.stop();
  await upstream?.close();
});

// CPU time of the factor helpers in ms: what Argon2id costs, however busy the machine is.
function factorTime(from = gateway) {
  return from.pids('factor').reduce((sum, pid) => sum + Number(fs.readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6, 0);
}

async function costOf(ask) {
  const start = factorTime();
  const response = await ask();
  return { response, cost: factorTime() - start };
}

// Everything of an answer that a guesser could compare.
function comparable(response) {
  const headers = { ...response.headers };
  delete headers.date;
  delete headers['content-length'];
  return { status: response.status, headers,
    text: response.text.replace(/[0-9a-f]{32}/g, 'ID').replace(/name="form" value="[^"]*"/g, 'FORM') };
}

describe('Basic', () => {
  const ask = (options) => gateway.request({ path: '/api/x', ...options });

  test('the right password passes, and the record says who and how', async () => {
    const response = await ask({ user: 'hanako' });
    assert.equal(response.status, 200);
    const [login] = await gateway.recorded({ op: 'login', subject: 'hanako', decision: 'allow' });
    assert.equal(login.factors, 'pwd');
    assert.equal(login.address, '127.0.0.1');
    assert.equal(login.host, 'acme.test');
    const [request] = await gateway.recorded({ op: 'request', subject: 'hanako', path: '/api/x', decision: 'allow' });
    assert.equal(request.session, login.session);
    assert.equal(request.factors, 'pwd');
  });

  test('wrong, unknown, disabled, and another tenant\'s user get one and the same 401; the record tells them apart', async () => {
    const cases = [
      { user: 'hanako', password: 'wrong password 123', inner: 'wrong-password' },
      { user: 'nobody', inner: 'unknown-user' },
      { user: 'sleepy', inner: 'account-disabled' },
      { user: 'sleepy', password: 'wrong password 123', inner: 'wrong-password' },
      { user: 'betty', inner: 'unknown-user' },
    ];
    const answers = [];
    for (const { user, password, inner } of cases) {
      const response = await ask({ user, password });
      answers.push(comparable(response));
      assert.equal(response.status, 401, `${user} ${inner}`);
      assert.match(response.headers['www-authenticate'], /^Basic realm="[^"]+", charset="UTF-8", Bearer realm="[^"]+"$/);
      assert.equal(response.headers['content-type'], 'application/problem+json');
      const problem = problemOf(response);
      assert.match(problem.reason, /^[a-z]+(-[a-z]+)*$/);
      assert.match(problem.id, /^[0-9a-f]{32}$/);
      const records = await gateway.recorded((r) => r.request === problem.id && r.op === 'request');
      assert.equal(records.length, 1);
      assert.equal(records[0].status, 401);
      assert.equal(records[0].decision, 'challenge');
      const [login] = await gateway.recorded((r) => r.request === problem.id && r.op === 'login');
      assert.equal(login.decision, 'deny');
      assert.equal(login.reason, inner);
      assert.equal(login.subject, user);
    }
    for (const answer of answers) {
      assert.deepEqual(answer, answers[0]);
    }
    assert.equal(upstream.requests.filter(({ headers }) => headers['x-never']).length, 0);
  });

  test('a user of this tenant is nobody at another tenant', async () => {
    assert.equal((await gateway.request({ host: 'beta.test', path: '/api/x', user: 'betty' })).status, 200);
    assert.equal((await gateway.request({ host: 'beta.test', path: '/api/x', user: 'hanako' })).status, 401);
  });

  test('the upstream never sees the password, nor the Authorization header that carried it', async () => {
    const response = await ask({ user: 'hanako' });
    assert.equal(response.json().headers.authorization, undefined);
  });

  test('the longest password there may be is right, a byte more is refused', async () => {
    assert.equal((await ask({ user: 'long', password: LONG })).status, 200);
    const response = await ask({ user: 'long', password: `${LONG}x` });
    assert.equal(response.status, 401);
  });

  test('what is no Basic credential is refused without a verification', async () => {
    const headers = ['Basic', 'Basic ', 'Basic !!!!', `Basic ${Buffer.from('hanako').toString('base64')}`, `Basic ${Buffer.from(`:${PASSWORD}`).toString('base64')}`,
      `Basic ${Buffer.from('hanako:').toString('base64')}`, `Bearer ${Buffer.from(`hanako:${PASSWORD}`).toString('base64')}`, `Basic ${'A'.repeat(3000)}`,
      `Basic ${Buffer.from(`hanako:${PASSWORD}`).toString('base64')}, Basic x`];
    for (const authorization of headers) {
      const { response, cost } = await costOf(() => ask({ headers: { authorization } }));
      assert.equal(response.status, 401, authorization.slice(0, 60));
      assert.ok(cost < 5, `${authorization.slice(0, 60)} cost ${cost} ms of verification`);
    }
  });

  test('a header beyond the limit is refused as such, and on record', async () => {
    const response = await ask({ headers: { authorization: `Basic ${'A'.repeat(40000)}` } });
    assert.equal(response.status, 431);
    await gateway.recorded({ op: 'message-refused', reason: 'head-too-large' });
  });

  test('a second request with the same password costs no verification, on either worker', async () => {
    const first = await costOf(() => ask({ user: 'jiro' }));
    assert.equal(first.response.status, 200);
    assert.ok(first.cost > 10, `the first cost ${first.cost} ms`);
    const more = await costOf(() => Promise.all(Array.from({ length: 12 }, () => ask({ user: 'jiro' }))));
    assert.ok(more.response.every(({ status }) => status === 200));
    assert.ok(more.cost < 5, `12 more cost ${more.cost} ms`);
    assert.equal((await allRecords(gateway)).filter((r) => r.op === 'login' && r.subject === 'jiro').length, 1);
  });

  test('a wrong password is not remembered as right, nor right as wrong', async () => {
    assert.equal((await ask({ user: 'hanako', password: `${PASSWORD}x` })).status, 401);
    assert.equal((await ask({ user: 'hanako' })).status, 200);
    assert.equal((await ask({ user: 'hanako', password: `${PASSWORD}x` })).status, 401);
  });

  test('an unknown user costs a verification like a known one', async () => {
    const wrong = await costOf(() => ask({ user: 'hanako', password: 'wrong password 456' }));
    const unknown = await costOf(() => ask({ user: 'nobody-at-all', password: 'wrong password 456' }));
    assert.ok(wrong.cost > 10, `known: ${wrong.cost} ms`);
    assert.ok(unknown.cost > 10, `unknown: ${unknown.cost} ms`);
    assert.ok(unknown.cost < 3 * wrong.cost && wrong.cost < 3 * unknown.cost, `known ${wrong.cost} ms, unknown ${unknown.cost} ms`);
  });

  test('a remembered password ends within a second of a reload that removes, disables or changes the user', async () => {
    const users = ['removed', 'switchedoff', 'changed', 'kept'];
    const agents = Object.fromEntries(users.map((user) => [user, Array.from({ length: 4 }, () => gateway.agent())]));
    // What is being answered at the very moment may be cut: that is no 200 either.
    const all = (user) => Promise.all(agents[user].map((agent) => ask({ user, agent }).then(({ status }) => status, () => 'cut')));
    for (const user of users) {
      assert.deepEqual(await all(user), [200, 200, 200, 200]);
    }
    const next = USERS.filter(({ name }) => name !== 'removed').map((user) => (user.name === 'switchedoff' ? { ...user, disabled: true }
      : user.name === 'changed' ? { ...user, password: OTHER } : user));
    gateway.tenant({ ...tenantFile('acme', next), certificates: gateway.certificates.acme });
    const start = performance.now();
    gateway.child.kill('SIGHUP');
    for (const user of users.slice(0, 3)) {
      await until(async () => (await all(user)).every((status) => status === 401), `401 for ${user}`, 5000, 5);
      assert.ok(performance.now() - start < 1000, `${user}: ${performance.now() - start} ms`);
    }
    assert.deepEqual(await all('kept'), [200, 200, 200, 200]);
    assert.equal((await ask({ user: 'changed', password: OTHER })).status, 200);
    Object.values(agents).flat().forEach((agent) => agent.destroy());
  });
});

describe('many logins at once', () => {
  test('verifications are bounded by the pool, and remembered users are served meanwhile', async () => {
    assert.equal((await gateway.request({ path: '/api/x', user: 'hanako' })).status, 200);
    const session = await gateway.h2('acme.test');
    let open = 60;
    const logins = Array.from({ length: open }, (_, i) => gateway.request({ session, version: 2, path: '/api/x', user: `guest${i}` })
      .then(({ status }) => { open--; return status; }));
    const agent = gateway.agent();
    let served = 0, slowest = 0;
    while (open > 10) {
      const start = performance.now();
      assert.equal((await gateway.request({ agent, path: '/api/x', user: 'hanako' })).status, 200);
      slowest = Math.max(slowest, performance.now() - start);
      served++;
    }
    agent.destroy();
    assert.ok(served > 10, `${served} requests were served while 50 logins were`);
    assert.ok(slowest < 500, `the slowest took ${slowest} ms`);
    assert.equal(gateway.pids('factor').length, 2);
    assert.deepEqual(new Set(await Promise.all(logins)), new Set([401]));
    session.close();
  });

  test('more than the queue holds get 503, and nobody\'s right password is called wrong', async () => {
    const sessions = await Promise.all([1, 2, 3, 4].map(() => gateway.h2('acme.test')));
    const flood = Array.from({ length: 360 }, (_, i) => gateway.request({ session: sessions[i % 4], version: 2, path: '/api/x', user: `crowd${i}` }));
    const honest = Array.from({ length: 20 }, (_, i) => gateway.request({ session: sessions[i % 4], version: 2, path: '/api/x',
      user: 'long', password: LONG, headers: { 'x-n': String(i) } }));
    const statuses = (await Promise.all(flood)).map(({ status }) => status);
    assert.deepEqual([...new Set(statuses)].sort(), [401, 503], 'some are told to come again, the others are wrong');
    for (const { status } of await Promise.all(honest)) {
      assert.ok(status === 200 || status === 503, `a right password got ${status}`);
    }
    sessions.forEach((session) => session.close());
  });

  test('a login that waits while its password is changed is not remembered under the old one', async () => {
    const users = (password) => [{ name: 'wait', roles: ['all'], password }];
    gateway.tenant({ ...tenantFile('gamma', users(PASSWORD)), hosts: ['gamma.test'] });
    assert.equal((await gateway.reload()).id, 'SK1102');
    const session = await gateway.h2('gamma.test');
    const ask = (password) => gateway.request({ session, version: 2, host: 'gamma.test', path: '/api/x', user: 'wait', password });
    const asked = async () => (await gateway.metrics()).grants_asked_total;
    const before = await asked();
    const crowd = Array.from({ length: 80 }, (_, i) => gateway.request({ session, version: 2, host: 'gamma.test', path: '/api/x', user: `crowd${i}` }));
    await until(async () => await asked() >= before + 80, 'the crowd has come', 5000, 1);
    const late = ask(PASSWORD);
    await until(async () => await asked() >= before + 81, 'auth was asked for the late one', 5000, 1);
    const change = gateway.reload(() => gateway.tenant({ ...tenantFile('gamma', users(OTHER)), certificates: gateway.certificates.gamma }));
    let done = false;
    late.then(() => { done = true; });
    assert.equal((await change).id, 'SK1102');
    assert.equal(done, false, 'the old login was still waiting when the change was in force (else this test proves nothing)');
    await late; // judged by what was true when it came; but from now on:
    assert.equal((await ask(PASSWORD)).status, 401);
    assert.equal((await ask(OTHER)).status, 200);
    await Promise.all(crowd);
    session.close();
  });
});

describe('login page', () => {
  test('a panel without a session redirects to the login page with the way back', async () => {
    const response = await gateway.request({ path: '/zones/list?sort=a%20b&n=1' });
    assert.equal(response.status, 303);
    const location = new URL(response.headers.location, 'https://acme.test');
    assert.equal(location.host, 'acme.test');
    assert.equal(location.pathname, '/.sekisho/login');
    assert.equal(location.searchParams.get('return'), '/zones/list?sort=a%20b&n=1');
    assert.equal(response.headers['cache-control'], 'no-store');
  });

  test('what is not a navigation gets a 403 that says login-required, not a redirect', async () => {
    const before = upstream.requests.length;
    const response = await gateway.request({ method: 'POST', path: '/zones', body: 'x' });
    assert.equal(response.status, 403);
    assert.match(response.text, /login-required/);
    assert.equal(upstream.requests.length, before);
  });

  test('the page is Japanese or English as Accept-Language weighs them', async () => {
    const cases = [['ja', 'ja'], ['ja-JP,ja;q=0.9,en;q=0.8', 'ja'], ['en-US,en;q=0.9,ja;q=0.8', 'en'], ['ja;q=0.3, en;q=0.4', 'en'],
      ['en;q=0.3, ja;q=0.4', 'ja'], ['fr', 'en'], ['fr,ja;q=0.1', 'ja'], [undefined, 'en'], ['ja;q=0', 'en'], [',;=,,q', 'en']];
    for (const [language, expected] of cases) {
      const response = await gateway.request({ path: '/.sekisho/login', headers: language === undefined ? {} : { 'accept-language': language } });
      assert.equal(response.status, 200);
      assert.match(response.headers['content-type'], /^text\/html; charset=utf-8$/);
      assert.match(response.text, new RegExp(`<html lang="${expected}">`), String(language));
      assert.equal(/パスワード/.test(response.text), expected === 'ja', String(language));
    }
  });

  test('the page works without script and has but one of its own, is framed by nobody, and labels its fields', async () => {
    const response = await gateway.request({ path: '/.sekisho/login' });
    assert.equal(response.text.match(/<script/gi).length, 1);
    assert.doesNotMatch(response.text, /\son\w+=|javascript:/i);
    const policy = response.headers['content-security-policy'];
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.match(policy, /form-action 'self' https:/);
    assert.match(policy, /base-uri 'none'/);
    assert.doesNotMatch(policy, /unsafe/);
    const script = /<script>(.*)<\/script>/s.exec(response.text)[1];
    assert.ok(policy.includes(`script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'`), 'the script in the page is the one that is allowed');
    assert.equal(response.headers['cache-control'], 'no-store');
    assert.equal(response.headers['x-content-type-options'], 'nosniff');
    assert.match(response.headers['strict-transport-security'], /max-age=\d{8}/);
    for (const [, id] of response.text.matchAll(/<input id="([^"]+)"/g)) {
      assert.match(response.text, new RegExp(`<label for="${id}">`));
    }
    assert.match(response.text, /<input[^>]*name="password"[^>]*type="password"[^>]*autocomplete="current-password"/);
    const style = /<style>([^<]*)<\/style>/.exec(response.text)[1];
    assert.ok(policy.includes(`style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`), 'the style in the page is the one that is allowed');
  });

  test('logging in leads back to where one was going, with a session', async () => {
    const browser = new Browser(gateway, 'acme.test');
    const answer = await browser.login('hanako', PASSWORD, { back: '/zones/list?x=1&y=%20' });
    assert.equal(answer.status, 303);
    assert.equal(answer.headers.location, '/zones/list?x=1&y=%20');
    const there = await browser.get(answer.headers.location);
    assert.equal(there.status, 200);
    assert.equal(there.json().url, '/zones/list?x=1&y=%20');
    assert.doesNotMatch(JSON.stringify(there.json().headers), /__Host-sekisho/, 'the gateway\'s cookies stay at the gateway');
    const [login] = await gateway.recorded((r) => r.op === 'login' && r.subject === 'hanako' && r.decision === 'allow' && !r.session.startsWith('basic-'));
    const [request] = await gateway.recorded((r) => r.op === 'request' && r.path === '/zones/list' && r.status === 200);
    assert.equal(request.session, login.session);
    assert.ok(!JSON.stringify(await allRecords(gateway)).includes(browser.session), 'no record holds the cookie');
  });

  test('cookies are bound to the host, hidden from script, and sent over TLS alone', async () => {
    const browser = new Browser(gateway, 'acme.test');
    const page = await browser.get('/.sekisho/login');
    const answer = await browser.login('hanako');
    const lines = [...page.headers['set-cookie'], ...answer.headers['set-cookie']];
    assert.deepEqual(lines.map((line) => line.split('=')[0]).sort(), [SESSION_COOKIE, FORM_COOKIE].sort());
    for (const line of lines) {
      assert.match(line, /^__Host-/);
      assert.match(line, /; Secure(;|$)/i);
      assert.match(line, /; HttpOnly(;|$)/i);
      assert.match(line, /; SameSite=(Lax|Strict)(;|$)/i);
      assert.match(line, /; Path=\/(;|$)/i);
      assert.doesNotMatch(line, /domain=/i);
    }
    assert.ok(Buffer.from(browser.session, 'base64url').length >= 32);
  });

  test('each login makes a session of its own, whatever cookie the browser brings', async () => {
    const browser = new Browser(gateway, 'acme.test');
    browser.cookies.set(SESSION_COOKIE, 'A'.repeat(43));
    assert.equal((await browser.login('hanako')).status, 303);
    const first = browser.session;
    assert.notEqual(first, 'A'.repeat(43));
    assert.equal((await browser.login('hanako')).status, 303);
    assert.notEqual(browser.session, first);
  });

  test('wrong, unknown, disabled and over-long get one and the same page; the record tells them apart', async () => {
    const cases = [['hanako', 'wrong password 123', 'wrong-password'], ['nobody', PASSWORD, 'unknown-user'], ['sleepy', PASSWORD, 'account-disabled'],
      ['betty', PASSWORD, 'unknown-user'], ['long', `${LONG}x`, null], ['hanako', '', null]];
    const answers = [];
    for (const [user, password, inner] of cases) {
      const browser = new Browser(gateway, 'acme.test');
      await browser.get('/.sekisho/login');
      const seen = (await allRecords(gateway)).length;
      const answer = await browser.login(user, password);
      assert.ok(answer.text.includes(`value="${user}"`), 'the ID is kept');
      answers.push(comparable({ ...answer, text: answer.text.replace(`value="${user}"`, '') }));
      assert.equal(browser.session, undefined);
      assert.match(answer.text, /role="alert"/);
      if (inner) {
        const records = (await gateway.recorded((r) => r.op === 'login' && r.subject === user && r.reason === inner)).filter((r) => r.decision === 'deny');
        assert.ok(records.length > 0, `${user} ${inner}`);
      }
      assert.ok((await allRecords(gateway)).length > seen);
    }
    for (const answer of answers) {
      assert.deepEqual(answer, answers[0]);
    }
  });

  test('the longest password there may be logs in', async () => {
    const browser = new Browser(gateway, 'acme.test');
    assert.equal((await browser.login('long', LONG)).status, 303);
    assert.equal((await browser.get('/')).status, 200);
  });

  test('a form that did not come from this host\'s own page is refused before the password is looked at', async () => {
    const good = new Browser(gateway, 'acme.test');
    const token = formToken((await good.get('/.sekisho/login')).text);
    const fields = { form: token, return: '/', user: 'hanako', password: PASSWORD };
    const without = (name) => Object.fromEntries(Object.entries(fields).filter(([key]) => key !== name));
    const cases = {
      'wrong token': [{ ...fields, form: 'A'.repeat(43) }, {}],
      'no token': [without('form'), {}],
      'empty token': [{ ...fields, form: '' }, {}],
      'foreign origin': [fields, { origin: 'https://evil.test' }],
      'origin of another tenant': [fields, { origin: 'https://beta.test' }],
      'origin with a port': [fields, { origin: 'https://acme.test:444' }],
      'origin as a prefix': [fields, { origin: 'https://acme.test.evil.test' }],
      'plain origin': [fields, { origin: 'http://acme.test' }],
      'null origin': [fields, { origin: 'null' }],
      'cross-site': [fields, { 'sec-fetch-site': 'cross-site' }],
      'same-site': [fields, { 'sec-fetch-site': 'same-site' }],
    };
    for (const [name, [form, headers]] of Object.entries(cases)) {
      const { response, cost } = await costOf(() => good.post('/.sekisho/login', form, { headers }));
      assert.equal(response.status, 403, name);
      assert.equal(good.session, undefined, name);
      assert.ok(cost < 5, `${name}: ${cost} ms of verification`);
    }
    const stranger = new Browser(gateway, 'acme.test');
    const response = await stranger.post('/.sekisho/login', fields);
    assert.equal(response.status, 403, 'missing cookie');
    assert.equal(stranger.session, undefined);
    assert.equal((await good.post('/.sekisho/login', fields)).status, 303, 'and the same form without the change logs in');
  });

  test('credentials in the address, or in another kind of body, do not log in', async () => {
    const browser = new Browser(gateway, 'acme.test');
    const token = formToken((await browser.get('/.sekisho/login')).text);
    const query = new URLSearchParams({ form: token, user: 'hanako', password: PASSWORD }).toString();
    assert.equal((await browser.get(`/.sekisho/login?${query}`)).status, 200);
    assert.equal(browser.session, undefined);
    const json = await browser.send('POST', '/.sekisho/login', { body: JSON.stringify({ form: token, user: 'hanako', password: PASSWORD }),
      headers: { 'content-type': 'application/json' } });
    assert.equal(json.status, 403);
    assert.equal(browser.session, undefined);
  });

  test('a form that is too long is refused whole', async () => {
    const browser = new Browser(gateway, 'acme.test');
    const token = formToken((await browser.get('/.sekisho/login')).text);
    const response = await browser.post('/.sekisho/login', { padding: 'x'.repeat(20000), form: token, user: 'hanako', password: PASSWORD });
    assert.ok(response.status === 413 || response.status === 403, String(response.status));
    assert.equal(browser.session, undefined);
  });

  test('the form may come byte by byte, in both versions', async () => {
    for (const version of [1, 2]) {
      const browser = new Browser(gateway, 'acme.test');
      const form = formToken((await browser.get('/.sekisho/login')).text);
      const body = Buffer.from(new URLSearchParams({ form, return: '/there?a=%20&b=+', user: 'hanako', password: PASSWORD }).toString());
      const headers = { cookie: [...browser.cookies].map((pair) => pair.join('=')).join('; '), origin: 'https://acme.test',
        'content-type': 'application/x-www-form-urlencoded', 'content-length': String(body.length) };
      const bytes = async (stream) => {
        for (const byte of body) {
          stream.write(Buffer.from([byte]));
          await new Promise((resolve) => setImmediate(resolve));
        }
      };
      let answer;
      if (version === 1) {
        const wire = await gateway.rawTls('acme.test');
        wire.write(`POST /.sekisho/login HTTP/1.1\r\nhost: acme.test\r\n${Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
        await bytes(wire);
        answer = await wire.response();
        wire.destroy();
      } else {
        const session = await gateway.h2('acme.test');
        const stream = session.request({ ':method': 'POST', ':path': '/.sekisho/login', ':authority': 'acme.test', ...headers });
        const answered = new Promise((resolve, reject) => stream.on('response', (head) => resolve({ status: head[':status'], headers: head })).on('error', reject));
        await bytes(stream);
        stream.end();
        answer = await deadline(answered, 'the answer to the form');
        session.destroy();
      }
      assert.equal(answer.status, 303, `HTTP/${version}`);
      assert.equal(answer.headers.location, '/there?a=%20&b=+');
      assert.match(String(answer.headers['set-cookie']), new RegExp(`^${SESSION_COOKIE}=[^;]{43}`));
    }
  });

  test('a user\'s name beyond the longest there may be is refused before it is looked up', async () => {
    const name = 'n'.repeat(257);
    const browser = new Browser(gateway, 'acme.test');
    const { response, cost } = await costOf(() => browser.login(name));
    assert.equal(response.status, 403);
    const basic = await costOf(() => gateway.request({ path: '/api/x', user: name }));
    assert.equal(basic.response.status, 401);
    assert.ok(cost < 5 && basic.cost < 5, `${cost} and ${basic.cost} ms of verification`);
    await gateway.recorded({ request: problemOf(basic.response).id, status: 401 });
  });

  test('nothing leads away from this host', async () => {
    const corpus = ['//evil.test', '///evil.test', '/\\evil.test', '\\\\evil.test', '\\/evil.test', 'https://evil.test', 'https:evil.test', 'http:/\\evil.test',
      '%2f%2fevil.test', '/%2fevil.test', '/%2Fevil.test/', '/%5cevil.test', '%5c%5cevil.test', '\t//evil.test', '/\t/evil.test', '/\n/evil.test', '/\r\nset-cookie:a=b',
      ' //evil.test', '//evil.test/%2e%2e', '/..//evil.test', '/.//evil.test', '/a/..//evil.test', 'javascript:alert(1)', 'data:text/html,x', 'evil.test', '@evil.test',
      '/\u0000//evil.test', '//evil.test\\@acme.test', '/;@evil.test', '?x', '#x', '', '*', '/?return=//evil.test#', '/.sekisho/login?return=//evil.test', '/.sekisho/logout',
      `/${'a'.repeat(9000)}`, '/あ', '/%ff%fe'];
    for (const back of corpus) {
      const browser = new Browser(gateway, 'acme.test');
      const page = await browser.get(`/.sekisho/login?return=${encodeURIComponent(back)}`);
      assert.ok(page.status === 200 || page.status === 414 || page.status === 431, `${JSON.stringify(back)}: ${page.status}`);
      const kept = /name="return" value="([^"]*)"/.exec(page.text)?.[1];
      if (kept !== undefined) {
        assert.ok(kept === '/' || /^\/[^/\\]/.test(kept), `${JSON.stringify(back)} is kept as ${kept}`);
      }
      const answer = await browser.login('hanako', PASSWORD, { back: back.slice(0, 2000) });
      assert.equal(answer.status, 303, JSON.stringify(back));
      const { location } = answer.headers;
      const target = new URL(location, 'https://acme.test/');
      assert.equal(target.origin, 'https://acme.test', `${JSON.stringify(back)} leads to ${location}`);
      assert.match(location, /^\/(?![/\\])/, `${JSON.stringify(back)} leads to ${location}`);
      assert.ok(!answer.headers['set-cookie'].some((line) => line.startsWith('a=')));
    }
  });

  test('what the page shows of the request is escaped', async () => {
    const browser = new Browser(gateway, 'acme.test');
    const page = await browser.get(`/.sekisho/login?return=${encodeURIComponent('/x?"><b>&\'')}`);
    assert.doesNotMatch(page.text, /"><b>/);
  });

  test('a session of one tenant is none at another', async () => {
    const browser = await loggedIn(gateway, 'acme.test', 'hanako');
    const stranger = new Browser(gateway, 'beta.test');
    stranger.cookies.set(SESSION_COOKIE, browser.session);
    assert.equal((await stranger.get('/')).status, 303);
    assert.equal((await browser.get('/')).status, 200);
  });

  test('a session cookie is no credential for an api, nor Basic for a panel', async () => {
    const browser = await loggedIn(gateway, 'acme.test', 'hanako');
    assert.equal((await browser.get('/api/x')).status, 401);
    assert.equal((await gateway.request({ path: '/zones', user: 'hanako' })).status, 303);
  });

  test('a cookie that no login gave redirects to the login page', async () => {
    for (const value of ['x', 'A'.repeat(43), 'A'.repeat(44), 'A'.repeat(300), `${'A'.repeat(42)}"`]) {
      assert.equal((await gateway.request({ path: '/', headers: { cookie: `${SESSION_COOKIE}=${value}` } })).status, 303, value);
    }
  });

  test('a closed door is closed for the login page too', async () => {
    gateway.tenant({ ...openTenant('closed', upstream.url), open: false });
    assert.equal((await gateway.reload()).id, 'SK1102');
    for (const [method, path] of [['GET', '/.sekisho/login'], ['POST', '/.sekisho/login'], ['GET', '/.sekisho/logout'], ['GET', '/']]) {
      const response = await gateway.request({ host: 'closed.test', method, path });
      assert.equal(response.status, 403, `${method} ${path}`);
      assert.match(response.text, /tenant-closed/);
    }
  });
});

describe('logout', () => {
  test('the page asks, the form ends the session on every worker, and the old cookie is worth nothing', async () => {
    const browser = await loggedIn(gateway, 'acme.test', 'hanako');
    const { session } = browser;
    const agents = Array.from({ length: 6 }, () => gateway.agent());
    const replay = () => Promise.all(agents.map((agent) => gateway.request({ agent, path: '/', headers: { cookie: `${SESSION_COOKIE}=${session}` } }).then(({ status }) => status)));
    assert.deepEqual(new Set(await replay()), new Set([200]));
    const page = await browser.get('/.sekisho/logout');
    assert.equal(page.status, 200);
    assert.deepEqual(new Set(await replay()), new Set([200]), 'to look at the page ends nothing');
    const done = await browser.post('/.sekisho/logout', { form: formToken(page.text) });
    assert.equal(done.status, 200);
    assert.match(done.headers['set-cookie'].join(), new RegExp(`${SESSION_COOKIE}=; .*Max-Age=0`));
    assert.match(done.headers['clear-site-data'], /"cookies"/);
    assert.deepEqual(new Set(await replay()), new Set([303]));
    agents.forEach((agent) => agent.destroy());
    const [record] = await gateway.recorded({ op: 'logout', subject: 'hanako' });
    assert.equal(record.decision, 'allow');
  });

  test('another site cannot log anybody out', async () => {
    const browser = await loggedIn(gateway, 'acme.test', 'hanako');
    const form = formToken((await browser.get('/.sekisho/logout')).text);
    for (const [fields, headers] of [[{ form: 'A'.repeat(43) }, {}], [{}, {}], [{ form }, { origin: 'https://evil.test' }], [{ form }, { 'sec-fetch-site': 'cross-site' }]]) {
      assert.equal((await browser.post('/.sekisho/logout', fields, { headers })).status, 403);
    }
    assert.equal((await browser.get('/')).status, 200);
  });

  test('the logout page works also when the browser has lost its form cookie', async () => {
    const browser = await loggedIn(gateway, 'acme.test', 'hanako');
    browser.cookies.delete(FORM_COOKIE);
    const page = await browser.get('/.sekisho/logout');
    const done = await browser.post('/.sekisho/logout', { form: formToken(page.text) });
    assert.equal(done.status, 200);
    assert.equal(browser.session, undefined);
  });

  test('logging out twice is no error', async () => {
    const browser = await loggedIn(gateway, 'acme.test', 'hanako');
    const { session } = browser;
    const page = await browser.get('/.sekisho/logout');
    const form = formToken(page.text);
    assert.equal((await browser.post('/.sekisho/logout', { form })).status, 200);
    browser.cookies.set(SESSION_COOKIE, session);
    assert.equal((await browser.post('/.sekisho/logout', { form })).status, 200);
  });
});

test('no password and no cookie is in any record or log line', async () => {
  const all = JSON.stringify(await allRecords(gateway)) + JSON.stringify(gateway.log) + gateway.unparsed.join('\n');
  for (const secret of [PASSWORD, OTHER, LONG, 'wrong password', Buffer.from(`hanako:${PASSWORD}`).toString('base64'), '$argon2id$']) {
    assert.ok(!all.includes(secret), `${secret.slice(0, 20)} is written somewhere`);
  }
  assert.equal(gateway.verify().status, 0);
});
