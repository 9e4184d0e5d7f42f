// Users whose password PAM knows, with real modules that need no account of this machine.
// Needs the Debian packages libpam-modules (pam_userdb, pam_exec, pam_debug, pam_stress, pam_permit) and perl (DB_File, for pam_userdb's file).
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { deadline, openTenant, startGateway, until } from './lib/gateway.mjs';
import { Browser, answerAll, formToken, gatewayFor, questionOf } from './lib/person.mjs';
import { startUpstream } from './lib/upstream.mjs';

const NAMES = ['taro', 'right', 'wrong', 'twice', 'denied', 'expired', 'slow', 'remembered', 'nofile', 'killed', 'many'];
const OTHERS = ['one', 'two', 'three', 'four', 'five', 'six'];

let gateway, upstream, folder;

before(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sekisho-pam-'));
  fs.mkdirSync(path.join(folder, 'pam.d'));
  service(['auth required pam_deny.so', 'account required pam_deny.so']);
  upstream = await startUpstream();
  const tenant = (name, users) => openTenant(name, upstream.url, {
    regulation: { max_retries: 20, find_time: '1s', ban_time: '1s' },
    apps: [{ name: 'api', kind: 'api', path: '/api', upstreams: [upstream.url] }, { name: 'panel', kind: 'panel', path: '/', upstreams: [upstream.url] }],
    roles: [{ name: 'all', allow: ['api * /**', 'panel * /**', 'panel * /'] }], users });
  gateway = await startGateway({
    tenants: [tenant('acme', [...[...NAMES, ...OTHERS].map((name) => ({ name, roles: ['all'], backend: 'pam' })), { name: 'off', roles: ['all'], backend: 'pam', disabled: true },
      { name: 'local', roles: ['all'] }, { name: 'local2', roles: ['all'] }]), tenant('beta', [{ name: 'local', roles: ['all'] }])],
    settings: { pam_services: path.join(folder, 'pam.d'), pam_helpers: 2, workers: 2 } });
});
after(async () => {
  await gateway?.stop();
  await upstream?.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

// Modules read their file at each login: every test has its own.
function service(lines) {
  fs.writeFileSync(path.join(folder, 'pam.d/sekisho'), `${lines.join('\n')}\n`);
}

function passwords(name, entries) {
  const file = path.join(folder, name);
  fs.rmSync(`${file}.db`, { force: true });
  execFileSync('perl', ['-MDB_File', '-e', 'tie my %h, "DB_File", shift, O_CREAT | O_RDWR, 0600, $DB_HASH or die $!; %h = @ARGV; untie %h', `${file}.db`,
    ...Object.entries(entries).flat()]);
  return file;
}

// A script for pam_exec; what it saw is in `seen`, a line each: user, address, service, password.
function script(name, body) {
  const file = path.join(folder, name);
  const seen = `${file}.seen`;
  fs.writeFileSync(seen, '');
  fs.writeFileSync(file, `#!/bin/sh\npassword=$(tr -d '\\0')\nprintf '%s|%s|%s|%s\\n' "$PAM_USER" "$PAM_RHOST" "$PAM_SERVICE" "$password" >>${seen}\n${body}\n`, { mode: 0o755 });
  return { file, seen: () => fs.readFileSync(seen, 'utf8').split('\n').filter(Boolean) };
}

const basic = (user, password, options = {}) => gateway.request({ path: '/api/x', user, password, ...options }).then(({ status }) => status);
const loginRecord = async (user) => (await gateway.recorded((r) => r.op === 'login' && r.subject === user, `login of ${user}`)).at(-1);

test('a right password passes and a wrong one does not (pam_userdb)', async () => {
  const db = passwords('users', { right: 'the right one', wrong: 'another one' });
  service([`auth required pam_userdb.so crypt=none db=${db}`, 'account required pam_permit.so']);
  assert.equal(await basic('right', 'the right one'), 200);
  assert.equal((await loginRecord('right')).decision, 'allow');
  assert.equal(await basic('wrong', 'the right one'), 401);
  assert.equal((await loginRecord('wrong')).reason, 'wrong-password');
  const browser = new Browser(gateway, 'acme.test');
  assert.equal((await browser.login('right', 'not the right one')).status, 403);
  assert.equal((await browser.login('right', 'the right one')).status, 303);
  assert.equal((await browser.get('/')).status, 200);
});

test('the module is told the user, the client\'s address, the service, and the password once', async () => {
  const { file, seen } = script('tell', '[ "$password" = "open sesame" ]');
  service([`auth required pam_exec.so quiet expose_authtok ${file}`, 'account required pam_permit.so']);
  assert.equal(await basic('taro', 'open sesame'), 200);
  assert.deepEqual(seen(), ['taro|127.0.0.1|sekisho|open sesame']);
});

test('a user whom the tenant\'s file does not name, and one who is disabled, get nowhere; the first is not even asked for', async () => {
  const { file, seen } = script('stranger', 'exit 0');
  service([`auth required pam_exec.so quiet expose_authtok ${file}`, 'account required pam_permit.so']);
  assert.equal(await basic('root', 'anything'), 401);
  assert.deepEqual(seen(), []);
  assert.equal((await loginRecord('root')).reason, 'unknown-user');
  assert.equal(await basic('off', 'anything'), 401);
  assert.equal((await loginRecord('off')).reason, 'account-disabled');
});

test('a verified password is remembered: the next request asks no module', async () => {
  const { file, seen } = script('remember', 'exit 0');
  service([`auth required pam_exec.so quiet expose_authtok ${file}`, 'account required pam_permit.so']);
  for (let i = 0; i < 8; i++) {
    assert.equal(await basic('remembered', 'same every time'), 200);
  }
  assert.equal(seen().length, 1);
});

test('the account phase may say no', async () => {
  let n = 0;
  for (const [says, reason] of [['acct_expired', 'account-disabled'], ['perm_denied', 'account-disabled'], ['auth_err', 'account-disabled']]) {
    service(['auth required pam_permit.so', `account required pam_debug.so acct=${says}`]);
    assert.equal(await basic(OTHERS[n], `anything ${says}`), 401, says);
    const record = await loginRecord(OTHERS[n++]);
    assert.equal(record.reason, reason, says);
    assert.equal(record.decision, 'deny');
  }
  service(['auth required pam_permit.so', 'account required pam_deny.so']);
  assert.equal(await basic('denied', 'anything'), 401);
});

// Two modules with a password each: the second is asked for on a page of its own.
function twoPrompts() {
  service([`auth required pam_userdb.so crypt=none db=${passwords('first', { twice: 'first word' })}`,
    `auth required pam_userdb.so crypt=none db=${passwords('second', { twice: 'second word' })}`, 'account required pam_permit.so']);
}

test('a second question is put on a second page, and its answer logs in', async () => {
  twoPrompts();
  const browser = new Browser(gateway, 'acme.test');
  const page = await browser.login('twice', 'first word', { back: '/there?x=1' });
  assert.equal(page.status, 200);
  assert.equal(browser.session, undefined);
  assert.match(page.text, /<label for="a0">[^<]+<\/label><input name="answer"[^>]*id="a0" type="password"/);
  assert.ok(!page.text.includes('first word'));
  const fields = questionOf(page);
  assert.equal(fields.return, '/there?x=1');
  const answer = await browser.post('/.sekisho/login', { ...fields, answer: 'second word' });
  assert.equal(answer.status, 303);
  assert.equal(answer.headers.location, '/there?x=1');
  assert.equal((await browser.get('/')).status, 200);
  const again = await browser.post('/.sekisho/login', { ...fields, answer: 'second word' });
  assert.equal(again.status, 403, 'the same answer is worth nothing a second time');
  const record = (await gateway.recorded((r) => r.op === 'login' && r.subject === 'twice')).at(-1);
  assert.equal(record.decision, 'allow');
});

test('a wrong answer to the second question, an answer from another tenant, or none at all, does not log in', async () => {
  twoPrompts();
  const browser = new Browser(gateway, 'acme.test');
  const wrong = await browser.post('/.sekisho/login', { ...questionOf(await browser.login('twice', 'first word')), answer: 'first word' });
  assert.equal(wrong.status, 403);
  assert.match(wrong.text, /name="user"[^>]* value="twice">/, 'the ID is kept');
  assert.ok(!wrong.text.includes('first word'));
  assert.equal(browser.session, undefined);
  const fields = questionOf(await browser.login('twice', 'first word'));
  const stranger = new Browser(gateway, 'beta.test');
  const form = formToken((await stranger.get('/.sekisho/login')).text);
  assert.equal((await stranger.post('/.sekisho/login', { ...fields, form, answer: 'second word' })).status, 403);
  assert.equal(stranger.session, undefined);
  const none = await browser.post('/.sekisho/login', { form: fields.form, return: '/', state: fields.state });
  assert.equal(none.status, 403);
  assert.equal(browser.session, undefined);
});

test('a program with Basic cannot be asked a second question: it is refused, and the helper is free again', async () => {
  twoPrompts();
  for (let i = 0; i < 4; i++) {
    assert.equal(await deadline(basic('twice', 'first word'), 'an answer', 5000), 401);
  }
  assert.notEqual((await loginRecord('twice')).decision, 'allow');
});

test('an expired password is changed on the pages that follow (pam_stress)', async () => {
  const expired = (password) => service(['auth required pam_stress.so', 'account required pam_stress.so expired', password]);
  expired('password required pam_stress.so');
  const browser = new Browser(gateway, 'acme.test');
  const first = await browser.login('expired', 'the old one');
  assert.match(first.text, /<p>Changing STRESS password for expired\.<\/p>/, 'what the module says is shown');
  const { page, asked } = await answerAll(browser, first, () => 'the new one');
  assert.deepEqual(asked, ['Enter new STRESS password:', 'Retype new STRESS password:']);
  assert.equal(page.status, 303, page.text);
  assert.equal((await browser.get('/')).status, 200);

  const typo = new Browser(gateway, 'acme.test');
  const { page: refused } = await answerAll(typo, await typo.login('expired', 'the old one'), (label) => (/^Retype/.test(label) ? 'the new two' : 'the new one'));
  assert.equal(refused.status, 403);
  assert.equal(typo.session, undefined);
  assert.notEqual((await loginRecord('expired')).decision, 'allow');

  assert.equal(await basic('expired', 'the old one'), 401, 'a program cannot be asked');
  expired('password required pam_deny.so');
  assert.equal(await basic('expired', 'the old one again'), 401);
  assert.equal((await loginRecord('expired')).reason, 'password-expired');
});

test('a slow module delays neither local logins nor those who are logged in', async () => {
  assert.equal(await basic('local', undefined), 200);
  const { file, seen } = script('slow', 'sleep 5');
  service([`auth required pam_exec.so quiet expose_authtok ${file}`, 'account required pam_permit.so']);
  const start = performance.now();
  const slow = [basic('slow', 'one'), basic('slow', 'two'), basic('slow', 'three')];
  await until(() => seen().length === 2, 'both helpers at work', 3000);
  assert.equal(await basic('local', undefined), 200);
  assert.equal(await basic('local2', undefined), 200, 'an Argon2id login');
  assert.equal((await new Browser(gateway, 'acme.test').login('local2')).status, 303);
  assert.ok(performance.now() - start < 4000, `${performance.now() - start} ms`);
  assert.deepEqual(await Promise.all(slow), [200, 200, 200]);
  assert.equal(gateway.pids('pam').length, 2);
});

test('without a service file nobody passes, nobody is told that a password is wrong, and "other" is never asked', async () => {
  const { file, seen } = script('other', 'exit 0');
  fs.rmSync(path.join(folder, 'pam.d/sekisho'));
  fs.writeFileSync(path.join(folder, 'pam.d/other'), `auth required pam_exec.so quiet expose_authtok ${file}\naccount required pam_permit.so\n`);
  const from = gateway.log.length;
  const status = await basic('nofile', 'anything');
  assert.deepEqual(seen(), []);
  await gateway.logged(({ id }) => id === 'SK1601', { from });
  const record = await loginRecord('nofile');
  assert.equal(record.decision, 'error');
  assert.equal(status, 503);
});

test('a helper that is killed in a conversation leaves nobody waiting, and the next login succeeds', async () => {
  const { file, seen } = script('hang', `[ $(wc -l <${path.join(folder, 'hang.seen')}) -gt 1 ] || sleep 20`);
  service([`auth required pam_exec.so quiet expose_authtok ${file}`, 'account required pam_permit.so']);
  const login = basic('killed', 'anything');
  await until(() => seen().length === 1, 'the conversation', 3000);
  gateway.kill('pam');
  const status = await deadline(login, 'an answer', 5000);
  assert.ok([200, 401, 503].includes(status), String(status)); // 200: asked again, of the next helper
  service(['auth required pam_permit.so', 'account required pam_permit.so']);
  await until(async () => await basic('killed', 'anything') === 200, 'a login', 8000, 100);
});

test('helpers are replaced after a hundred conversations, and no login notices', async () => {
  service(['auth required pam_permit.so', 'account required pam_permit.so']);
  await until(() => gateway.pids('pam').length === 2, 'two helpers');
  const before = gateway.pids('pam');
  for (let i = 0; i < 24; i++) {
    const statuses = await Promise.all(Array.from({ length: 10 }, (_, j) => basic('many', `password ${i} ${j}`)));
    assert.deepEqual(new Set(statuses), new Set([200]));
  }
  await until(() => gateway.pids('pam').length === 2 && gateway.pids('pam').some((pid) => !before.includes(pid)), 'a new helper', 10000);
  assert.equal(await basic('many', 'and on it goes'), 200);
});

test('helpers are started with the first user whom they serve, also by a reload, and not before', async (t) => {
  service(['auth required pam_permit.so', 'account required pam_permit.so']);
  const users = (...more) => openTenant('acme', upstream.url, { users: [{ name: 'local', roles: ['all'] }, ...more] });
  const own = await gatewayFor(t, { tenants: [users()], settings: { pam_services: path.join(folder, 'pam.d'), pam_helpers: 3, workers: 1 } });
  assert.equal((await own.request({ user: 'local' })).status, 200);
  assert.deepEqual(own.pids('pam'), []);
  const reload = (...more) => own.reload(() => own.tenant({ ...users(...more), certificates: own.certificates.acme }));
  assert.equal((await reload({ name: 'jiro', roles: ['all'] })).id, 'SK1102');
  assert.deepEqual(own.pids('pam'), []);
  assert.equal((await reload({ name: 'taro', roles: ['all'], backend: 'pam' })).id, 'SK1102');
  assert.equal((await own.request({ user: 'taro' })).status, 200);
  assert.equal(own.pids('pam').length, 3);
});

test('no password is in the journal or the log', async () => {
  const all = JSON.stringify(gateway.records()) + JSON.stringify(gateway.log) + gateway.unparsed.join();
  for (const secret of ['the right one', 'open sesame', 'first word', 'second word', 'the new one', 'password 3 3']) {
    assert.ok(!all.includes(secret), secret);
  }
  assert.equal(gateway.verify().status, 0);
});
