// Passwords that people change themselves, or set by a link: with which rules, and what ends with the old one.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { PASSWORD, openTenant, startGateway, until } from './lib/gateway.mjs';
import { Browser, SESSION_COOKIE, formToken, loggedIn, sekisho } from './lib/person.mjs';
import { startUpstream } from './lib/upstream.mjs';

const CHOSEN = 'tsurezurenaru mama ni';
let gateway, upstream;
const PEOPLE = ['hanako', 'jiro', 'saburo', 'shiro', 'goro', 'rokuro', 'nanao', 'kuro', 'cheap'];

// An Argon2id hash of PASSWORD that costs less than the gateway's own.
const CHEAP = '$argon2id$v=19$m=8192,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$E00YDK579zCFKHdylDWWbt4Db/32fqyFEYPCGpqFXXw';

function tenantFile(name, own = {}) {
  return openTenant(name, upstream.url, {
    apps: [{ name: 'panel', kind: 'panel', path: '/', upstreams: [upstream.url] }, { name: 'api', kind: 'api', path: '/api', upstreams: [upstream.url] }],
    roles: [{ name: 'all', allow: ['panel * /**', 'api * /api/**'] }, { name: 'boss', allow: ['sekisho * /.sekisho/api/**'] }],
    users: [...PEOPLE.map((person) => ({ name: person, roles: ['all'], ...(person === 'cheap' ? { password_hash: CHEAP } : {}) })), { name: 'boss', roles: ['boss', 'all'] }],
    ...own,
  });
}

before(async () => {
  upstream = await startUpstream();
  gateway = await startGateway({ tenants: [tenantFile('acme'), tenantFile('strong', { factors: 'password+fido2 | passkey | key', roles: [{ name: 'all', allow: ['panel * /**'] }, { name: 'boss', allow: ['panel * /**'] }] })],
    settings: { workers: 2 } });
});

after(async () => {
  await gateway?.stop();
  await upstream?.close();
});

const basic = async (user, password) => (await gateway.request({ path: '/api/x', user, password })).status;

async function change(browser, password, chosen, again = chosen) {
  const page = await browser.get('/.sekisho/account');
  return browser.post('/.sekisho/account/password', { form: formToken(page.text), password, chosen, again });
}

async function link(user, own = '') {
  const response = await gateway.request({ method: 'POST', path: `/.sekisho/api/v1/links?user=${user}&for=password${own}`, user: 'boss' });
  assert.equal(response.status, 200, response.text);
  return new URL(JSON.parse(response.text).url);
}

async function set(url, chosen) {
  const browser = new Browser(gateway, 'acme.test');
  const page = await browser.get(url.pathname + url.search);
  return browser.post('/.sekisho/password', { form: formToken(page.text), link: url.searchParams.get('link'), chosen, again: chosen });
}

describe('whoever knows the password changes it', () => {
  test('and everything that the old one opened is shut, but for a session in place of the one that asked', async () => {
    const browser = await loggedIn(gateway, 'acme.test', 'hanako');
    const other = await loggedIn(gateway, 'acme.test', 'hanako');
    assert.equal(await basic('hanako', PASSWORD), 200);
    const before = browser.session;
    const answer = await change(browser, PASSWORD, CHOSEN);
    assert.deepEqual([answer.status, answer.headers.location], [303, '/.sekisho/account']);
    assert.notEqual(browser.session, before);
    assert.equal((await browser.get('/')).status, 200);
    assert.equal((await other.get('/')).status, 303);
    assert.equal((await gateway.request({ path: '/', headers: { cookie: `${SESSION_COOKIE}=${before}` } })).status, 303);
    assert.equal(await basic('hanako', PASSWORD), 401);
    assert.equal(await basic('hanako', CHOSEN), 200);
    const [record] = await gateway.recorded({ op: 'password-changed', subject: 'hanako' });
    assert.deepEqual([record.decision, record.reason], ['allow', 'by-user']);
  });

  test('not with a wrong one, which counts as a try', async () => {
    const browser = await loggedIn(gateway, 'acme.test', 'jiro');
    for (let tries = 0; tries < 3; tries++) {
      assert.match((await change(browser, 'not the password at all', CHOSEN)).text, /not right/);
    }
    const answer = await until(async () => {
      const tried = await change(browser, 'not the password at all', CHOSEN);
      return tried.status === 429 && /too many/.test(tried.text) ? tried : null;
    }, 'too many tries');
    assert.ok(Number(answer.headers['retry-after']) >= 1);
    assert.equal((await browser.get('/')).status, 200, 'the session goes on');
  });

  test('to what is no word of a list, no name, and long enough', async () => {
    const browser = await loggedIn(gateway, 'acme.test', 'saburo');
    for (const [chosen, expected] of [['short 3#', /too short/], ['password1234567', /tried first/], ['saburo-acme-2026', /little more than/], ['x'.repeat(1025), /too long/],
      ['tab\tin the middle of it', /cannot be used/]]) {
      const answer = await change(browser, PASSWORD, chosen);
      assert.equal(answer.status, 403, chosen);
      assert.match(answer.text, expected);
    }
    assert.match((await change(browser, PASSWORD, CHOSEN, 'something else')).text, /not the same/);
    assert.equal(await basic('saburo', PASSWORD), 200);
  });

  test('with eight characters where a second factor is always asked for', async () => {
    const browser = await loggedIn(gateway, 'strong.test', 'saburo');
    assert.match((await change(browser, PASSWORD, 'zq9vmwx')).text, /too short/);
    assert.equal((await change(browser, PASSWORD, 'zq9vmwxr')).status, 303);
  });

  test('and types it on any keyboard that spells it, but no other text', async () => {
    const browser = await loggedIn(gateway, 'acme.test', 'nanao');
    const whole = 'tsurezure caf\u00e9 \u304c \u00c5', apart = 'tsurezure cafe\u0301 \u304b\u3099 \u212b';
    assert.equal((await change(browser, PASSWORD, apart)).status, 303);
    for (const spelt of [whole, apart]) {
      assert.equal(await basic('nanao', spelt), 200);
      assert.ok(await loggedIn(gateway, 'acme.test', 'nanao', spelt));
    }
    assert.equal(await basic('nanao', 'tsurezure cafe \u304b \u00c5'), 401);
    const noText = Buffer.concat([Buffer.from('nanao:'), Buffer.from([0xff, 0xfe])]);
    assert.equal((await gateway.request({ path: '/api/x', headers: { authorization: `Basic ${noText.toString('base64')}` } })).status, 401);
    assert.equal((await change(browser, whole, 'tsurezure mata mata')).status, 303);
  });

  test('in a file too, whose hash is of the normal form', async () => {
    const apart = 'tsurezure cafe\u0301 to pan', whole = apart.normalize('NFC');
    const file = tenantFile('acme');
    file.users.push({ name: 'yae', roles: ['all'], password: apart });
    gateway.tenant(file);
    assert.equal((await gateway.reload()).id, 'SK1102');
    assert.equal(await basic('yae', whole), 200);
    assert.equal(await basic('yae', apart), 200);
  });

  test("not by another site's form", async () => {
    const browser = await loggedIn(gateway, 'acme.test', 'saburo');
    const answer = await browser.post('/.sekisho/account/password', { form: 'A'.repeat(43), password: PASSWORD, chosen: CHOSEN, again: CHOSEN });
    assert.equal(answer.status, 403);
    assert.equal(await basic('saburo', PASSWORD), 200);
  });

  test('and it holds over a restart of the store and of auth, until the file says another', async () => {
    const browser = await loggedIn(gateway, 'acme.test', 'shiro');
    assert.equal((await change(browser, PASSWORD, CHOSEN)).status, 303);
    for (const kind of ['store', 'auth']) {
      gateway.kill(kind);
      await until(async () => (await basic('shiro', CHOSEN)) === 200, `${kind} is back`);
    }
    await gateway.reload();
    assert.equal(await basic('shiro', CHOSEN), 200);
    const file = tenantFile('acme');
    file.users.find(({ name }) => name === 'shiro').password = 'what the file says now';
    gateway.tenant(file);
    assert.equal((await gateway.reload()).id, 'SK1102');
    assert.equal(await basic('shiro', CHOSEN), 401);
    assert.equal(await basic('shiro', 'what the file says now'), 200);
  });
});

describe('whoever has a link', () => {
  test('sets a password once', async () => {
    const url = await link('goro');
    assert.equal(url.pathname, '/.sekisho/password');
    assert.match((await set(url, 'password1234567')).text, /tried first/);
    const answer = await set(url, CHOSEN);
    assert.deepEqual([answer.status, answer.headers.location], [303, '/.sekisho/login']);
    assert.equal(await basic('goro', CHOSEN), 200);
    assert.equal(await basic('goro', PASSWORD), 401);
    assert.match((await set(url, 'another one that is long')).text, /used already/);
    const [record] = await gateway.recorded({ op: 'password-changed', subject: 'goro' });
    assert.equal(record.reason, 'by-link');
  });

  test('raced by himself, sets one', async () => {
    const url = await link('rokuro');
    const answers = await Promise.all(Array.from({ length: 6 }, (_, i) => set(url, `${CHOSEN} ${i}`)));
    assert.equal(answers.filter(({ status }) => status === 303).length, 1);
  });

  test('made by the command line, of one kind and no other', async () => {
    const made = await sekisho(['reset-password', '--server', `https://acme.test:${gateway.port}`, '--resolve', `acme.test:${gateway.port}:127.0.0.1`, '--cacert', gateway.authority.cert,
      '--user', 'boss', 'goro'], { env: { SEKISHO_PASSWORD: PASSWORD } });
    assert.match(made.stdout, /^https:\/\/acme\.test:\d+\/\.sekisho\/password\?link=[\w-]{43}\n$/);
    const secret = new URL(made.stdout.trim()).searchParams.get('link');
    assert.match((await gateway.request({ path: `/.sekisho/enroll?link=${secret}` })).text, /used already/);
  });

  test('is a user that there is', async () => {
    const response = await gateway.request({ method: 'POST', path: '/.sekisho/api/v1/links?user=nobody&for=password', user: 'boss' });
    assert.equal(response.status, 404);
  });
});

test('a hash that costs less than new ones is made anew at the next login, and ends no session', async () => {
  const browser = await loggedIn(gateway, 'acme.test', 'cheap');
  assert.equal((await browser.get('/')).status, 200);
  assert.equal(await basic('cheap', PASSWORD), 200);
  const rows = execFileSync('sqlite3', [`${gateway.folder}/data/store/tenants/${(await gateway.recorded({ op: 'login', subject: 'cheap' }))[0].tenant_id}.db`, 'SELECT count(*) FROM passwords'])
    .toString().trim();
  assert.ok(Number(rows) >= 1, 'the new one is kept');
  assert.equal((await browser.get('/')).status, 200);
});

test('what cannot be done because a part of the gateway is away is said so, and is no mistake of the user', async (t) => {
  const browser = await loggedIn(gateway, 'acme.test', 'kuro');
  const page = await browser.get('/.sekisho/account');
  const folder = path.join(gateway.data, 'store/tenants');
  const locks = await Promise.all(fs.readdirSync(folder).filter((name) => name.endsWith('.db')).map((name) => new Promise((resolve) => {
    const child = spawn('sqlite3', [path.join(folder, name)]);
    child.stdout.once('data', () => resolve(child));
    child.stdin.write('BEGIN IMMEDIATE;\nSELECT 1;\n');
  })));
  t.after(() => locks.forEach((child) => child.kill()));
  const answer = await browser.post('/.sekisho/account/password', { form: formToken(page.text), password: PASSWORD, chosen: CHOSEN, again: CHOSEN });
  assert.equal(answer.status, 503);
  assert.match(answer.headers['content-type'], /^text\/html/);
  assert.match(answer.text, /Not available at the moment.*store-unavailable/s);
  const [record] = await gateway.recorded({ op: 'request', status: 503, reason: 'store-unavailable' });
  assert.equal(record.decision, 'error');
  locks.forEach((child) => child.stdin.end('ROLLBACK;\n'));
  await until(async () => (await change(browser, PASSWORD, CHOSEN)).status === 303, 'a new password');
});

test('a store that is lost before it answered logs nobody in nor out', async () => {
  const form = 'F'.repeat(43);
  const asks = [{ path: '/.sekisho/account' }, { method: 'POST', path: '/.sekisho/logout', body: `form=${form}` }];
  for (const [i, ask] of asks.entries()) {
    const { grants_asked_total: asked } = await gateway.metrics();
    gateway.kill('store', 'SIGSTOP');
    const waiting = gateway.request({ ...ask, ms: 10000, headers: { cookie: `${SESSION_COOKIE}=${`${i}`.repeat(43)}; __Host-sekisho-form=${form}`,
      'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin' } });
    await until(async () => (await gateway.metrics()).grants_asked_total > asked, 'the question for the session');
    gateway.kill('store');
    const answer = await waiting;
    assert.equal(answer.status, 503);
    assert.match(answer.text, /Not available at the moment/);
    await until(() => gateway.ready(), 'an open gate');
  }
});
