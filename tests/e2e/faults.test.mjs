// A process that is killed or hangs, under load: the gate shuts and opens again, and the journal tells all of it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { deadline, openTenant, startGateway, until } from './lib/gateway.mjs';
import { allRecords, Browser, elapse, gatewayFor, loggedIn, problemOf, programsFor, SESSION_COOKIE, startLoad, upstreamFor } from './lib/person.mjs';
import { startUpstream } from './lib/upstream.mjs';

let upstream, gateway, run = 0;

before(async () => {
  upstream = await startUpstream();
  gateway = await startGateway({ tenants: [openTenant('acme', upstream.url, { apps: [
    { name: 'api', kind: 'api', path: '/api', upstreams: [upstream.url] }, { name: 'panel', kind: 'panel', path: '/', upstreams: [upstream.url] }],
  roles: [{ name: 'all', allow: ['api * /**', 'panel * /**', 'panel * /'] }],
  users: [...['hanako', 'jiro', 'saburo'].map((name) => ({ name, roles: ['all'] })), { name: 'pam', roles: ['all'], backend: 'pam' }] })],
  settings: { workers: 2, pam_helpers: 1, journal: { file_size: '4M', flush_deadline: '1s' }, timeouts: { request: '5s' } } });
});
after(async () => {
  await gateway?.stop();
  await upstream?.close();
});

// GET and POST by 8 connections, until stop(): what the client was told of each.
function mixedLoad(t) {
  const mark = `/api/run${++run}/`;
  const told = [];
  const seen = upstream.requests.length;
  const load = startLoad(t, gateway, 8, (i) => ({ path: `${mark}${i}`, method: i % 2 ? 'GET' : 'POST', body: i % 2 ? undefined : 'x', user: i % 3 ? 'hanako' : 'jiro' }),
    (answer) => told.push(answer));
  return { mark, told, stop: () => load.stop(), get seen() { return upstream.requests.slice(seen).filter(({ url }) => url.startsWith(mark)); } };
}

// What must hold after any fault.
async function assertNothingLost(load) {
  for (const { asked, status, error } of load.told) {
    assert.ok(error || [200, 503].includes(status), `${asked.method} ${asked.path} got ${status}`);
  }
  const verified = gateway.verify();
  assert.equal(verified.status, 0, verified.text);
  const all = await allRecords(gateway);
  const records = all.filter((r) => r.path?.startsWith(load.mark));
  const unknown = new Set(all.filter(({ stage }) => stage === 'unknown').map(({ request }) => request));
  const byPath = new Map();
  for (const record of records) {
    byPath.set(record.path, [...byPath.get(record.path) ?? [], record]);
  }
  for (const { asked, status } of load.told.filter((answer) => answer.status === 200)) {
    const list = byPath.get(asked.path) ?? [];
    assert.ok(list.some((r) => r.status === status && ['single', 'outcome'].includes(r.stage)), `${asked.method} ${asked.path} was answered ${status}; on record: ${JSON.stringify(list)}`);
  }
  for (const { method, url } of load.seen.filter((r) => r.method === 'POST')) {
    assert.ok(byPath.get(url)?.some(({ stage }) => stage === 'intent'), `${method} ${url} reached the upstream without an intent`);
  }
  for (const [target, list] of byPath) {
    const intents = list.filter(({ stage }) => stage === 'intent');
    assert.ok(intents.length <= 1, `${target}: ${JSON.stringify(list)}`);
    const closed = intents.every(({ request }) => unknown.has(request) || list.some((r) => r.request === request && r.stage === 'outcome'));
    assert.ok(closed, `${target} has an intent that nothing closes: ${JSON.stringify(list)}`);
  }
}

const served = (load, from = 0) => load.told.slice(from).filter(({ status }) => status === 200).length;

// Everything answers again: several requests in a row on connections of their own, to reach every worker.
async function openAgain(ms) {
  const start = performance.now();
  await until(async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => gateway.request({ path: '/api/again', user: 'saburo', ms: 5000 }).then(({ status }) => status, () => 0)));
    return all.every((status) => status === 200) && await gateway.ready();
  }, () => `the gate to open again; it said:\n${gateway.said()}`, ms);
  return performance.now() - start;
}

describe('kill -9 under load', () => {
  for (const kind of ['audit', 'signer', 'auth', 'store', 'factor', 'pam', 'worker']) {
    test(`${kind}: the gate is open again within 5 s, and nothing acknowledged is lost`, async (t) => {
      const load = mixedLoad(t);
      await until(() => served(load) > 100, '100 answers');
      for (let n = 1; n <= 2; n++) {
        const from = load.told.length;
        const killed = gateway.kill(kind, 'SIGKILL', 0);
        await openAgain(5000);
        await until(() => served(load, from) > 100, '100 more answers');
        await until(() => !gateway.pids(kind).includes(killed[0]) && gateway.pids(kind).length >= 1, `another ${kind}`, 6000);
      }
      if (kind === 'factor' || kind === 'pam') {
        assert.deepEqual(load.told.filter(({ status }) => status !== 200), [], 'nobody who is remembered notices');
      }
      await load.stop();
      await assertNothingLost(load);
      const [died] = await gateway.recorded({ op: 'process-died', detail: kind });
      assert.match(died.tenant_id, /^0+$/);
    });
  }

  test('store, while a request waits for what is injected: 503 with its reason, and the worker goes on', async (t) => {
    const own = await gatewayFor(t, { settings: { workers: 1 }, tenants: [openTenant('acme', upstream.url, { apps: [
      { name: 'plain', kind: 'api', path: '/plain', upstreams: [upstream.url] },
      { name: 'keyed', kind: 'api', path: '/', upstreams: [upstream.url], inject: [{ header: 'X-API-Key', value: 'the key' }] }],
    roles: [{ name: 'all', allow: ['plain * /**', 'keyed * /**'] }] })] });
    const worker = own.pids('worker');
    assert.equal((await own.request({ user: 'hanako', path: '/plain' })).status, 200);
    const { grants_asked_total: asked } = await own.metrics();
    own.kill('store', 'SIGSTOP');
    const waiting = own.request({ user: 'hanako', path: '/keyed', ms: 10000 });
    await until(async () => (await own.metrics()).grants_asked_total > asked, 'the question for the key');
    own.kill('store');
    const answer = await waiting;
    assert.deepEqual([answer.status, problemOf(answer).reason], [503, 'secrets-unavailable']);
    assert.ok(!upstream.requests.some((one) => one.url === '/keyed'), 'without its key nothing is sent');
    await until(async () => /"x-api-key":"the key"/.test((await own.request({ user: 'hanako', path: '/keyed', ms: 5000 })).text), 'the key with the next store', 8000);
    assert.deepEqual(own.pids('worker'), worker);
  });

  test('all at once: audit, signer, auth, store and the workers', async (t) => {
    const load = mixedLoad(t);
    await until(() => served(load) > 100, '100 answers');
    const from = load.told.length;
    for (const kind of ['worker', 'store', 'auth', 'audit', 'signer']) {
      gateway.kill(kind);
    }
    await openAgain(10000);
    await until(() => served(load, from) > 100, '100 more answers');
    await load.stop();
    await assertNothingLost(load);
  });

  test('a login that is verified when its helper dies fails, and the next one succeeds', async () => {
    const session = await gateway.h2('acme.test');
    const crowd = Array.from({ length: 30 }, (_, i) => gateway.request({ session, version: 2, path: '/api/x', user: `crowd${i}` }).then(({ status }) => status));
    gateway.kill('factor');
    const statuses = new Set(await Promise.all(crowd));
    assert.ok([...statuses].every((status) => status === 401 || status === 503), [...statuses].join());
    session.close();
    const browser = new Browser(gateway, 'acme.test');
    await until(async () => (await browser.login('saburo')).status === 303, 'a login', 5000);
  });

  test('a user who is removed while auth is away stays out when it is back', async (t) => {
    const own = await gatewayFor(t, { tenants: [openTenant('acme', upstream.url, { users: ['hanako', 'jiro'].map((name) => ({ name, roles: ['all'] })) })], settings: { workers: 2 } });
    const agents = Array.from({ length: 6 }, () => own.agent());
    const all = (user) => Promise.all(agents.map((agent) => own.request({ agent, user }).then(({ status }) => status, () => 0)));
    assert.deepEqual(new Set(await all('hanako')), new Set([200]));
    own.kill('auth');
    const from = own.log.length;
    own.tenant({ ...openTenant('acme', upstream.url, { users: [{ name: 'jiro', roles: ['all'] }] }), certificates: own.certificates.acme });
    own.child.kill('SIGHUP');
    await own.logged((line) => line.id === 'SK1006' && line.generation === 2, { from });
    await until(async () => (await all('jiro')).every((status) => status === 200), 'the gate to open for others');
    assert.deepEqual(new Set(await all('hanako')), new Set([401]));
    agents.forEach((agent) => agent.destroy());
  });

  test('the supervisor: its processes end with it, and started by hand it goes on where it was', async (t) => {
    const load = mixedLoad(t);
    await until(() => served(load) > 100, '100 answers');
    const children = gateway.pids();
    gateway.child.kill('SIGKILL');
    await deadline(gateway.ended, 'its end');
    await until(() => children.every((pid) => { try { process.kill(pid, 0); return false; } catch { return true; } }), 'the end of its processes', 5000);
    await gateway.run();
    const from = load.told.length;
    await openAgain(5000);
    await until(() => served(load, from) > 100, '100 more answers');
    await load.stop();
    await assertNothingLost(load);
  });
});

// Stops a process until `act` is done.
async function whileStopped(kind, act) {
  const stopped = gateway.kill(kind, 'SIGSTOP');
  try {
    await act();
  } finally {
    for (const pid of stopped) {
      process.kill(pid, 'SIGCONT');
    }
  }
}

describe('a process that hangs', () => {
  test('audit: requests get 503 within the flush deadline, and no POST passes', async (t) => {
    const load = mixedLoad(t);
    await until(() => served(load) > 50, '50 answers');
    const seen = [];
    await whileStopped('audit', async () => {
      for (const method of ['GET', 'POST']) {
        const before = upstream.requests.filter((r) => r.url === '/api/hangs').length;
        const start = performance.now();
        const { status } = await gateway.request({ method, path: '/api/hangs', user: 'hanako' });
        seen.push([method, status, performance.now() - start, upstream.requests.filter((r) => r.url === '/api/hangs').length - before]);
      }
    });
    for (const [method, status, took, reached] of seen) {
      assert.equal(status, 503, method);
      assert.ok(took < 1000 + 500, `${method}: ${took} ms`);
      assert.equal(method === 'POST' ? reached : 0, 0);
    }
    await openAgain(5000);
    await load.stop();
    await assertNothingLost(load);
    const records = (await allRecords(gateway)).filter((r) => r.path === '/api/hangs');
    assert.ok(!records.some((r) => r.status === 200 && !records.some((other) => other.request === r.request && other.status === 503)),
      `what may have landed afterwards is corrected: ${JSON.stringify(records)}`);
  });

  test('store: who is logged in goes on, new logins fail cleanly, and all is well when it is back', async () => {
    assert.equal((await gateway.request({ path: '/api/x', user: 'hanako' })).status, 200);
    const browser = await loggedIn(gateway, 'acme.test', 'jiro');
    const agents = Array.from({ length: 6 }, () => gateway.agent());
    const remembered = () => Promise.all(agents.flatMap((agent) => [gateway.request({ agent, path: '/api/x', user: 'hanako' }).then(({ status }) => status)]));
    assert.deepEqual(new Set(await remembered()), new Set([200]));
    await Promise.all(Array.from({ length: 12 }, () => browser.get('/')));
    await whileStopped('store', async () => {
      const login = gateway.request({ path: '/api/x', user: 'stranger', ms: 90000 });
      const start = performance.now();
      for (let i = 0; i < 20; i++) {
        assert.deepEqual(new Set(await remembered()), new Set([200]));
      }
      assert.ok(performance.now() - start < 5000, 'and nobody waits for it');
      const { status } = await deadline(login, 'an answer to the login', 15000);
      assert.equal(status, 503);
    });
    await openAgain(5000);
    assert.equal((await new Browser(gateway, 'acme.test').login('jiro')).status, 303);
    agents.forEach((agent) => agent.destroy());
  });

  test('auth: who has a grant goes on, and nobody new is let in', async () => {
    const agents = Array.from({ length: 6 }, () => gateway.agent());
    const remembered = () => Promise.all(agents.map((agent) => gateway.request({ agent, path: '/api/x', user: 'hanako' }).then(({ status }) => status)));
    assert.deepEqual(new Set(await remembered()), new Set([200]));
    let late;
    await whileStopped('auth', async () => {
      let answered = false;
      late = gateway.request({ path: '/api/x', user: 'nobody' }).then((response) => { answered = true; return response; });
      for (let i = 0; i < 20; i++) {
        assert.deepEqual(new Set(await remembered()), new Set([200]));
      }
      assert.equal(answered, false);
    });
    assert.equal((await late).status, 401);
    agents.forEach((agent) => agent.destroy());
  });

  test('a worker: the other one serves', async () => {
    const [first] = gateway.pids('worker');
    process.kill(first, 'SIGSTOP');
    try {
      const answers = await Promise.all(Array.from({ length: 24 }, () => gateway.request({ path: '/api/x', user: 'hanako', ms: 1500 }).then(({ status }) => status, () => 0)));
      assert.ok(answers.some((status) => status === 200));
    } finally {
      process.kill(first, 'SIGCONT');
    }
    await openAgain(5000);
  });

  test('a worker that breaks the rules of its ring is ended and replaced, alone', async () => {
    const from = gateway.log.length;
    const [bad, good] = gateway.pids('worker');
    gateway.killing = true;
    const ring = fs.readFileSync(`/proc/${bad}/maps`, 'utf8').split('\n').find((line) => line.includes('/memfd:ring'));
    const memory = fs.openSync(`/proc/${bad}/mem`, 'r+');
    // How much it says it has put; when a request comes to itself, it says that right again.
    const lie = () => { try { fs.writeSync(memory, Buffer.alloc(8, 0x7f), 0, 8, Number.parseInt(ring, 16)); } catch { /* it is gone */ } };
    const isDead = () => gateway.log.slice(from).some(({ id }) => id === 'SK1004');
    await until(() => { lie(); return gateway.request({ path: '/api/x', user: 'hanako' }).catch(() => 0).then(isDead); }, 'the death of the worker', 5000);
    fs.closeSync(memory);
    const died = await gateway.logged(({ id }) => id === 'SK1004', { from, ms: 5000 });
    assert.deepEqual([died.process, died.signal], ['worker', 9]);
    await until(() => gateway.pids('worker').length === 2 && !gateway.pids('worker').includes(bad), 'another worker', 5000);
    await openAgain(5000);
    assert.ok(gateway.pids('worker').includes(good));
    assert.deepEqual(gateway.log.slice(from).filter(({ id }) => id === 'SK1203').map(({ program }) => program), ['sekisho-audit']);
    assert.equal(gateway.verify().status, 0);
  });

  test('a worker that hangs for long is replaced; whoever may be busy for longer is left alone', async () => {
    const from = gateway.log.length;
    const [factor] = gateway.kill('factor', 'SIGSTOP', 0);
    const [hung] = gateway.kill('worker', 'SIGSTOP', 0);
    gateway.killing = true;
    try {
      const start = performance.now();
      const line = await gateway.logged(({ id }) => id === 'SK1008', { from, ms: 20000 });
      assert.equal(line.process, 'worker');
      assert.ok(performance.now() - start > 9000, 'but not at once');
      await until(() => gateway.pids('worker').length === 2 && !gateway.pids('worker').includes(hung), 'another worker', 5000);
      await openAgain(5000);
      assert.ok(gateway.pids('factor').includes(factor));
      assert.deepEqual(gateway.log.slice(from).filter(({ id }) => id === 'SK1004').map(({ process: name, signal }) => [name, signal]), [['worker', 9]]);
    } finally {
      process.kill(factor, 'SIGCONT');
    }
    const verified = gateway.verify();
    assert.equal(verified.status, 0, verified.text);
  });

  test('a supervisor that was held up itself takes nobody for hanging', async () => {
    const from = gateway.log.length;
    const all = [...gateway.pids('worker'), ...gateway.pids('auth')];
    const hold = (signal) => [gateway.child.pid, ...all].forEach((pid) => process.kill(pid, signal));
    hold('SIGSTOP');
    try {
      await elapse(12000);
    } finally {
      hold('SIGCONT');
    }
    await openAgain(5000);
    await elapse(2000);
    assert.deepEqual(gateway.log.slice(from).filter(({ id }) => id === 'SK1008'), []);
    assert.deepEqual([...gateway.pids('worker'), ...gateway.pids('auth')], all);
  });
});

describe('a process that is away and cannot be started again', () => {
  for (const kind of ['auth', 'store', 'audit', 'signer']) {
    test(`${kind}: the gate is shut and says 503 to everybody; with it back the gate opens by itself`, { timeout: 60000 }, async (t) => {
      const panel = await upstreamFor(t);
      const programs = programsFor(t);
      const own = await gatewayFor(t, { programs: programs.folder, settings: { workers: 2 }, tenants: [openTenant('acme', panel.url, {
        apps: [{ name: 'api', kind: 'api', path: '/api', upstreams: [panel.url] }, { name: 'panel', kind: 'panel', path: '/', upstreams: [panel.url] }],
        roles: [{ name: 'all', allow: ['api * /**', 'panel * /**'] }] })] });
      const browser = await loggedIn(own, 'acme.test', 'hanako');
      const cookie = `${SESSION_COOKIE}=${browser.session}`;
      const asks = [{ path: '/api/x', user: 'hanako' }, { path: '/api/x', user: 'hanako', method: 'POST', body: 'x' }, { path: '/', headers: { cookie } },
        { path: '/', method: 'POST', body: 'x', headers: { cookie } }, { path: '/api/x' }, { path: '/api/x', user: 'stranger' }, { path: '/.sekisho/login' }];
      const ask = (version) => Promise.all(asks.map((one) => own.request({ version, ...one }).then(({ status }) => status)));
      assert.deepEqual(await ask(1), [200, 200, 200, 200, 401, 401, 200]);
      const from = own.log.length;
      programs.take(kind);
      own.kill(kind);
      await own.logged(({ id }) => id === 'SK1007', { from });
      // Between two attempts to start it, which come ever more seldom.
      await until(() => own.log.slice(from).filter(({ id, process: died }) => id === 'SK1005' && died === kind).length === 2, 'a pause of the attempts');
      await until(async () => (await own.observed('/readyz')).status === 503, 'readyz to say shut', 3000);
      const seen = panel.requests.length;
      for (const version of [1, 2]) {
        for (let i = 0; i < 4; i++) {
          assert.deepEqual(new Set(await ask(version)), new Set([503]), `HTTP/${version}`);
        }
      }
      assert.equal(panel.requests.length, seen, 'something reached the upstream');
      assert.equal((await own.observed('/healthz')).status, 200);
      const metrics = await own.metrics();
      assert.deepEqual([metrics.open, metrics.shut_total >= 56], [0, true]);
      if (kind !== 'audit' && kind !== 'signer') {
        await until(() => own.records().filter((r) => r.reason === 'gate-shut' && r.status === 503).length >= 56, 'each refusal to be on record');
      }
      programs.give(kind);
      await until(() => own.ready(), 'the gate to open again', 15000);
      await until(async () => (await ask(1)).join() === '200,200,200,200,401,401,200', 'all to be as before', 5000);
      assert.equal(own.verify().status, 0);
    });
  }

  for (const kind of ['auth', 'store', 'audit', 'signer']) {
    test(`${kind}: the gate stays shut at every attempt to start it again`, { timeout: 60000 }, async (t) => {
      const panel = await upstreamFor(t);
      const programs = programsFor(t);
      const own = await gatewayFor(t, { programs: programs.folder, settings: { workers: 2 }, tenants: [openTenant('acme', panel.url)] });
      assert.equal((await own.request({ user: 'hanako' })).status, 200);
      const from = own.log.length;
      programs.take(kind);
      own.kill(kind);
      await own.logged(({ id }) => id === 'SK1007', { from });
      const answers = new Map();
      const load = startLoad(t, own, 4, () => ({ user: 'hanako' }), ({ status, error }) => answers.set(error ? 'error' : status, (answers.get(error ? 'error' : status) ?? 0) + 1));
      await until(() => own.log.slice(from).filter(({ id, process: died }) => id === 'SK1005' && died === kind).length === 2, 'six attempts');
      programs.give(kind);
      await load.stop();
      assert.deepEqual([...answers.keys()], [503], JSON.stringify([...answers]));
    });
  }
});
