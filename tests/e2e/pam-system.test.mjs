// The PAM service as it is installed: deploy/pam.d/sekisho in /etc/pam.d, with the system's own modules and accounts.
// Runs as root in a mount namespace of its own, over a copy of /etc that nobody else sees: no account of the machine is
// touched. Needs the Debian packages libpam-modules and openssl.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { ROOT, openTenant, startGateway } from './lib/gateway.mjs';
import { privately } from './lib/mounts.mjs';
import { Browser, answerAll } from './lib/person.mjs';
import { startUpstream } from './lib/upstream.mjs';

privately(import.meta.url);

const OLD = 'the Old word of taro 1', NEW = 'quite Another Phrase 2';
const DAY = Math.floor(Date.now() / 86400000);

// name: [hash or what stands for it, last change, maximum age, the day it expires]
const ACCOUNTS = { 'sk-good': [null, DAY, '', ''], 'sk-locked': ['!', DAY, '', ''], 'sk-expired': [null, DAY, '', DAY - 1], 'sk-aged': [null, DAY - 100, 90, ''],
  'sk-must': [null, 0, '', ''] };

let gateway, upstream, folder;

before(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sekisho-etc-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=0755', 'tmpfs', folder]);
  execFileSync('cp', ['-a', '/etc/.', folder]);
  fs.copyFileSync(path.join(ROOT, 'deploy/pam.d/sekisho'), path.join(folder, 'pam.d/sekisho'));
  const hash = execFileSync('openssl', ['passwd', '-6', OLD]).toString().trim();
  Object.entries(ACCOUNTS).forEach(([name, [password, changed, most, expires]], n) => {
    fs.appendFileSync(path.join(folder, 'passwd'), `${name}:x:${64300 + n}:64300::/nonexistent:/usr/sbin/nologin\n`);
    fs.appendFileSync(path.join(folder, 'shadow'), `${name}:${password ?? hash}:${changed}:0:${most}:7::${expires}:\n`);
  });
  execFileSync('mount', ['--bind', folder, '/etc']);
  upstream = await startUpstream();
  gateway = await startGateway({ tenants: [openTenant('acme', upstream.url, {
    apps: [{ name: 'api', kind: 'api', path: '/api', upstreams: [upstream.url] }, { name: 'panel', kind: 'panel', path: '/', upstreams: [upstream.url] }],
    roles: [{ name: 'all', allow: ['api * /**', 'panel * /**'] }],
    users: [...Object.keys(ACCOUNTS), 'sk-nobody'].map((name) => ({ name, roles: ['all'], backend: 'pam' })) })],
  settings: { pam_helpers: 1 } });
});

after(async () => {
  await gateway?.stop();
  await upstream?.close();
  execFileSync('umount', ['-l', '/etc']);
  execFileSync('umount', ['-l', folder]);
  fs.rmdirSync(folder);
});

const basic = (user, password) => gateway.request({ path: '/api/x', user, password }).then(({ status }) => status);
const reasonOf = async (user) => (await gateway.recorded((r) => r.op === 'login' && r.subject === user)).at(-1).reason;
const shadow = (user) => fs.readFileSync('/etc/shadow', 'utf8').split('\n').find((line) => line.startsWith(`${user}:`));

test('an account of the system gets in with its password, as a program and as a person', async () => {
  assert.equal(await basic('sk-good', OLD), 200);
  const browser = new Browser(gateway, 'acme.test');
  assert.equal((await browser.login('sk-good', OLD)).status, 303);
  assert.equal((await browser.get('/')).status, 200);
  assert.equal((await new Browser(gateway, 'acme.test').login('sk-good', NEW)).status, 403);
  assert.equal(await reasonOf('sk-good'), 'wrong-password');
});

test('one that is locked, has expired, or is not there, does not', async () => {
  for (const user of ['sk-locked', 'sk-expired', 'sk-nobody']) {
    assert.equal(await basic(user, OLD), 401, user);
    assert.equal((await new Browser(gateway, 'acme.test').login(user, OLD)).status, 403, user);
  }
  assert.equal(await reasonOf('sk-expired'), 'account-disabled');
});

test('one whose password is too old must change it first, and has the new one from then on', async () => {
  for (const user of ['sk-aged', 'sk-must']) {
    const before = shadow(user);
    assert.equal(await basic(user, OLD), 401, 'a program cannot be asked');
    const browser = new Browser(gateway, 'acme.test');
    const first = await browser.login(user, OLD, { back: '/there' });
    assert.equal(first.status, 200);
    assert.equal(browser.session, undefined);
    const { page } = await answerAll(browser, first, (label) => (/current/i.test(label) ? OLD : NEW));
    assert.equal(page.status, 303, page.text);
    assert.equal(page.headers.location, '/there');
    assert.equal((await browser.get('/')).status, 200);
    assert.notEqual(shadow(user), before);
    assert.equal(await basic(user, NEW), 200);
    assert.equal(await basic(user, `${OLD} `), 401);
  }
});

test('no password is in the journal or the log', () => {
  const all = JSON.stringify(gateway.records()) + JSON.stringify(gateway.log) + gateway.unparsed.join();
  for (const secret of [OLD, NEW]) {
    assert.ok(!all.includes(secret), secret);
  }
});
