// Passkeys and security keys through the real gateway in real Chromium with its virtual authenticators: the first by a link, login
// with and without a password, step-up, recovery codes, removal; and what is refused, with its reason.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { addAuthenticator, shoot, startChromium } from './lib/chromium.mjs';
import { PASSWORD, openTenant, startGateway } from './lib/gateway.mjs';
import { FORM_COOKIE, SESSION_COOKIE } from './lib/person.mjs';
import { startUpstream } from './lib/upstream.mjs';

let gateway, upstream, chromium;
const SYNCED = { defaultBackupEligibility: true, defaultBackupState: true };
const TOUCH = { transport: 'usb', hasResidentKey: false, hasUserVerification: false, isUserVerified: false };

function panel(request, response) {
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
  response.end(`<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>panel</title><h1>${request.url}</h1>`);
}

const PEOPLE = ['hanako', 'jiro', 'saburo', 'shiro', 'goro', 'rokuro', 'shichiro', 'hachiro', 'kuro', 'ichiko', 'niko', 'miko', 'juro', 'toko'];

// A panel with these rules, and a user for each test, who has no other's passkeys.
function tenantFile(name, app, own = {}) {
  return openTenant(name, upstream.url, {
    apps: [{ name: 'panel', kind: 'panel', path: '/', upstreams: [upstream.url], ...app }],
    roles: [{ name: 'all', allow: ['panel * /**'] }, { name: 'boss', allow: ['sekisho * /.sekisho/api/**'] }],
    users: [...PEOPLE.map((person) => ({ name: person, roles: ['all'] })), { name: 'boss', roles: ['boss', 'all'] }],
    ...own,
  });
}

before(async () => {
  upstream = await startUpstream(panel);
  gateway = await startGateway({
    tenants: [tenantFile('weak', { step_up: ['* /admin/** fido2 within 5m'] }), tenantFile('strong', { factors: 'password+fido2 | passkey' }),
      tenantFile('evil', {}, { hosts: ['sub.strong.test'] }), tenantFile('bound', { factors: 'aal3' }, { fido2: { device_bound: true, user_verification: 'required', most: 1 } })],
    settings: { workers: 2 },
  });
  chromium = await startChromium(gateway);
});

after(async () => {
  await chromium?.stop();
  await gateway?.stop();
  await upstream?.close();
});

// ---- what people do

const heading = (page, name) => page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
const click = (page, name) => page.getByRole('button', { name, exact: true }).click();

async function linkFor(tenant, user) {
  const response = await gateway.request({ host: `${tenant}.test`, method: 'POST', path: `/.sekisho/api/v1/links?user=${user}`, user: 'boss' });
  assert.equal(response.status, 200, response.text);
  return new URL(JSON.parse(response.text).url).search;
}

async function open(t, options = {}) {
  return chromium.page(t, { locale: 'en-GB', ...options });
}

// A page of somebody who has just registered an authenticator by a link, and is at the account page.
async function registered(t, tenant, user, options = {}) {
  const page = await open(t);
  const authenticator = await addAuthenticator(page, options);
  await page.goto(`https://${tenant}.test/.sekisho/enroll${await linkFor(tenant, user)}`);
  await page.getByLabel('Name (optional)').fill('my <first> key');
  await click(page, 'Register');
  await heading(page, 'How you prove that it is you');
  return { page, authenticator };
}

async function logIn(page, user, password = PASSWORD) {
  await page.getByLabel('ID', { exact: true }).fill(user);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await click(page, 'Log in');
}

const logOut = (page) => page.context().clearCookies({ name: SESSION_COOKIE });
const refusal = (page) => page.getByRole('alert').filter({ visible: true }).first().textContent();
const lastLogin = async (subject, own = {}) => (await gateway.recorded({ op: 'login', subject, ...own })).at(-1);

describe('a first passkey', () => {
  test('is registered by a link, once, and lets its user in', async (t) => {
    const page = await open(t);
    await addAuthenticator(page);
    const search = await linkFor('strong', 'hanako');
    await page.goto(`https://strong.test/.sekisho/enroll${search}`);
    await page.getByText('hanako').waitFor();
    await shoot(page, 'enroll');
    await page.getByLabel('Name (optional)').fill('my <first> key');
    await click(page, 'Register');
    await heading(page, 'How you prove that it is you');
    await page.getByText('my <first> key').waitFor();
    const remove = page.getByRole('button', { name: 'Remove', exact: true });
    await page.locator(`[id="${await remove.getAttribute('aria-describedby')}"]`).getByText('my <first> key').waitFor();
    await shoot(page, 'account');
    await page.goto('https://strong.test/zones');
    await heading(page, '/zones');
    const added = (await gateway.recorded({ op: 'authenticator-added', subject: 'hanako' })).at(-1);
    assert.deepEqual([added.decision, added.reason], ['allow', 'none']);
    const login = await lastLogin('hanako', { reason: 'registered' });
    assert.match(login.factors, /hwk.*mfa/);
    await page.goto(`https://strong.test/.sekisho/enroll${search}`);
    assert.match(await refusal(page), /used already/);
  });

  test('in Japanese the page is Japanese', async (t) => {
    const page = await open(t, { locale: 'ja-JP' });
    await page.goto(`https://strong.test/.sekisho/enroll${await linkFor('strong', 'jiro')}`);
    await heading(page, 'パスキーの登録');
    await shoot(page, 'enroll-ja');
  });

  test('needs a link: who has a password alone cannot add one', async (t) => {
    const page = await open(t);
    await addAuthenticator(page);
    await page.goto('https://weak.test/.sekisho/account');
    await logIn(page, 'jiro');
    await heading(page, 'How you prove that it is you');
    await click(page, 'Add one');
    await heading(page, 'Confirm that it is you');
    await page.getByText(/You have never registered one\? Ask your administrator for a link/).waitFor();
    const asked = (await gateway.recorded({ path: '/.sekisho/passkey/options', subject: 'jiro' })).at(-1);
    assert.deepEqual([asked.decision, asked.reason], ['challenge', 'factor-required']);
    const listed = await gateway.request({ host: 'weak.test', path: '/.sekisho/api/v1/authenticators?user=jiro', user: 'boss' });
    assert.deepEqual(JSON.parse(listed.text), { authenticators: [], total: 0 });
  });

  test("a link is not made for another site's page, whatever password the browser sends with it", async () => {
    for (const headers of [{ origin: 'https://evil.test' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }]) {
      const response = await gateway.request({ host: 'weak.test', method: 'POST', path: '/.sekisho/api/v1/links?user=jiro', user: 'boss', headers });
      assert.deepEqual([response.status, JSON.parse(response.text).reason], [403, 'origin-not-allowed'], JSON.stringify(headers));
    }
  });

  test('a new link voids the older one, and a link of one tenant is none at another', async (t) => {
    const page = await open(t);
    const first = await linkFor('weak', 'saburo');
    await page.goto(`https://strong.test/.sekisho/enroll${first}`);
    assert.match(await refusal(page), /used already/);
    await linkFor('weak', 'saburo');
    await page.goto(`https://weak.test/.sekisho/enroll${first}`);
    assert.match(await refusal(page), /used already/);
  });
});

describe('login', () => {
  test('with a passkey alone, without a name', async (t) => {
    const { page } = await registered(t, 'strong', 'saburo');
    await logOut(page);
    await page.goto('https://strong.test/zones?a=1');
    await shoot(page, 'login-passkey');
    await click(page, 'Log in with a passkey');
    await heading(page, '/zones?a=1');
    const login = await lastLogin('saburo', { reason: 'login' });
    assert.match(login.factors, /^hwk,mfa$/);
  });

  test('a password is not enough where two factors are asked for, and a touched key is the second', async (t) => {
    const { page } = await registered(t, 'strong', 'shiro', TOUCH);
    await logOut(page);
    await page.goto('https://strong.test/zones');
    await logIn(page, 'shiro');
    await heading(page, 'Confirm that it is you');
    await shoot(page, 'verify');
    await click(page, 'Use your passkey or security key');
    await heading(page, '/zones');
    assert.match((await lastLogin('shiro', { reason: 'step-up' })).factors, /^pwd,hwk,mfa$/);
  });

  test('a touched key alone is not enough for that', async (t) => {
    const { page } = await registered(t, 'strong', 'goro', TOUCH);
    await page.goto('https://strong.test/zones');
    await heading(page, 'Log in');
  });

  test('a key that was removed is none any more', async (t) => {
    const { page } = await registered(t, 'strong', 'rokuro');
    const response = await gateway.request({ host: 'strong.test', method: 'DELETE', path: '/.sekisho/api/v1/authenticators?user=rokuro', user: 'boss' });
    assert.deepEqual(JSON.parse(response.text), { ended: 1 });
    await page.goto('https://strong.test/zones');
    await heading(page, 'Log in');
    await click(page, 'Log in with a passkey');
    assert.match(await refusal(page), /could not be verified/);
    await gateway.recorded({ op: 'login', decision: 'deny', reason: 'unknown-authenticator' });
    const gone = (await gateway.recorded({ op: 'authenticator-removed', subject: 'rokuro' })).at(-1);
    assert.deepEqual([gone.reason, gone.detail], ['revoked', 'all']);
  });

  test('a copy of the key whose counter stands still is refused', async (t) => {
    const { page, authenticator } = await registered(t, 'strong', 'shichiro');
    const [copy] = await authenticator.credentials();
    await logOut(page);
    await page.goto('https://strong.test/zones');
    await click(page, 'Log in with a passkey');
    await heading(page, '/zones');
    await authenticator.put(copy);
    await logOut(page);
    await page.goto('https://strong.test/zones');
    await click(page, 'Log in with a passkey');
    assert.match(await refusal(page), /could not be verified/);
    assert.equal((await lastLogin('shichiro', { decision: 'deny' })).reason, 'counter-went-back');
  });

  test('an answer that was sent once is worth nothing the second time', async (t) => {
    const { page } = await registered(t, 'strong', 'kuro');
    await logOut(page);
    await page.goto('https://strong.test/zones');
    const sent = page.waitForRequest((request) => new URL(request.url()).pathname === '/.sekisho/passkey');
    await click(page, 'Log in with a passkey');
    const body = (await sent).postData();
    await heading(page, '/zones');
    const form = new URLSearchParams(body).get('form');
    const again = await gateway.request({ host: 'strong.test', method: 'POST', path: '/.sekisho/passkey', body,
      headers: { 'content-type': 'application/x-www-form-urlencoded', cookie: `${FORM_COOKIE}=${form}` } });
    assert.equal(again.status, 403);
    assert.equal(again.headers['set-cookie']?.some((line) => line.startsWith(`${SESSION_COOKIE}=`)) ?? false, false);
    await gateway.recorded({ op: 'login', decision: 'deny', reason: 'challenge-used' });
  });

  test('what another site of the same domain had signed is refused', async (t) => {
    const { page } = await registered(t, 'strong', 'ichiko');
    const token = 'A'.repeat(43);
    const form = (fields) => ({ headers: { 'content-type': 'application/x-www-form-urlencoded', cookie: `${FORM_COOKIE}=${token}` },
      body: new URLSearchParams({ form: token, ...fields }).toString() });
    const offer = await gateway.request({ host: 'strong.test', method: 'POST', path: '/.sekisho/passkey/options', ...form({ purpose: 'prove' }) });
    await page.goto('https://sub.strong.test/');
    const signed = await page.evaluate(async ({ challenge }) => {
      const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
      const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
      const found = await navigator.credentials.get({ publicKey: { challenge: bytes(challenge), rpId: 'strong.test', timeout: 5000, allowCredentials: [] } });
      const { clientDataJSON, authenticatorData, signature, userHandle } = found.response;
      return { credential: text(found.rawId), client_data: text(clientDataJSON), object: text(authenticatorData), signature: text(signature), handle: text(userHandle) };
    }, JSON.parse(offer.text));
    const { challenge } = JSON.parse(offer.text);
    const response = await gateway.request({ host: 'strong.test', method: 'POST', path: '/.sekisho/passkey', ...form({ challenge, ...signed }) });
    assert.equal(response.status, 403);
    assert.equal((await lastLogin('ichiko', { decision: 'deny' })).reason, 'wrong-origin');
  });

  test('another tenant does not know it', async (t) => {
    const { page, authenticator } = await registered(t, 'strong', 'hachiro');
    const [credential] = await authenticator.credentials();
    await authenticator.put({ ...credential, rpId: 'weak.test' });
    await page.goto('https://weak.test/');
    await click(page, 'Log in with a passkey');
    assert.match(await refusal(page), /could not be verified/);
  });
});

describe('step-up', () => {
  test('a path asks for a key where the rest asks for a password, and comes back to where it was', async (t) => {
    const { page } = await registered(t, 'weak', 'hanako');
    await logOut(page);
    await page.goto('https://weak.test/zones');
    await logIn(page, 'hanako');
    await heading(page, '/zones');
    const before = (await page.context().cookies()).find(({ name }) => name === SESSION_COOKIE).value;
    await page.goto('https://weak.test/admin/users?x=1');
    await heading(page, 'Confirm that it is you');
    await click(page, 'Use your passkey or security key');
    await heading(page, '/admin/users?x=1');
    const after = (await page.context().cookies()).find(({ name }) => name === SESSION_COOKIE).value;
    assert.notEqual(after, before, 'another proof is another session');
    const old = await gateway.request({ host: 'weak.test', path: '/zones', headers: { cookie: `${SESSION_COOKIE}=${before}` } });
    assert.equal(old.status, 303, 'and the former is none any more');
  });

  test("another user's key is no proof", async (t) => {
    const { page } = await registered(t, 'weak', 'kuro');
    await logOut(page);
    await page.goto('https://weak.test/zones');
    await logIn(page, 'ichiko');
    await heading(page, '/zones');
    await page.goto('https://weak.test/admin/');
    await click(page, 'Use your passkey or security key');
    assert.equal((await page.getByRole('alert').filter({ visible: true }).textContent()).length > 0, true);
  });
});

describe('recovery codes', () => {
  test('are shown once, and each is good once, to register another key', async (t) => {
    const { page } = await registered(t, 'strong', 'niko');
    await click(page, 'Make new recovery codes');
    await heading(page, 'Recovery codes');
    await shoot(page, 'codes');
    const codes = (await page.locator('pre').textContent()).trim().split('\n');
    assert.equal(new Set(codes).size, 10);
    codes.forEach((code) => assert.match(code, /^([a-z2-7]{4}-){3}[a-z2-7]{4}$/));
    const recover = async () => {
      await logOut(page);
      await page.goto('https://strong.test/zones');
      await logIn(page, 'niko');
      await heading(page, 'Confirm that it is you');
      await page.getByText('You do not have it? Use a recovery code').click();
      await page.getByLabel('Recovery code').fill(` ${codes[3].toUpperCase().replaceAll('-', ' ')} `);
      await click(page, 'Confirm');
    };
    await recover();
    await heading(page, 'How you prove that it is you');
    await page.goto('https://strong.test/zones');
    await heading(page, 'Confirm that it is you');
    await page.goto('https://strong.test/.sekisho/account');
    const id = await page.getByRole('button', { name: 'Remove', exact: true }).getAttribute('value');
    await click(page, 'Remove');
    await page.getByText('There is none').waitFor();
    const gone = (await gateway.recorded({ op: 'authenticator-removed', subject: 'niko' })).at(-1);
    assert.deepEqual([gone.reason, gone.detail], ['by-user', id]);
    await click(page, 'Add one');
    await page.getByText('(no name)').waitFor();
    await recover();
    assert.match(await refusal(page), /not right, or was used already/);
    await page.locator('#code:focus').waitFor();
    assert.equal(await page.locator('#code').getAttribute('aria-describedby'), 'message');
  });

  test('on a narrow screen nothing runs over the edge, and no button is broken in two', async (t) => {
    for (const [person, locale] of [['juro', 'ja-JP'], ['toko', 'en-GB']]) {
      const page = await open(t, { locale, viewport: { width: 320, height: 480 } });
      await addAuthenticator(page);
      await page.goto(`https://strong.test/.sekisho/enroll${await linkFor('strong', person)}`);
      await page.locator('#label').fill('W'.repeat(20));
      await page.locator('form[data-passkey] button').click();
      await page.locator('td button').waitFor();
      await shoot(page, `account-narrow-${locale}`);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320);
      assert.ok((await page.locator('td button').boundingBox()).height < 40);
    }
  });
});

describe('a tenant that takes device-bound keys alone, and verifies their users', () => {
  test('refuses a synced passkey at registration', async (t) => {
    const page = await open(t);
    await addAuthenticator(page, SYNCED);
    await page.goto(`https://bound.test/.sekisho/enroll${await linkFor('bound', 'hanako')}`);
    await click(page, 'Register');
    assert.match(await refusal(page), /could not be registered/);
    assert.equal((await lastLogin('hanako', { decision: 'deny', host: 'bound.test' })).reason, 'synced-passkey');
  });

  test('takes one that is bound, at level 3, and no second one', async (t) => {
    const { page } = await registered(t, 'bound', 'miko');
    await page.goto('https://bound.test/zones');
    await heading(page, '/zones');
    await page.goto('https://bound.test/.sekisho/account');
    await addAuthenticator(page, { transport: 'usb' });
    await click(page, 'Add one');
    await heading(page, 'Nothing was changed');
    assert.match(await refusal(page), /as many as you may/);
  });
});
