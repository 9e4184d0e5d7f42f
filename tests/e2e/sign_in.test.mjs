// Signing in at the customer's own identity provider: a real one, from the button to the logout on both sides, and all that it, or whoever sits between, can do wrong.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { shoot, startChromium } from './lib/chromium.mjs';
import { freePorts, openTenant, startGateway, until } from './lib/gateway.mjs';
import { Browser, allRecords, elapse, endedAfter, openDownload, SESSION_COOKIE } from './lib/person.mjs';
import { ProviderBrowser, startProvider } from './lib/provider.mjs';
import { startUpstream } from './lib/upstream.mjs';

const BEGIN = '/.sekisho/sign-in/Corp', CALLBACK = `${BEGIN}/callback`;
const users = {
  taro: { claims: { groups: ['ops'], email: 'taro@corp.test', email_verified: true }, amr: ['pwd'] },
  hana: { claims: { groups: ['ops', 'unknown'], email: 'hana@corp.test', email_verified: true }, amr: ['pwd', 'otp'] },
  rin: { claims: { groups: [], email: 'rin@corp.test', email_verified: true }, amr: ['pwd'] },
  old: { claims: { groups: ['ops'], email: 'old@corp.test', email_verified: true }, amr: ['pwd'], ago: 3600 },
};
let gateway, upstream, sink, provider;

function tenant(name, own = {}, more = {}) {
  return openTenant(name, upstream.url, {
    apps: [{ name: 'panel', kind: 'panel', path: '/', upstreams: [upstream.url], identity: ['remote'], step_up: ['GET /vault fido2', 'GET /fresh oidc within 60s'] },
      { name: 'stream', kind: 'panel', path: '/stream', upstreams: [sink.url] }],
    roles: [{ name: 'all', allow: ['panel * /**', 'stream * /**'] }],
    sign_in: [{ name: 'Corp', issuer: provider.issuer, client_id: `${name} panel`, client_secret_file: gateway.file(`${name}.secret`, `se cret/${name}\n`), ca_file: gateway.authority.cert,
      scopes: ['email'], roles_claim: ['groups'], map: [{ value: 'ops', role: 'all' }], factors: [{ value: 'otp', factor: 'fido2' }], ...own }], ...more });
}

function client(name) {
  const at = `https://${name}.test`;
  return { client_id: `${name} panel`, client_secret: `se cret/${name}`, redirect_uris: [`${at}${CALLBACK}`], post_logout_redirect_uris: [`${at}/.sekisho/logout`],
    backchannel_logout_uri: `https://${name}.test:${gateway.port}${BEGIN}/logout`, backchannel_logout_session_required: true, id_token_signed_response_alg: 'ES256',
    token_endpoint_auth_method: 'client_secret_basic' };
}

before(async () => {
  upstream = await startUpstream();
  sink = await startUpstream((request, response) => { response.writeHead(200); response.write('more\n'); }, { stream: true });
  gateway = await startGateway({ settings: { workers: 2 }, tenants: [] });
  const [port] = await freePorts(1);
  provider = await startProvider(gateway.authority, port, { clients: ['acme', 'mail', 'beta'].map(client), users });
  await gateway.reload(() => {
    gateway.tenant(tenant('acme'));
    gateway.tenant(tenant('mail', { user_claim: 'email' }));
    gateway.tenant(tenant('beta'));
  });
  for (const name of ['acme', 'mail', 'beta']) {
    await until(async () => (await new Browser(gateway, `${name}.test`).get(BEGIN)).status === 303, 'the provider is known');
  }
});
after(async () => {
  await gateway?.stop();
  await provider?.stop();
  await Promise.all([upstream, sink].map((server) => server?.close()));
});

const pathOf = (url) => { const { pathname, search } = new URL(url); return pathname + search; };

// From the button to the answer to the callback: {browser, person, answer, back, cookie}.
async function signIn(user, { host = 'acme.test', browser = new Browser(gateway, host), person = new ProviderBrowser(provider), to = '/x?y=1' } = {}) {
  const sent = await browser.get(`${BEGIN}?return=${encodeURIComponent(to)}`);
  assert.equal(sent.status, 303, sent.text);
  const back = await person.follow(sent.headers.location, user);
  person.close();
  assert.ok(back.startsWith(`https://${host}${CALLBACK}?`), back);
  return { browser, person, back, answer: await browser.get(pathOf(back)) };
}

const said = async (browser, target = '/x') => browser.get(target);
const reasons = async (reason, from = 0) => (await allRecords(gateway)).slice(from).filter((r) => r.op === 'login' && r.reason === reason).length;

describe('signing in', { concurrency: false }, () => {
  test('the login page has a button for the provider, which leads there and back to where one was', async () => {
    const browser = new Browser(gateway, 'acme.test');
    const asked = await browser.get('/x?y=1');
    assert.equal(asked.status, 303);
    const page = await browser.get(asked.headers.location);
    assert.match(page.text, /<a class="button plain" href="\/\.sekisho\/sign-in\/Corp\?return=\/x%3Fy%3D1">Log in with Corp<\/a>/);
    const { answer } = await signIn('taro', { browser });
    assert.equal(answer.status, 303);
    assert.equal(answer.headers.location, '/x?y=1');
    assert.deepEqual([...browser.cookies.keys()].filter((name) => name.startsWith('__Host-sekisho-sign-in')), [], 'what the browser kept for the way is gone');
    const seen = await said(browser);
    assert.equal(seen.status, 200);
    assert.equal(upstream.requests.at(-1).headers['remote-user'], 'Corp:taro');
    assert.equal(upstream.requests.at(-1).headers['remote-groups'], 'all');
    assert.equal((await provider.exchanges()).basic, true);
    const [record] = await gateway.recorded((r) => r.op === 'login' && r.subject === 'Corp:taro' && r.decision === 'allow');
    assert.deepEqual([record.reason, record.factors], ['sign-in', 'fed']);
  });

  test('the provider is asked with PKCE, state, nonce, and when its user proved it', async () => {
    const { headers } = await new Browser(gateway, 'acme.test').get(BEGIN);
    const query = new URL(headers.location).searchParams;
    assert.equal(query.get('code_challenge_method'), 'S256');
    assert.equal(query.get('redirect_uri'), `https://acme.test${CALLBACK}`);
    assert.deepEqual([query.get('scope'), query.get('client_id'), query.get('response_type'), query.get('max_age')], ['openid email', 'acme panel', 'code', '43200']);
    for (const name of ['state', 'nonce', 'code_challenge']) {
      assert.equal(query.get(name).length, 43, name);
    }
    assert.match(headers['set-cookie'][0], /^__Host-sekisho-sign-in-[\w-]{8}=[\w-]{54}\.\/; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=600$/);
  });

  test('two that are begun at once both end', async () => {
    const browser = new Browser(gateway, 'acme.test');
    const [a, b] = [await browser.get(`${BEGIN}?return=/a`), await browser.get(`${BEGIN}?return=/b`)];
    const person = new ProviderBrowser(provider);
    const first = await person.follow(a.headers.location, 'taro');
    const second = await person.follow(b.headers.location, 'taro');
    person.close();
    assert.equal((await browser.get(pathOf(second))).headers.location, '/b');
    assert.equal((await browser.get(pathOf(first))).headers.location, '/a');
  });

  test('who has no role is known and may nothing', async () => {
    const { browser } = await signIn('rin');
    const answer = await said(browser);
    assert.equal(answer.status, 403);
    assert.match(answer.text, /not-permitted/);
  });

  test('a tenant may know its people by their verified address', async () => {
    const { browser, answer } = await signIn('taro', { host: 'mail.test' });
    assert.equal(answer.status, 303);
    await said(browser);
    assert.equal(upstream.requests.at(-1).headers['remote-user'], 'Corp:taro@corp.test');
    await provider.tell('unverified');
    const other = await signIn('taro', { host: 'mail.test' });
    await provider.tell('');
    assert.equal(other.answer.status, 403);
    await gateway.recorded((r) => r.reason === 'user-claim-missing' && r.host === 'mail.test');
  });

  test('a session that is there counts through a restart of all, and its roles are those of the file as it is', async () => {
    const { browser } = await signIn('taro', { host: 'beta.test' });
    assert.equal((await said(browser)).status, 200);
    await gateway.stop({ keep: true });
    await gateway.run();
    assert.equal((await said(browser)).status, 200);
    await gateway.reload(() => gateway.tenant(tenant('beta', { map: [{ value: 'dev', role: 'all' }] })));
    await until(async () => (await said(browser)).status === 403, 'no role any more');
    await gateway.reload(() => gateway.tenant(tenant('beta', {}, { sign_in: undefined })));
    await until(async () => (await said(browser)).status === 303, 'no session without its provider');
    await gateway.reload(() => gateway.tenant(tenant('beta')));
  });
});

describe('what a provider vouches for', { concurrency: false }, () => {
  test('counts by the file\'s word: otp is a second factor here, a password there is none', async () => {
    const plain = await signIn('taro');
    const asked = await said(plain.browser, '/vault');
    assert.equal(asked.status, 303, 'more is to be proven');
    assert.match(asked.headers.location, /^\/\.sekisho\/verify\?return=\/vault/);
    const page = await plain.browser.get(asked.headers.location);
    assert.match(page.text, /Log in with Corp/);
    assert.doesNotMatch(page.text, /recovery code/, 'he has none here');
    assert.match((await plain.browser.get('/.sekisho/account')).text, /Corp is where you sign in/);
    const strong = await signIn('hana');
    assert.equal((await said(strong.browser, '/vault')).status, 200);
    const [{ factors }] = await gateway.recorded((r) => r.op === 'login' && r.subject === 'Corp:hana' && r.decision === 'allow');
    assert.match(factors, /fed/);
  });

  test('is as old as the provider says, and proven anew when that is asked for', async () => {
    const { browser } = await signIn('old');
    const asked = await said(browser, '/fresh');
    assert.equal(asked.status, 303);
    assert.match(asked.headers.location, /^\/\.sekisho\/login\?/);
    const again = await browser.get(`${BEGIN}?return=/fresh`);
    assert.equal(new URL(again.headers.location).searchParams.get('prompt'), 'login');
    const before = browser.session;
    const { answer } = await signIn('taro', { browser, to: '/fresh' });
    assert.equal(answer.headers.location, '/fresh');
    assert.notEqual(browser.session, before);
    assert.equal((await said(browser, '/fresh')).status, 200);
    const former = new Browser(gateway, 'acme.test');
    former.cookies.set(SESSION_COOKIE, before);
    await until(async () => (await said(former)).status === 303, 'the session before has ended');
  });

  test('is another\'s when somebody else signs in there, and the session that was there ends, on record', async () => {
    const { browser } = await signIn('hana');
    await signIn('taro', { browser });
    assert.equal((await said(browser, '/vault')).status, 303, 'what the other proved is not his');
    await gateway.recorded((r) => r.op === 'session-ended' && r.reason === 'signed-in-as-another' && r.subject === 'Corp:hana');
  });

  test('is never fresh when it does not say when', async () => {
    await provider.tell('timeless');
    const { browser, answer } = await signIn('taro');
    await provider.tell('');
    assert.equal(answer.status, 303);
    assert.equal((await said(browser)).status, 200);
    assert.equal((await said(browser, '/fresh')).status, 303);
  });
});

describe('what is refused', { concurrency: false }, () => {
  const tampered = { nonce: 'token-nonce', audience: 'token-audience', party: 'token-authorized-party', issuer: 'token-issuer', expired: 'token-expired', key: 'token-signature',
    none: 'token-algorithm', hmac: 'token-algorithm' };
  for (const [fault, reason] of Object.entries(tampered)) {
    test(`an ID token with a wrong ${fault}: ${reason}`, async () => {
      const before = await reasons(reason);
      await provider.tell(fault);
      const { answer, browser } = await signIn('taro');
      await provider.tell('');
      assert.equal(answer.status, 403);
      assert.match(answer.text, /You could not be signed in/);
      assert.equal(browser.session, undefined);
      await until(async () => (await reasons(reason)) === before + 1, 'a record');
    });
  }

  test('somebody whom the provider refuses, with its word on record', async () => {
    const { answer } = await signIn('nobody');
    assert.equal(answer.status, 403);
    assert.equal((await gateway.recorded((r) => r.reason === 'provider-refused'))[0].detail, 'access_denied');
  });

  test('another browser\'s callback, one without its cookie, one that comes again, and one of another tenant', async () => {
    const browser = new Browser(gateway, 'acme.test');
    const sent = await browser.get(BEGIN);
    const person = new ProviderBrowser(provider);
    const back = pathOf(await person.follow(sent.headers.location, 'taro'));
    person.close();
    const { answered } = await provider.exchanges();
    for (const other of [new Browser(gateway, 'acme.test'), new Browser(gateway, 'beta.test')]) {
      const answer = await other.get(back);
      assert.equal(answer.status, 403);
      assert.match(answer.text, /began in another browser/);
    }
    const stolen = new Browser(gateway, 'beta.test');
    stolen.cookies = new Map(browser.cookies);
    assert.equal((await stolen.get(back)).status, 403, 'the cookie of another tenant');
    const changed = back.replace(/state=./, (text) => (text === 'state=A' ? 'state=B' : 'state=A'));
    assert.equal((await browser.get(changed)).status, 403);
    assert.equal((await browser.get(back.replace(/iss=[^&]*/, 'iss=https%3A%2F%2Fevil.test'))).status, 403, 'a code of another provider');
    assert.equal((await provider.exchanges()).answered, answered, 'none of them got as far as the provider');
    assert.equal(browser.session, undefined);
    const kept = new Map(browser.cookies);
    assert.equal((await browser.get(back)).status, 303, 'what others tried with it does not matter');
    browser.cookies = kept;
    assert.equal((await browser.get(back)).status, 403, 'it is used up');
    await gateway.recorded((r) => r.reason === 'provider-issuer');
    await gateway.recorded((r) => r.reason === 'challenge-used');
  });

  test('a code that is made up: the provider says no', async () => {
    const browser = new Browser(gateway, 'acme.test');
    const sent = new URL((await browser.get(BEGIN)).headers.location);
    const answer = await browser.get(`${CALLBACK}?code=madeup&state=${sent.searchParams.get('state')}&iss=${encodeURIComponent(provider.issuer)}`);
    assert.equal(answer.status, 403);
    await gateway.recorded((r) => r.reason === 'code-refused');
    assert.match((await gateway.logged((line) => line.id === 'SK1305')).why, /invalid_grant/);
  });

  for (const fault of ['broken', 'huge']) {
    test(`a provider that is ${fault}: 503, and it may be tried again`, async () => {
      await provider.tell(fault);
      const { answer } = await signIn('taro');
      await provider.tell('');
      assert.equal(answer.status, 503);
      assert.equal((await signIn('taro')).answer.status, 303);
    });
  }

  test('one that hangs delays nobody else, and fetch that dies is no verdict', async () => {
    await provider.tell('hang');
    const hanging = signIn('taro');
    await elapse(300);
    await provider.tell('');
    assert.equal((await signIn('hana', { host: 'beta.test' })).answer.status, 303);
    gateway.kill('fetch');
    assert.equal((await hanging).answer.status, 503);
    await until(async () => (await signIn('taro')).answer.status === 303, 'signed in again');
  });

  test('a page of no provider, a wrong method, and a return to elsewhere', async () => {
    const browser = new Browser(gateway, 'acme.test');
    assert.equal((await browser.get('/.sekisho/sign-in/Other')).status, 404);
    assert.equal((await browser.get('/.sekisho/sign-in/')).status, 404);
    assert.equal((await browser.get(`${BEGIN}/elsewhere`)).status, 404);
    assert.equal((await browser.get(`${BEGIN}/logout`)).status, 405);
    assert.equal((await browser.post(BEGIN, {})).status, 405);
    const { answer } = await signIn('taro', { to: '//evil.test/x' });
    assert.equal(answer.headers.location, '/');
    assert.equal((await signIn('taro', { to: `/${'a'.repeat(3000)}` })).answer.headers.location, '/');
  });
});

describe('logging out', { concurrency: false }, () => {
  test('here leads to the provider, where the session ends too, and back', async () => {
    const { browser, person } = await signIn('taro');
    const form = /name="form" value="([^"]*)"/.exec((await browser.get('/.sekisho/logout')).text)[1];
    const answer = await browser.post('/.sekisho/logout', { form });
    assert.equal(answer.status, 303);
    const url = new URL(answer.headers.location);
    assert.equal(url.searchParams.get('post_logout_redirect_uri'), 'https://acme.test/.sekisho/logout');
    const page = await person.request(url.href);
    const xsrf = /name="xsrf" value="([^"]*)"/.exec(page.text)[1];
    const action = /action="([^"]*)"/.exec(page.text)[1];
    const ended = await person.request(action, { method: 'POST', fields: { xsrf, logout: 'yes' } });
    person.close();
    assert.equal(ended.location, 'https://acme.test/.sekisho/logout');
    assert.match((await browser.get('/.sekisho/logout')).text, /You are logged out/);
    assert.equal(browser.session, undefined);
  });

  // The provider ends its session of that person, and tells its clients.
  async function logOutThere(person) {
    const page = await person.request('/session/end');
    const xsrf = /name="xsrf" value="([^"]*)"/.exec(page.text)[1];
    await person.request(/action="([^"]*)"/.exec(page.text)[1], { method: 'POST', fields: { xsrf, logout: 'yes' } });
    person.close();
  }

  test('there ends the session here within a second, its open streams too, and no other', async () => {
    const { browser, person } = await signIn('taro');
    const other = await signIn('taro'); // the same user, another session of his
    const wire = await openDownload(gateway, 'acme.test', { cookie: `${SESSION_COOKIE}=${browser.session}` });
    const ended = endedAfter(wire, 5000);
    await logOutThere(person);
    assert.ok(await ended < 5000);
    assert.equal((await said(browser)).status, 303);
    assert.equal((await said(other.browser)).status, 200);
    await gateway.recorded((r) => r.op === 'session-ended' && r.reason === 'provider-logout' && r.subject === 'Corp:taro' && !r.session && r.detail, 'what the provider said');
    await gateway.recorded((r) => r.op === 'session-ended' && r.reason === 'provider-logout' && r.subject === 'Corp:taro' && r.session, 'what ended');
    assert.deepEqual(provider.errors, []);
  });

  const post = (token, options = {}) => gateway.request({ method: 'POST', path: `${BEGIN}/logout`, body: new URLSearchParams({ logout_token: token }).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded' }, ...options });

  test('by a token of the user alone ends all that he has here', async () => {
    const sessions = [await signIn('taro'), await signIn('taro'), await signIn('hana')];
    assert.equal((await post(await provider.logoutToken({ sub: 'taro' }))).status, 200);
    await until(async () => (await said(sessions[0].browser)).status === 303 && (await said(sessions[1].browser)).status === 303, 'his sessions have ended');
    assert.equal((await said(sessions[2].browser)).status, 200);
  });

  test('by what is no such token does nothing', async () => {
    const { browser } = await signIn('taro');
    const now = Math.floor(Date.now() / 1000);
    const wrong = { 'an ID token': { sub: 'taro', events: null }, 'one with a nonce': { sub: 'taro', nonce: 'n' }, 'one of nobody': {}, 'an old one': { sub: 'taro', iat: now - 400 },
      'one of another client': { sub: 'taro', aud: 'another' }, 'one that is over': { sub: 'taro', exp: now - 100 } };
    for (const [what, claims] of Object.entries(wrong)) {
      const answer = await post(await provider.logoutToken(claims));
      assert.equal(answer.status, 400, what);
      assert.deepEqual(JSON.parse(answer.text), { error: 'invalid_request' });
    }
    assert.equal((await post('')).status, 400);
    assert.equal((await post('x'.repeat(9000))).status, 400);
    assert.equal((await post(await provider.logoutToken({ sub: 'taro' }), { host: 'beta.test' })).status, 400, 'another tenant\'s client');
    assert.equal((await said(browser)).status, 200);
  });

  test('is taken from a network from which nobody else gets in', async () => {
    await gateway.reload(() => gateway.tenant(tenant('beta', {}, { networks: [{ name: 'far', cidrs: ['192.0.2.0/24'] }], from: ['far'] })));
    assert.equal((await gateway.request({ host: 'beta.test', path: BEGIN })).status, 403);
    assert.equal((await post(await provider.logoutToken({ sub: 'taro', aud: 'beta panel' }), { host: 'beta.test' })).status, 200);
    await gateway.reload(() => gateway.tenant(tenant('beta')));
  });
});

describe('in Chromium', { concurrency: false }, () => {
  const words = { 'ja-JP': ['Corp でログイン', 'ログアウトする', 'ログアウトしました'], 'en-GB': ['Log in with Corp', 'Log out', 'You are logged out'] };
  let chromium;
  before(async () => { chromium = await startChromium(gateway); });
  after(() => chromium?.stop());
  for (const [locale, [button, logout, done]] of Object.entries(words)) {
    for (const javaScriptEnabled of [true, false]) {
      test(`a person signs in and out again (${locale}${javaScriptEnabled ? '' : ', no script'})`, async (t) => {
        const page = await chromium.page(t, { locale, javaScriptEnabled });
        await page.goto('https://acme.test/x');
        await shoot(page, `sign-in-${locale}`);
        await page.getByRole('link', { name: button, exact: true }).click();
        await page.getByLabel('User').fill('taro');
        await page.getByRole('button', { name: 'Sign in' }).click();
        await page.waitForURL('https://acme.test/x');
        await page.goto('https://acme.test/.sekisho/logout');
        await page.getByRole('button', { name: logout, exact: true }).click();
        await page.waitForURL(/^https:\/\/localhost:/);
        await page.getByRole('button', { name: 'Log out' }).click();
        await page.getByRole('heading', { level: 1, name: done, exact: true }).waitFor();
        assert.equal(page.url(), 'https://acme.test/.sekisho/logout');
        await page.goto('https://acme.test/x');
        await page.getByRole('link', { name: button, exact: true }).click();
        await page.getByLabel('User').waitFor(); // the provider asks anew
      });
    }
  }
});

describe('the provider changes', { concurrency: false }, () => {
  test('to another of the same name: nobody is taken over', async () => {
    const { browser } = await signIn('taro', { host: 'beta.test' });
    assert.equal((await said(browser)).status, 200);
    await gateway.reload(() => gateway.tenant(tenant('beta', { client_id: 'acme panel' })));
    await until(async () => (await said(browser)).status === 303, 'no session of another client');
    await gateway.reload(() => gateway.tenant(tenant('beta')));
  });

  test('its keys: the next who signs in has them fetched', async () => {
    const { browser } = await signIn('taro');
    const wire = await openDownload(gateway, 'acme.test', { cookie: `${SESSION_COOKIE}=${browser.session}` });
    await provider.stop();
    await provider.start(); // with others
    await until(async () => (await signIn('hana')).answer.status === 303, 'signed in by the new key', 30000, 500);
    assert.equal(wire.end, null, 'no stream of anybody is cut for it');
    assert.equal((await said(browser)).status, 200);
    wire.destroy();
  });
});
