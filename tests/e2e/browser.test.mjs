// The gateway's pages as people meet them: in Chromium, in Japanese and in English, with script and without. Each test fails
// when Chromium complains of a page, and so when a page breaks its own Content-Security-Policy.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { shoot, startChromium } from './lib/chromium.mjs';
import { PASSWORD, makeAuthority, openTenant, startGateway } from './lib/gateway.mjs';
import { FORM_COOKIE, SESSION_COOKIE } from './lib/person.mjs';
import { startUpstream } from './lib/upstream.mjs';

const WORDS = {
  ja: { login: 'ログイン', password: 'パスワード', wrong: 'IDまたはパスワードが正しくありません。', expired: 'フォームの有効期限が切れました。もう一度送信してください。',
    denied: 'アクセスできません', reason: '理由: ', logout: 'ログアウト', doLogout: 'ログアウトする', loggedOut: 'ログアウトしました', again: 'もう一度ログインする',
    nowhere: 'ページが見つかりません', address: 'アドレス: ', misdirected: 'この接続では表示できません' },
  en: { login: 'Log in', password: 'Password', wrong: 'The ID or the password is not right.', expired: 'The form had expired. Please send it again.',
    denied: 'Access denied', reason: 'Reason: ', logout: 'Log out', doLogout: 'Log out', loggedOut: 'You are logged out', again: 'Log in again',
    nowhere: 'Page not found', address: 'Address: ', misdirected: 'Not on this connection' },
};
const MODES = ['ja', 'en'].flatMap((language) => [true, false].map((script) => ({ language, script, words: WORDS[language],
  called: `${language}${script ? '' : ', no script'}`, options: { locale: language === 'ja' ? 'ja-JP' : 'en-GB', javaScriptEnabled: script } })));

let gateway, upstream, chromium;

// A panel that shows the path it was asked for; below /form it has another site's login form in it.
function panel(request, response) {
  if (request.url === '/elsewhere') {
    response.writeHead(302, { location: 'https://beta.test/there' }).end();
    return;
  }
  const form = '<form method="post" action="https://acme.test/.sekisho/login"><input name="user"><input name="password"><button>send</button></form>';
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
  response.end(`<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>panel</title><h1>${request.url}</h1>${request.url.startsWith('/form') ? form : ''}`);
}

function tenantFile(name, own = {}) {
  return openTenant(name, upstream.url, {
    apps: [{ name: 'panel', kind: 'panel', path: '/', upstreams: [upstream.url] }],
    roles: [{ name: 'all', allow: ['panel * /**'], deny: ['panel * /secret/**'] }],
    users: [{ name: 'hanako', roles: ['all'] }],
    ...own,
  });
}

before(async () => {
  upstream = await startUpstream(panel);
  const below = { apps: [{ name: 'panel', kind: 'panel', path: '/panel', upstreams: [upstream.url] }, { name: 'api', kind: 'api', path: '/api', upstreams: [upstream.url] }],
    roles: [{ name: 'all', allow: ['panel * /**'] }] };
  gateway = await startGateway({ tenants: [tenantFile('acme'), tenantFile('beta'), tenantFile('delta', below)], settings: { workers: 2 } });
  chromium = await startChromium(gateway);
});

after(async () => {
  await chromium?.stop();
  await gateway?.stop();
  await upstream?.close();
});

const heading = (page, name) => page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
const where = (page) => page.url().replace('https://acme.test', '');

async function fill(page, words, user, password) {
  await page.getByLabel('ID', { exact: true }).fill(user);
  await page.getByLabel(words.password, { exact: true }).fill(password);
  await page.getByRole('button', { name: words.login, exact: true }).click();
}

async function typedIdIsKept(page, words) {
  assert.equal(await page.getByLabel('ID', { exact: true }).inputValue(), 'hanako');
  assert.equal(await page.getByLabel(words.password, { exact: true }).inputValue(), '');
  await page.locator('#password:focus').waitFor();
  assert.equal(await page.locator('#password').getAttribute('aria-describedby'), await page.getByRole('alert').getAttribute('id'), 'and what was wrong is read aloud');
}

async function cookie(page, name) {
  return (await page.context().cookies()).find((held) => held.name === name);
}

async function loggedIn(t, { options, words }, target = '/home') {
  const page = await chromium.page(t, options);
  await page.goto(`https://acme.test${target}`);
  await fill(page, words, 'hanako', PASSWORD);
  return page;
}

for (const mode of MODES) {
  const { called, language, script, words, options } = mode;
  const shot = (page, name) => shoot(page, `${name}-${language}${script ? '' : '-no-script'}`);

  describe(called, () => {
    test('who comes to a panel logs in and is where they wanted to be', async (t) => {
      const page = await chromium.page(t, options);
      assert.equal((await page.goto('https://acme.test/zones?sort=name&of=%E9%96%A2')).status(), 200);
      await heading(page, words.login);
      assert.equal(await page.title(), words.login);
      assert.equal(await page.locator('html').getAttribute('lang'), language);
      await shot(page, 'login');
      await fill(page, words, 'hanako', PASSWORD);
      await heading(page, '/zones?sort=name&of=%E9%96%A2');
      assert.equal(where(page), '/zones?sort=name&of=%E9%96%A2');
      const { httpOnly, secure, sameSite, path } = await cookie(page, SESSION_COOKIE);
      assert.deepEqual({ httpOnly, secure, sameSite, path }, { httpOnly: true, secure: true, sameSite: 'Lax', path: '/' });
    });

    test('whom the panel sends to another host after the login is let go there', async (t) => {
      const page = await loggedIn(t, mode, '/elsewhere');
      await page.waitForURL(/^https:\/\/beta\.test\//);
    });

    test('a wrong password is told, and the next try is right', async (t) => {
      const page = await chromium.page(t, options);
      await page.goto('https://acme.test/zones');
      await fill(page, words, 'hanako', 'not the password');
      await page.getByRole('alert').filter({ hasText: words.wrong }).waitFor();
      await typedIdIsKept(page, words);
      assert.equal(await cookie(page, SESSION_COOKIE), undefined);
      await shot(page, 'wrong-password');
      await page.keyboard.type(PASSWORD);
      await page.keyboard.press('Enter');
      await heading(page, '/zones');
    });

    test('a form whose cookie is gone is shown again, and then works', async (t) => {
      const page = await chromium.page(t, options);
      await page.goto('https://acme.test/zones');
      await page.context().clearCookies({ name: FORM_COOKIE });
      await fill(page, words, 'hanako', PASSWORD);
      await page.getByRole('alert').filter({ hasText: words.expired }).waitFor();
      await typedIdIsKept(page, words);
      await shot(page, 'form-expired');
      await page.keyboard.type(PASSWORD);
      await page.keyboard.press('Enter');
      await heading(page, '/zones');
    });

    test('what is not permitted is refused with a reason, a number of the record, and a way out', async (t) => {
      const page = await loggedIn(t, mode);
      await heading(page, '/home');
      assert.equal((await page.goto('https://acme.test/secret/plans')).status(), 403);
      await heading(page, words.denied);
      const [reason, number] = await page.locator('code').allTextContents();
      assert.equal(reason, 'denied-by-rule');
      await page.getByText(`${words.reason}denied-by-rule`, { exact: true }).waitFor();
      const [record] = await gateway.recorded({ request: number });
      assert.deepEqual([record.subject, record.path, record.reason], ['hanako', '/secret/plans', 'denied-by-rule']);
      await shot(page, 'denied');
      await page.getByRole('link', { name: words.logout, exact: true }).click();
      await page.getByRole('button', { name: words.doLogout, exact: true }).waitFor();
      await shot(page, 'logout');
    });

    for (const [host, target, reason, shown = target] of [['acme', '/.sekisho/nonsense', 'no-such-page'], ['delta', '/.sekisho/nonsense', 'no-such-page'], ['delta', '/nothing/%E9%96%A2?x=1', 'no-app', '/nothing/%E9%96%A2'],
      ['acme', '/.sekisho/recover', 'method-not-allowed']]) {
      test(`where nothing is, it says so, and where that was: ${host} ${target}`, async (t) => {
        const page = await chromium.page(t, options);
        assert.equal((await page.goto(`https://${host}.test${target}`)).status(), reason === 'method-not-allowed' ? 405 : 404);
        await heading(page, words.nowhere);
        assert.equal(await page.title(), words.nowhere);
        assert.deepEqual((await page.locator('code').allTextContents()).slice(0, 2), [`${host}.test${shown}`, reason]);
        await page.getByText(`${words.address}${host}.test${shown}`, { exact: true }).waitFor();
        await shot(page, `${reason}-${host}`);
      });
    }

    test('who logs out is out, and may come back', async (t) => {
      const page = await loggedIn(t, mode);
      await heading(page, '/home');
      await page.goto('https://acme.test/.sekisho/logout');
      await page.getByRole('button', { name: words.doLogout, exact: true }).click();
      await heading(page, words.loggedOut);
      assert.deepEqual(await page.context().cookies(), []);
      await shot(page, 'logged-out');
      await page.getByRole('link', { name: words.again, exact: true }).click();
      await heading(page, words.login);
      await page.goto('https://acme.test/home');
      await fill(page, words, 'hanako', PASSWORD);
      await heading(page, '/home');
    });
  });
}

const [ja, , en] = MODES;

test('the keyboard is enough: the ID has the focus, Tab goes on to the password, Enter sends', async (t) => {
  const page = await chromium.page(t, en.options);
  await page.goto('https://acme.test/home');
  await page.locator('#user:focus').waitFor();
  await page.keyboard.type('hanako');
  await page.keyboard.press('Tab');
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press('Enter');
  await heading(page, '/home');
});

describe('on a narrow screen and in the dark nothing runs over the edge', () => {
  for (const [called, { options, words, language }, more] of [['narrow', ja, {}], ['narrow', en, {}], ['narrow-dark', ja, { colorScheme: 'dark' }]]) {
    test(`${called}, ${language}`, async (t) => {
      const page = await chromium.page(t, { ...options, viewport: { width: 320, height: 480 }, ...more });
      const fits = async (name) => {
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320, name);
        const heights = await page.locator('a:visible, button:visible, input:visible, summary:visible').evaluateAll((all) => all.map((one) => one.getBoundingClientRect().height));
        assert.ok(heights.every((height) => height >= 24), `${name}: a finger finds each of ${heights}`);
        await shoot(page, `${name}-${called}-${language}`);
      };
      await page.goto('https://acme.test/home');
      await fits('login');
      await fill(page, words, 'hanako', 'not the password');
      await page.getByRole('alert').waitFor();
      await fits('wrong-password');
      await fill(page, words, 'hanako', PASSWORD);
      await heading(page, '/home');
      await page.goto('https://acme.test/secret/plans');
      await fits('denied');
    });
  }
});

test('another site\'s page cannot send the login form', async (t) => {
  const page = await chromium.page(t, en.options);
  await page.goto('https://acme.test/home');
  await page.goto('https://beta.test/form');
  await fill(page, en.words, 'hanako', PASSWORD);
  await heading(page, '/form');
  await page.getByRole('textbox').first().fill('hanako');
  await page.getByRole('textbox').last().fill(PASSWORD);
  await page.getByRole('button').click();
  await page.getByRole('alert').filter({ hasText: en.words.expired }).waitFor();
  assert.equal(where(page), '/.sekisho/login');
  assert.equal(await page.getByLabel('ID', { exact: true }).inputValue(), '', 'nothing of the other site is on the page');
});

test('a certificate of an authority that Chromium does not know ends the visit', async (t) => {
  const { cert, key } = makeAuthority(gateway.folder, 'stranger').issue('gamma', ['gamma.test']);
  assert.equal((await gateway.reload(() => gateway.tenant(tenantFile('gamma', { certificates: [{ cert_file: cert, key_file: key }] })))).id, 'SK1102');
  const page = await chromium.page(t);
  await assert.rejects(page.goto('https://gamma.test/'), /ERR_CERT_AUTHORITY_INVALID/);
  await assert.rejects(page.goto('https://example.com/'), /ERR_NAME_NOT_RESOLVED/);
});

describe('a host that is not of the connection', () => {
  const html = { accept: 'text/html,*/*;q=0.8' };

  for (const { words, language } of [ja, en]) {
    test(`is told to a person on a page: ${language}`, async () => {
      const { status, headers, text } = await gateway.request({ host: 'nobody.test', servername: 'acme.test', path: '/zones', headers: { ...html, 'accept-language': language } });
      assert.deepEqual([status, headers['content-type']], [421, 'text/html; charset=utf-8']);
      assert.ok(text.includes(`<h1>${words.misdirected}</h1>`) && text.includes(`${words.address}<code>nobody.test/zones</code>`), text);
    });
  }
});
