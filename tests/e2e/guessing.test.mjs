// A defence against guessing that cannot be turned against the owner: budgets, bans, what a guesser can learn from time.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { spawn } from 'node:child_process';
import path from 'node:path';
import fs from 'node:fs';
import { PASSWORD, openTenant, startGateway, until } from './lib/gateway.mjs';
import { Browser, allRecords, elapse, halt, problemOf, sekishoLive } from './lib/person.mjs';
import { startUpstream } from './lib/upstream.mjs';

// Of PASSWORD, as cheap as Argon2id gets: these tests need thousands of verifications.
const CHEAP = '$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0$tCc9fRe1ZCo/16K285DQzyaDkBqT0FS+sUtZTyzbH18';
const IN_A_ROW = 50; // from new networks, and as many from known ones

let upstream;
before(async () => { upstream = await startUpstream(); });
after(() => upstream?.close());

function tenantFile(name, users, own = {}) {
  return openTenant(name, upstream.url, {
    apps: [{ name: 'api', kind: 'api', path: '/api', upstreams: [upstream.url] }, { name: 'panel', kind: 'panel', path: '/', upstreams: [upstream.url] }],
    roles: [{ name: 'all', allow: ['api * /**', 'panel * /**', 'panel GET /'] }, { name: 'admin', allow: ['sekisho GET,DELETE /.sekisho/api/v1/bans'] }],
    users: users.map((user) => ({ roles: ['all'], password_hash: CHEAP, ...(typeof user === 'string' ? { name: user } : user) })),
    ...own,
  });
}

const from = (localAddress) => ({ tls: { localAddress } });

function bansTool(gateway, user, args) {
  return sekishoLive(['bans', args[0], '--server', `https://acme.test:${gateway.port}`, '--user', user, '--cacert', gateway.authority.cert,
    '--resolve', `acme.test:${gateway.port}:127.0.0.1`, ...args.slice(1)], { env: { SEKISHO_PASSWORD: PASSWORD } });
}

describe('one who guesses', () => {
  let gateway;
  before(async () => {
    gateway = await startGateway({ tenants: [
      tenantFile('acme', ['anna', 'ben', 'carl', 'dora', 'emil', 'frida', 'gina', 'hana', { name: 'off', disabled: true }, { name: 'boss', roles: ['all', 'admin'] }]),
      tenantFile('beta', ['anna'])], settings: { workers: 2 } });
  });
  after(() => gateway?.stop());
  const ask = (user, password, address = '127.0.0.1', more = {}) => gateway.request({ path: '/api/x', user, password, ...from(address), ...more });

  // Guesses as fast as the delays let one, until there is a ban; how many were verified.
  async function guessToBan(user, address) {
    for (let verified = 0; ; ) {
      const answer = await ask(user, `guess number ${verified}`, address);
      if (answer.status === 401) {
        verified++;
      } else {
        assert.equal(answer.status, 429);
        const wait = Number(answer.headers['retry-after']);
        if (wait > 10) {
          return { verified, answer };
        }
        assert.ok(wait >= 1);
        await elapse(wait * 1000);
      }
    }
  }

  test('gets max_retries guesses, then a ban: 429 with the reason, the time to wait, and a record', async () => {
    const { verified, answer } = await guessToBan('anna', '127.0.0.2');
    assert.equal(verified, 5);
    assert.equal(problemOf(answer).reason, 'too-many-attempts');
    assert.ok(Number(answer.headers['retry-after']) > 290 && Number(answer.headers['retry-after']) <= 300);
    const barred = await ask('anna', PASSWORD, '127.0.0.2');
    assert.equal(barred.status, 429, 'the right password is not even tried');
    const records = (await allRecords(gateway)).filter(({ op, subject, address }) => op === 'login' && subject === 'anna' && address === '127.0.0.2');
    assert.equal(records.filter(({ reason }) => reason === 'wrong-password').length, 5);
    assert.ok(records.filter(({ reason, decision }) => reason === 'too-many-attempts' && decision === 'deny').length >= 2);
  });

  test('learns nothing from a right guess while there is a ban, though the user is let in from elsewhere at the time', async () => {
    assert.equal((await ask('hana', PASSWORD, '127.0.0.9')).status, 200);
    await guessToBan('hana', '127.0.0.10');
    for (let i = 0; i < 8; i++) { // at either worker
      assert.equal((await ask('hana', PASSWORD, '127.0.0.9')).status, 200);
      assert.equal((await ask('hana', PASSWORD, '127.0.0.10')).status, 429);
    }
  });

  test('does not keep the user out of other networks, nor others out of this one, nor of other tenants', async () => {
    await guessToBan('ben', '127.0.0.3');
    assert.equal((await ask('ben', PASSWORD, '127.0.0.4')).status, 200);
    assert.equal((await ask('carl', PASSWORD, '127.0.0.3')).status, 200);
    assert.equal((await gateway.request({ host: 'beta.test', path: '/api/x', user: 'anna', ...from('127.0.0.3') })).status, 200);
  });

  test('sees no difference between a user there is, one there is not, and a disabled one, up to the ban', async () => {
    const seen = [];
    for (const [user, password] of [['dora', 'wrong password 1'], ['nobody at all', 'wrong password 1'], ['off', PASSWORD]]) {
      const statuses = [];
      for (let i = 0; i < 4; i++) {
        const { status, headers } = await ask(user, password, '127.0.0.5');
        statuses.push(`${status} ${headers['retry-after'] ?? ''}`);
      }
      seen.push(statuses.join(', '));
    }
    assert.deepEqual(seen, Array(3).fill('401 , 401 , 401 , 429 1'));
  });

  test('is told on the login page, in the reader\'s language', async () => {
    await guessToBan('emil', '127.0.0.6');
    const browser = new Browser(gateway, 'acme.test', from('127.0.0.6'));
    const english = await browser.login('emil');
    assert.equal(english.status, 429);
    assert.match(english.text, /role="alert">There were too many attempts/);
    assert.ok(Number(english.headers['retry-after']) > 200);
    assert.match((await browser.login('emil', PASSWORD, { headers: { 'accept-language': 'ja' } })).text, /role="alert">ログインの試行回数が多すぎます/);
  });

  test('programs that begin together with the right password are one attempt, not many', async () => {
    const answers = await Promise.all(Array.from({ length: 40 }, () => ask('frida', PASSWORD, '127.0.0.7')));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  });

  test('an administrator lists bans and ends them; another user may not, and the record says who did', async () => {
    await guessToBan('gina', '127.0.0.8');
    const list = await bansTool(gateway, 'boss', ['list', '--of', 'gina']);
    assert.equal(list.status, 0, list.stderr);
    assert.match(list.stdout, /^USER +NETWORK +UNTIL +SCOPE\ngina +127\.0\.0\.8 +20\d\d-[^ ]+Z +user-from-network\n$/);
    const json = JSON.parse((await bansTool(gateway, 'boss', ['list', '-o', 'json'])).stdout);
    assert.ok(json.some(({ user, network, scope }) => user === 'gina' && network === '127.0.0.8' && scope === 'user-from-network'));
    const refused = await bansTool(gateway, 'carl', ['revoke', '--of', 'gina']);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /HTTP 403.*not-permitted/);
    assert.equal((await ask('gina', PASSWORD, '127.0.0.8')).status, 429);
    const revoked = await bansTool(gateway, 'boss', ['revoke', '--of', 'gina', '--network', '127.0.0.8']);
    assert.equal(revoked.stdout, '1 ended\n', revoked.stderr);
    assert.equal((await ask('gina', PASSWORD, '127.0.0.8')).status, 200);
    const [record] = await gateway.recorded({ op: 'bans-ended' });
    assert.equal(record.subject, 'gina');
    assert.equal((await bansTool(gateway, 'boss', ['revoke', '--network', '127.0.0.0/8'])).status, 1);
  });
});

describe('where nobody gets further', () => {
  test('no password is tried: who is there cannot use up a user\'s attempts', async (t) => {
    const gateway = await startGateway({ tenants: [
      tenantFile('acme', ['anna'], { networks: [{ name: 'office', cidrs: ['127.0.0.1/32', '127.0.0.2/32'] }], from: ['office'], regulation: { max_retries: 1 } }),
      tenantFile('beta', ['anna'], { open: false })] });
    t.after(() => gateway.stop());
    for (const [host, password, reason] of [['acme.test', 'a wrong password', 'network-not-allowed'], ['acme.test', PASSWORD, 'network-not-allowed'],
      ['beta.test', PASSWORD, 'tenant-closed']]) {
      for (let i = 0; i < 2; i++) {
        const answer = await gateway.request({ host, path: '/api/x', user: 'anna', password, ...from('127.0.0.3') });
        assert.equal(answer.status, 403);
        assert.equal(problemOf(answer).reason, reason);
      }
    }
    assert.equal((await gateway.request({ path: '/api/x', user: 'anna', ...from('127.0.0.2') })).status, 200);
    assert.equal((await allRecords(gateway)).filter(({ op }) => op === 'login').length, 1);
  });
});

describe('bans and counts', () => {
  test('outlive the end of auth and store, and of the gateway', async (t) => {
    const gateway = await startGateway({ tenants: [tenantFile('acme', ['anna'], { regulation: { max_retries: 2, find_time: '1h', ban_time: '1h' } })] });
    t.after(() => gateway.stop());
    const ask = () => gateway.request({ path: '/api/x', user: 'anna', password: 'a wrong password', ...from('127.0.0.2') }).then(({ status }) => status);
    assert.equal(await ask(), 401);
    for (const kind of ['auth', 'store']) {
      gateway.kill(kind);
      await until(() => gateway.ready(), `an open gate after the end of ${kind}`);
    }
    await until(async () => await ask() === 401, 'the end of the delay between the two'); // 429 until then counts for nothing
    await halt(gateway);
    await gateway.run();
    assert.equal(await ask(), 429);
  });

  test('that cannot be kept let nobody try, and nobody in', async (t) => {
    const gateway = await startGateway({ tenants: [tenantFile('acme', ['anna', 'ben']), tenantFile('beta', ['anna'])] });
    t.after(() => gateway.stop());
    assert.equal((await gateway.request({ path: '/api/x', user: 'ben' })).status, 200);
    const folder = path.join(gateway.data, 'store/tenants');
    const files = fs.readdirSync(folder).filter((name) => name.endsWith('.db')).map((name) => path.join(folder, name));
    const locks = await Promise.all(files.map((file) => new Promise((resolve) => {
      const child = spawn('sqlite3', [file]);
      child.stdout.once('data', () => resolve(child));
      child.stdin.write('BEGIN IMMEDIATE;\nSELECT 1;\n');
    })));
    t.after(() => locks.forEach((child) => child.kill()));
    assert.equal((await gateway.request({ path: '/api/x', user: 'anna' })).status, 503);
    assert.equal((await gateway.request({ path: '/api/x', user: 'ben' })).status, 200, 'who is in stays in');
    locks.forEach((child) => child.stdin.end('ROLLBACK;\n'));
    await until(async () => (await gateway.request({ path: '/api/x', user: 'anna' })).status === 200, 'a login');
  });
});

// The numbers of an attack that is wide and slow: each address tries a few, each account is tried from many.
describe('10,000 guesses from 500 addresses at 1,000 accounts', () => {
  const ACCOUNTS = 1000, ADDRESSES = 500, EACH = 20, TARGETS = 10;
  const users = Array.from({ length: ACCOUNTS }, (_, i) => `user${i}`);
  const home = (i) => `127.50.${i >> 8}.${i & 255}`;
  let gateway;
  before(async () => {
    gateway = await startGateway({ tenants: [tenantFile('acme', users)], settings: { workers: 2 } });
  });
  after(() => gateway?.stop());

  async function ownersLogIn(which, each) {
    for (let i = 0; i < which.length; i += 20) {
      await Promise.all(which.slice(i, i + 20).map(each));
    }
  }

  test('no account gets more than its budget, and no owner is kept out', async () => {
    await ownersLogIn(users.map((_, i) => i), async (i) => {
      assert.equal((await gateway.request({ path: '/api/x', user: users[i], ...from(home(i)) })).status, 200);
    });
    // Every fifth guess goes at one of ten accounts, whose owners are away; the others at all the rest.
    const verified = new Map(), barred = new Map();
    let guesses = 0, over = false;
    const address = async (a) => {
      const session = await gateway.h2('acme.test', from(`127.${100 + (a >> 8)}.${a & 255}.1`)); // each of a site of its own
      for (let i = 0; i < EACH; i++) {
        const n = a * EACH + i;
        const user = users[n % 5 === 0 ? (n / 5) % TARGETS : TARGETS + (n * 7) % (ACCOUNTS - TARGETS)];
        const { status } = await gateway.request({ session, version: 2, path: '/api/x', user, password: `a guess ${n}` });
        assert.ok(status === 401 || status === 429, `${status}`);
        const to = status === 401 ? verified : barred;
        to.set(user, (to.get(user) ?? 0) + 1);
        guesses++;
      }
      session.close();
    };
    const attack = (async () => {
      for (let a = 0; a < ADDRESSES; a += 10) {
        await Promise.all(Array.from({ length: 10 }, (_, k) => address(a + k)));
      }
      over = true;
    })();
    let logins = 0;
    for (let i = TARGETS; !over; i = i + 1 < ACCOUNTS ? i + 1 : TARGETS) {
      const browser = new Browser(gateway, 'acme.test', from(home(i)));
      const answer = await browser.login(users[i]);
      assert.equal(answer.status, 303, `the owner of ${users[i]} was kept out: ${answer.status}`);
      logins++;
    }
    await attack;
    assert.equal(guesses, ADDRESSES * EACH);
    assert.ok(logins > 50, `only ${logins} owners logged in meanwhile`);
    for (let i = 0; i < TARGETS; i++) {
      assert.equal(verified.get(users[i]), IN_A_ROW, `${users[i]} of 200 guesses`);
      assert.equal(barred.get(users[i]), 200 - IN_A_ROW);
      const browser = new Browser(gateway, 'acme.test', from(home(i)));
      assert.equal((await browser.login(users[i])).status, 303, `the owner of ${users[i]} comes home`);
    }
    assert.ok(Math.max(...verified.values()) <= IN_A_ROW);
    const wrong = (await allRecords(gateway)).filter(({ op, reason }) => op === 'login' && reason === 'wrong-password').reduce((sum, { count = 1 }) => sum + count, 0); // some of them together
    assert.equal(wrong, [...verified.values()].reduce((sum, n) => sum + n, 0), 'each is on record');
    console.log(`# ${logins} owners logged in during the attack; ${wrong} guesses were verified, ${guesses - wrong} were not`);
  });
});

// Who guesses must not learn from the clock what the answer does not say. n = 150 each, interleaved; the Mann-Whitney z of
// two samples beyond 4.5 happens by chance once in 150,000 runs. A shift of (4.5 + 2.33) standard errors is found with 99 %.
describe('time tells nothing', () => {
  const N = 150;
  let gateway;
  before(async () => {
    const names = (kind) => Array.from({ length: N }, (_, i) => `${kind}${i}`);
    gateway = await startGateway({ tenants: [openTenant('acme', upstream.url, { users: [...names('wrong').map((name) => ({ name, roles: ['all'] })),
      ...names('off').map((name) => ({ name, roles: ['all'], disabled: true }))] })], settings: { workers: 1, factor_helpers: 1 } });
  });
  after(() => gateway?.stop());

  function z(a, b) {
    const all = [...a.map((value) => ({ value, first: true })), ...b.map((value) => ({ value }))].sort((x, y) => x.value - y.value);
    const ranks = all.reduce((sum, { first }, i) => sum + (first ? i + 1 : 0), 0);
    const mean = a.length * (a.length + b.length + 1) / 2;
    return (ranks - mean) / Math.sqrt(a.length * b.length * (a.length + b.length + 1) / 12);
  }

  test('unknown, wrong and disabled take the same time', async () => {
    const times = { wrong: [], off: [], unknown: [] };
    const kinds = Object.keys(times);
    for (let i = 0; i < N; i++) {
      const agent = gateway.agent();
      const ask = (user, password) => gateway.request({ user, password, agent, ...from(`127.70.0.${1 + i % 100}`) });
      await gateway.request({ agent, ...from(`127.70.0.${1 + i % 100}`) }); // the handshake is over
      for (let k = 0; k < 3; k++) {
        const kind = kinds[(i + k) % 3];
        const start = performance.now();
        const { status } = await ask(`${kind}${i}`, kind === 'off' ? PASSWORD : 'a wrong password');
        times[kind].push(performance.now() - start);
        assert.equal(status, 401);
      }
      agent.destroy();
    }
    const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;
    const middle = [...times.wrong].sort((a, b) => a - b).slice(N / 10, -N / 10);
    const deviation = Math.sqrt(mean(middle.map((v) => (v - mean(middle)) ** 2)));
    const found = (4.5 + 2.33) * deviation * Math.sqrt(2 / N);
    for (const [a, b] of [['wrong', 'unknown'], ['wrong', 'off'], ['off', 'unknown']]) {
      assert.ok(Math.abs(z(times[a], times[b])) < 4.5, `${a} ${mean(times[a])} ms, ${b} ${mean(times[b])} ms, z ${z(times[a], times[b])}`);
    }
    assert.ok(found < mean(middle) / 2, `only a shift of ${found} ms of ${mean(middle)} would have been found`);
    console.log(`# ${mean(middle).toFixed(1)} ms each; a difference of ${found.toFixed(1)} ms would have been found`);
  });
});
