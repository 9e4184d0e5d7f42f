// Sessions: how long they last, who may see and end them, and that their end is felt everywhere at once.
// Needs the Debian package sqlite3.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { LOOPBACK, PASSWORD, SERVICE, deadline, openTenant, startGateway, until } from './lib/gateway.mjs';
import { Browser, SESSION_COOKIE, allRecords, elapse, endedAfter, gatewayFor, halt, loggedIn, openDownload, openWebSocket, problemOf, sessionTool, sql, startPanel,
  startShut } from './lib/person.mjs';
import { startUpstream } from './lib/upstream.mjs';
import { handshake } from './lib/websocket.mjs';

const SECRET = 'upstream-key-4f1c9a';

let gateway, panel;

const ROLES = [
  { name: 'all', allow: ['api * /**', 'panel * /**', 'panel * /'] },
  { name: 'ops', inherits: ['all'], allow: ['sekisho * /.sekisho/api/**'] },
  { name: 'looker', allow: ['sekisho GET /.sekisho/api/v1/sessions'] },
];

function tenantFile(name, own = {}) {
  return openTenant(name, panel.url, {
    apps: [
      { name: 'api', kind: 'api', path: '/api', upstreams: [panel.url], inject: [{ header: 'X-API-Key', value: SECRET }] },
      { name: 'stream', kind: 'api', path: '/stream', upstreams: [panel.url] },
      { name: 'panel', kind: 'panel', path: '/', upstreams: [panel.url] },
    ],
    roles: [...ROLES, { name: 'streamer', allow: ['stream * /**'] }],
    users: ['hanako', 'jiro'].map((user) => ({ name: user, roles: ['all', 'streamer'] })).concat([{ name: 'ops', roles: ['ops'] }, { name: 'looker', roles: ['looker'] }]),
    ...own,
  });
}

async function change(name, own) {
  gateway.tenant({ ...tenantFile(name, own), certificates: gateway.certificates[name] });
}

before(async () => {
  panel = await startPanel({ after() {} });
  gateway = await startGateway({ tenants: [tenantFile('acme'), tenantFile('beta'),
    tenantFile('short', { sessions: { inactivity: '2s', expiration: '5s' } })], settings: { workers: 4 } });
});

after(async () => {
  await gateway?.stop();
  await panel?.close();
});

const cookie = (browser) => ({ cookie: `${SESSION_COOKIE}=${browser.session}` });

async function statuses(browser, count = 8) {
  const all = await Promise.all(Array.from({ length: count }, () => gateway.request({ host: browser.host, path: '/', headers: cookie(browser) })));
  return [...new Set(all.map(({ status }) => status))];
}

describe('limits', { concurrency: true }, () => {
  test('a session without a request ends after its idle limit', async () => {
    const browser = await loggedIn(gateway, 'short.test', 'hanako');
    assert.deepEqual(await statuses(browser), [200]);
    await elapse(2300);
    assert.deepEqual(await statuses(browser), [303]);
  });

  test('activity extends the idle limit on every worker, and not the absolute one', async () => {
    const browser = await loggedIn(gateway, 'short.test', 'hanako');
    const start = performance.now();
    let last = 0;
    for (;;) {
      const [status] = await statuses(browser, 1);
      const now = performance.now() - start;
      if (status !== 200) {
        assert.equal(status, 303);
        assert.ok(last > 4000, `it ended between ${last} and ${now} ms`);
        assert.ok(now < 5900, `it ended only at ${now} ms`);
        break;
      }
      last = now;
      assert.ok(now < 6000, 'it did not end');
      await elapse(400);
    }
  });

  test('activity that one worker saw counts when another worker is asked', async () => {
    const browser = await loggedIn(gateway, 'short.test', 'jiro');
    const start = performance.now();
    const agent = gateway.agent();
    while (performance.now() - start < 1800) {
      assert.equal((await gateway.request({ agent, host: 'short.test', path: '/', headers: cookie(browser) })).status, 200);
      await elapse(100);
    }
    await elapse(2100 - (performance.now() - start));
    assert.deepEqual(await statuses(browser, 12), [200], '300 ms after the last request');
    agent.destroy();
  });

  test('an idle WebSocket is cut at the idle limit, one in use at the absolute one', async () => {
    const browser = await loggedIn(gateway, 'short.test', 'hanako');
    const start = performance.now();
    const idle = await openWebSocket(gateway, 'short.test', '/ws', { headers: cookie(browser) });
    const other = await loggedIn(gateway, 'short.test', 'jiro');
    const used = await openWebSocket(gateway, 'short.test', '/ws', { headers: cookie(other) });
    const timer = setInterval(() => used.write('ping'), 100);
    await idle.closed(8000);
    const idleEnd = performance.now() - start;
    await used.closed(8000);
    const usedEnd = performance.now() - start;
    clearInterval(timer);
    assert.ok(idleEnd > 1900 && idleEnd < 4000, `idle: ${idleEnd} ms`);
    assert.ok(usedEnd > 4500 && usedEnd < 7000, `in use: ${usedEnd} ms`);
  });
});

describe('list and revoke', () => {
  const api = (options) => gateway.request({ path: '/.sekisho/api/v1/sessions', user: 'ops', ...options });

  test('nobody without the permission sees or ends sessions', async () => {
    assert.equal((await api({ user: undefined })).status, 401);
    const refused = await api({ user: 'hanako' });
    assert.equal(refused.status, 403);
    assert.equal(refused.json().reason, 'not-permitted');
    assert.equal((await api({ method: 'DELETE', path: '/.sekisho/api/v1/sessions?user=hanako', user: 'looker' })).status, 403);
    assert.equal((await api({ user: 'looker' })).status, 200);
  });

  test('the list shows who, from where and since when, and filters by user', async () => {
    const browser = await loggedIn(gateway, 'acme.test', 'hanako');
    await loggedIn(gateway, 'acme.test', 'jiro');
    const { sessions } = (await api()).json();
    const mine = sessions.filter(({ subject }) => subject === 'hanako');
    assert.ok(mine.length >= 1);
    for (const session of mine) {
      assert.match(session.id, /^[0-9a-f]{32,64}$/);
      assert.equal(session.address, '127.0.0.1');
      assert.ok(Math.abs(Date.parse(session.started) - Date.now()) < 60000);
      assert.ok(Date.parse(session.used) >= Date.parse(session.started) - 1);
    }
    assert.ok(!JSON.stringify(sessions).includes(browser.session), 'an id is no cookie');
    const filtered = (await api({ path: '/.sekisho/api/v1/sessions?user=jiro' })).json().sessions;
    assert.ok(filtered.length > 0 && filtered.every(({ subject }) => subject === 'jiro'));
    assert.deepEqual((await api({ path: '/.sekisho/api/v1/sessions?user=nobody' })).json().sessions, []);
  });

  test('one session is ended by its id within a second on all workers, and no other', async () => {
    const [one, two] = [await loggedIn(gateway, 'acme.test', 'hanako'), await loggedIn(gateway, 'acme.test', 'jiro')];
    assert.deepEqual(await statuses(one, 16), [200]);
    const { session } = (await gateway.recorded((r) => r.op === 'login' && r.subject === 'hanako' && r.decision === 'allow')).at(-1);
    const answer = await api({ method: 'DELETE', path: `/.sekisho/api/v1/sessions/${session}` });
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.json(), { ended: 1 });
    await until(async () => (await statuses(one, 16)).join() === '303', 'the end on all workers', 1000, 5);
    assert.deepEqual(await statuses(two), [200]);
    const [record] = await gateway.recorded((r) => r.op === 'session-ended' && r.reason === 'revoked');
    assert.equal(record.decision, 'allow');
    const pair = await gateway.recorded((r) => r.request === record.request && r.op === 'request');
    assert.deepEqual(pair.map(({ stage }) => stage), ['intent', 'outcome']);
    assert.ok(pair.every(({ subject }) => subject === 'ops'), 'who did it');
  });

  test('who ends all of his own sessions is told what was done', async () => {
    const before = (await api({ path: '/.sekisho/api/v1/sessions?user=ops' })).json().sessions.length;
    const browser = await loggedIn(gateway, 'acme.test', 'ops');
    const answer = await api({ method: 'DELETE', path: '/.sekisho/api/v1/sessions?user=ops' });
    assert.equal(answer.status, 200, answer.text);
    assert.ok(answer.json().ended >= before + 1, answer.text);
    assert.deepEqual(await statuses(browser), [303]);
    const outcomes = (await gateway.recorded((r) => r.op === 'request' && r.stage === 'outcome' && r.method === 'DELETE' && r.subject === 'ops'));
    assert.deepEqual([outcomes.at(-1).decision, outcomes.at(-1).status], ['allow', 200]);
  });

  test('to end a session that is not there ends nothing, and says so', async () => {
    const answer = await api({ method: 'DELETE', path: `/.sekisho/api/v1/sessions/${'0'.repeat(64)}` });
    assert.ok(answer.status === 404 || answer.json().ended === 0, `${answer.status} ${answer.text}`);
  });

  test('another tenant\'s administrator neither sees nor ends this tenant\'s sessions', async () => {
    const browser = await loggedIn(gateway, 'acme.test', 'hanako');
    const { session } = (await gateway.recorded((r) => r.op === 'login' && r.subject === 'hanako' && r.decision === 'allow')).at(-1);
    const list = (await api({ host: 'beta.test' })).json().sessions;
    assert.deepEqual(list, []);
    await api({ host: 'beta.test', method: 'DELETE', path: `/.sekisho/api/v1/sessions/${session}` });
    await api({ host: 'beta.test', method: 'DELETE', path: '/.sekisho/api/v1/sessions?user=hanako' });
    assert.deepEqual(await statuses(browser), [200]);
  });

  test('the API refuses what it does not know', async () => {
    for (const [method, target] of [['PUT', '/.sekisho/api/v1/sessions'], ['POST', '/.sekisho/api/v1/sessions'], ['DELETE', '/.sekisho/api/v1/sessions'],
      ['GET', '/.sekisho/api/v1/nothing'], ['GET', '/.sekisho/api/v1/sessionsx'], ['DELETE', `/.sekisho/api/v1/sessions/${'a'.repeat(65)}`]]) {
      const answer = await api({ method, path: target });
      assert.ok(answer.status === 404 || answer.status === 405, `${method} ${target}: ${answer.status}`);
      assert.match(answer.json().reason, /^[a-z-]+$/);
    }
  });

  test('`sekisho session` lists and revokes with the rights of its user', async () => {
    const browser = await loggedIn(gateway, 'acme.test', 'jiro');
    const list = await sessionTool(gateway, 'acme.test', 'ops', ['list', '-o', 'json', '--of', 'jiro']);
    assert.equal(list.status, 0, list.stderr);
    const sessions = JSON.parse(list.stdout);
    assert.ok(sessions.length > 0 && sessions.every(({ subject }) => subject === 'jiro'));
    const table = await sessionTool(gateway, 'acme.test', 'ops', ['list']);
    assert.equal(table.status, 0);
    assert.match(table.stdout, /^USER +ADDRESS +STARTED +USED +ID\n/);
    assert.match(table.stdout, /\njiro +127\.0\.0\.1 /);
    const refused = await sessionTool(gateway, 'acme.test', 'hanako', ['list']);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /HTTP 403.*not-permitted/);
    const wrong = await sessionTool(gateway, 'acme.test', 'ops', ['list'], 'not the password 1');
    assert.equal(wrong.status, 1);
    assert.match(wrong.stderr, /HTTP 401/);
    const [{ id }] = sessions;
    const one = await sessionTool(gateway, 'acme.test', 'ops', ['revoke', id]);
    assert.equal(one.status, 0, one.stderr);
    assert.equal(one.stdout, '1 ended\n');
    const all = await sessionTool(gateway, 'acme.test', 'ops', ['revoke', '--of', 'jiro']);
    assert.equal(all.status, 0, all.stderr);
    assert.equal(all.stdout, `${sessions.length - 1} ended\n`);
    assert.deepEqual(await statuses(browser), [303]);
    assert.equal((await sessionTool(gateway, 'acme.test', 'ops', ['revoke'])).status, 2);
  });
});

// What a user holds open: WebSockets and downloads on several workers, by session and by Basic.
async function holdOpen(host, user = 'hanako') {
  const browser = await loggedIn(gateway, host, user);
  const basic = { authorization: gateway.basic(user) };
  return [
    ...await Promise.all([1, 2, 3, 4].map(() => openWebSocket(gateway, host, '/ws', { headers: cookie(browser) }))),
    ...await Promise.all([1, 2, 3, 4].map(() => openDownload(gateway, host, cookie(browser), '/streams'))),
    ...await Promise.all([1, 2, 3, 4].map(() => openDownload(gateway, host, basic, '/stream/x'))),
  ];
}

describe('what is open is cut within a second', () => {
  async function cutBy(host, act, keep = []) {
    const open = await holdOpen(host);
    const start = performance.now();
    await act();
    await Promise.all(open.map((wire) => endedAfter(wire)));
    const took = performance.now() - start;
    assert.ok(took < 1000, `the last was cut after ${took} ms`);
    for (const wire of keep) {
      assert.equal(wire.end, null, 'what others hold stays open');
    }
  }

  test('when the user\'s sessions are revoked; others\' streams stay', async () => {
    const other = await holdOpen('acme.test', 'jiro');
    await cutBy('acme.test', () => gateway.request({ method: 'DELETE', path: '/.sekisho/api/v1/sessions?user=hanako', user: 'ops' }), other);
    const ends = (await allRecords(gateway)).filter((r) => r.op === 'stream' && r.stage === 'end' && r.subject === 'hanako' && r.host === 'acme.test');
    assert.deepEqual(ends.map(({ detail }) => detail), Array(4).fill('session-ended'));
    other.forEach((wire) => wire.destroy());
  });

  test('over HTTP/2 too, by `sekisho session revoke`: WebSockets and downloads, of the session and of nobody else', async () => {
    const hold = async (browser) => {
      const session = await gateway.h2('acme.test');
      const head = { ':authority': 'acme.test', ...cookie(browser) };
      const streams = [
        session.request({ ...head, ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'https', ':path': '/ws', 'sec-websocket-version': '13' }, { endStream: false }),
        session.request({ ...head, ':path': '/streams' }),
      ];
      return { session, streams: await Promise.all(streams.map(async (stream) => {
        const held = { ended: new Promise((resolve) => { stream.on('close', resolve); }), stream };
        stream.on('error', () => {});
        const status = await deadline(new Promise((resolve) => { stream.on('response', (h) => resolve(h[':status'])); }), 'the answer');
        assert.equal(status, 200);
        stream.resume();
        return held;
      })) };
    };
    const [mine, other] = [await hold(await loggedIn(gateway, 'acme.test', 'hanako')), await hold(await loggedIn(gateway, 'acme.test', 'jiro'))];
    const start = performance.now();
    const { status, stderr } = await sessionTool(gateway, 'acme.test', 'ops', ['revoke', '--of', 'hanako']);
    assert.equal(status, 0, stderr);
    await deadline(Promise.all(mine.streams.map(({ ended }) => ended)), 'the end of the streams');
    assert.ok(performance.now() - start < 1000, `${performance.now() - start} ms`);
    assert.ok(other.streams.every(({ stream }) => !stream.closed), 'what others hold stays open');
    mine.session.destroy();
    other.session.destroy();
  });

  test('when the session logs out', async () => {
    const browser = await loggedIn(gateway, 'acme.test', 'hanako');
    const open = await Promise.all([1, 2, 3, 4].map(() => openWebSocket(gateway, 'acme.test', '/ws', { headers: cookie(browser) })));
    const page = await browser.get('/.sekisho/logout');
    const start = performance.now();
    await browser.post('/.sekisho/logout', { form: /name="form" value="([^"]*)"/.exec(page.text)[1] });
    await Promise.all(open.map((wire) => endedAfter(wire)));
    assert.ok(performance.now() - start < 1000);
  });

  const changes = {
    'the user is removed': (tenant) => ({ users: tenant.users.filter(({ name }) => name !== 'hanako') }),
    'the user is disabled': (tenant) => ({ users: tenant.users.map((user) => (user.name === 'hanako' ? { ...user, disabled: true } : user)) }),
    'the user loses the role': (tenant) => ({ users: tenant.users.map((user) => (user.name === 'hanako' ? { ...user, roles: ['looker'] } : user)) }),
    'the role loses the permission': (tenant) => ({ roles: tenant.roles.map((role) => ({ ...role, allow: ['panel GET /elsewhere'] })) }),
    'a rule denies it': (tenant) => ({ roles: tenant.roles.map((role) => ({ ...role, deny: ['panel * /**', 'stream * /**'] })) }),
    'the user may come from elsewhere alone': (tenant) => ({ networks: [LOOPBACK, { name: 'far', cidrs: ['192.0.2.0/24'] }],
      users: tenant.users.map((user) => (user.name === 'hanako' ? { ...user, from: ['far'] } : user)) }),
    'the tenant admits from elsewhere alone': () => ({ networks: [LOOPBACK, { name: 'far', cidrs: ['192.0.2.0/24'] }], from: ['far'] }),
    'a network no longer holds the address': () => ({ networks: [{ name: 'here', cidrs: ['192.0.2.0/24'] }] }),
    'the tenant is closed': () => ({ open: false }),
  };
  for (const [what, edit] of Object.entries(changes)) {
    test(`when ${what} by a reload`, async () => {
      const name = `cut-${what.replace(/[^a-z]+/g, '-')}`.slice(0, 40);
      const tenant = tenantFile(name);
      assert.equal((await gateway.reload(() => gateway.tenant(tenant))).id, 'SK1102');
      const others = await holdOpen('acme.test', 'jiro');
      await cutBy(`${name}.test`, async () => {
        await change(name, edit(tenant));
        gateway.child.kill('SIGHUP');
      }, others);
      others.forEach((wire) => wire.destroy());
      const browser = new Browser(gateway, `${name}.test`);
      assert.notEqual((await browser.get('/streams')).status, 200);
    });
  }

  test('when the tenant\'s file is gone', async () => {
    assert.equal((await gateway.reload(() => gateway.tenant(tenantFile('leaving')))).id, 'SK1102');
    await cutBy('leaving.test', () => {
      fs.rmSync(path.join(gateway.folder, 'tenants/leaving.yaml'));
      gateway.child.kill('SIGHUP');
    });
    await assert.rejects(gateway.tls('leaving.test'), /unrecognized|alert|closed/i);
  });

  test('a request that no upstream has answered yet is refused with a reason, on record, for whom it was', async (t) => {
    const silent = await startUpstream((request, response, seen) => { seen.response = response; });
    t.after(() => silent.close());
    const tenant = tenantFile('waiting', { apps: [{ name: 'api', kind: 'api', path: '/api', upstreams: [silent.url] }], roles: [{ name: 'all', allow: ['api * /**'] }],
      users: [{ name: 'hanako', roles: ['all'] }] });
    assert.equal((await gateway.reload(() => gateway.tenant(tenant))).id, 'SK1102');
    for (const method of ['GET', 'DELETE']) {
      const asked = gateway.request({ host: 'waiting.test', method, path: `/api/${method}`, user: 'hanako' });
      await until(() => silent.requests.some((seen) => seen.method === method), `the upstream has the ${method}`);
      const narrow = { ...tenant, roles: [{ name: 'all', allow: ['api * /api/elsewhere'] }] };
      assert.equal((await gateway.reload(() => gateway.tenant(narrow))).id, 'SK1102');
      const answer = await asked;
      assert.equal(answer.status, 403);
      assert.equal(problemOf(answer).reason, 'policy-changed');
      const records = (await allRecords(gateway)).filter((r) => r.path === `/api/${method}`);
      assert.deepEqual(records.map((r) => [r.stage, r.decision, r.reason, r.subject]).at(-1),
        [method === 'GET' ? 'single' : 'outcome', 'deny', 'policy-changed', 'hanako']);
      assert.equal((await gateway.reload(() => gateway.tenant(tenant))).id, 'SK1102');
    }
  });

  test('a WebSocket that waits for its record: the tenant closes, and it never opens', async (t) => {
    const own = await gatewayFor(t, { settings: { workers: 1, journal: { flush_deadline: '30s' } }, tenants: [tenantFile('acme')] });
    const browser = new Browser(own, 'acme.test');
    assert.equal((await browser.login('hanako')).status, 303);
    const [audit] = own.kill('audit', 'SIGSTOP');
    const wire = await own.rawTls('acme.test');
    try {
      const { records_total: before } = await own.metrics();
      wire.write(handshake('acme.test', '/late', { Cookie: `${SESSION_COOKIE}=${browser.session}` }).text);
      await until(async () => (await own.metrics()).records_total > before, 'the record of the start on its way');
      own.tenant({ ...tenantFile('acme', { open: false }), certificates: own.certificates.acme });
      own.child.kill('SIGHUP');
      await until(async () => (await own.metrics()).streams_cut_total === 1, 'the cut', 5000);
    } finally {
      process.kill(audit, 'SIGCONT');
    }
    await wire.closed();
    assert.equal(wire.text, '');
    const records = await own.recorded((r) => r.path === '/late' && r.stage === 'end');
    assert.deepEqual(records.map((r) => [r.op, r.subject, r.detail]), [['stream', 'hanako', 'policy-changed']], 'what was on record as open is on record as over');
  });

  test('an app that is gone takes its streams with it', async () => {
    const tenant = tenantFile('fewer');
    assert.equal((await gateway.reload(() => gateway.tenant(tenant))).id, 'SK1102');
    const browser = await loggedIn(gateway, 'fewer.test', 'hanako');
    const wire = await openWebSocket(gateway, 'fewer.test', '/ws', { headers: cookie(browser) });
    await change('fewer', { apps: tenant.apps.slice(0, 2), roles: [{ name: 'all', allow: ['api * /**'] }, { name: 'streamer', allow: ['stream * /**'] },
      { name: 'ops' }, { name: 'looker' }].map((role) => ({ allow: ['api GET /api'], ...role })) });
    const reloaded = gateway.reload();
    assert.ok(await endedAfter(wire) < 1000);
    await reloaded;
  });
});

describe('a session is a proof of the password', () => {
  async function changed(name, users) {
    const tenant = tenantFile(name);
    assert.equal((await gateway.reload(() => gateway.tenant(tenant))).id, 'SK1102');
    const browser = await loggedIn(gateway, `${name}.test`, 'hanako');
    const other = await loggedIn(gateway, `${name}.test`, 'jiro');
    assert.deepEqual(await statuses(browser), [200]);
    for (const edit of users) {
      await gateway.reload(() => change(name, { users: edit(tenant.users) }));
    }
    assert.deepEqual(await statuses(browser), [303]);
    assert.deepEqual(await statuses(other), [200], 'another user\'s');
    return (await api(name)).json().sessions.map(({ subject }) => subject);
  }
  const api = (name) => gateway.request({ host: `${name}.test`, path: '/.sekisho/api/v1/sessions', user: 'ops' });
  const hanako = (own) => (users) => users.map((user) => (user.name === 'hanako' ? { ...user, ...own } : user));
  const as = (users) => users;

  test('and ends when the password is changed', async () => {
    assert.deepEqual(await changed('other-password', [hanako({ password: 'a brand new pass phrase' })]), ['jiro']);
  });

  test('and does not come back when its user is disabled and enabled again', async () => {
    assert.deepEqual(await changed('disabled', [hanako({ disabled: true }), as]), ['jiro']);
  });

  test('and does not come back when a user of its name is made again', async () => {
    assert.deepEqual(await changed('made-again', [(users) => users.filter(({ name }) => name !== 'hanako'), as]), ['jiro']);
  });
});

test('a long list says how many there are, and all of a user end at once', async () => {
  const tenant = tenantFile('long', { users: [{ name: 'hanako', roles: ['all'] }, { name: 'ops', roles: ['ops'] }] });
  await gateway.reload(() => gateway.tenant(tenant));
  const api = (method) => gateway.request({ host: 'long.test', method, path: '/.sekisho/api/v1/sessions?user=hanako', user: 'ops' });
  const all = [];
  while (all.length < 210) {
    all.push(...await Promise.all(Array.from({ length: 15 }, () => loggedIn(gateway, 'long.test', 'hanako'))));
  }
  const listed = (await api('GET')).json();
  assert.equal(listed.sessions.length, 200);
  assert.equal(listed.total, all.length);
  const tool = await sessionTool(gateway, 'long.test', 'ops', ['list']);
  assert.match(tool.stderr, /the last used 200 of 210 sessions/);
  assert.deepEqual((await api('DELETE')).json(), { ended: all.length });
  assert.deepEqual((await api('GET')).json(), { sessions: [], total: 0 });
  assert.deepEqual(await statuses(all[0]), [303]);
});

describe('restarts', () => {
  test('an open stream goes on when auth was replaced: its worker proves that it has the grant', async () => {
    const browser = await loggedIn(gateway, 'short.test', 'jiro');
    const start = performance.now();
    const wire = await openWebSocket(gateway, 'short.test', '/ws', { headers: cookie(browser) });
    const timer = setInterval(() => wire.write('ping'), 100);
    gateway.kill('auth');
    await wire.closed(9000);
    clearInterval(timer);
    const end = performance.now() - start;
    assert.ok(end > 4500 && end < 8000, `at the absolute limit, not before: ${end} ms`);
    await until(async () => (await gateway.request({ path: '/api/x', user: 'hanako' })).status === 200, 'the gate to be open');
  });

  const survives = async (browser, what) => {
    assert.deepEqual(await statuses(browser, 8), [200], what);
  };

  test('sessions survive the end of auth, of store, and of the whole gateway', async () => {
    const browser = await loggedIn(gateway, 'acme.test', 'hanako');
    await survives(browser, 'before');
    for (const kind of ['auth', 'store']) {
      const from = gateway.log.length;
      gateway.kill(kind);
      await gateway.logged((line) => line.id === 'SK1006', { from });
      await survives(browser, kind);
    }
    await halt(gateway);
    await gateway.run();
    await survives(browser, 'the gateway');
  });
});

describe('the store at rest', () => {
  const store = (...names) => path.join(gateway.data, 'store', ...names);
  const tenantId = (name) => createHash('sha256').update(`${SERVICE}\n${name}`).digest('hex').slice(0, 32);
  const tenantDb = (name) => store('tenants', `${tenantId(name)}.db`);

  // Stops the gateway, changes the store, starts it again.
  async function meanwhile(edit) {
    await halt(gateway);
    edit();
    await gateway.run();
  }

  test('no file holds a user\'s name, password, hash, cookie or an injected secret', async () => {
    const browser = await loggedIn(gateway, 'acme.test', 'hanako');
    assert.equal((await gateway.request({ path: '/api/x', user: 'jiro' })).json().headers['x-api-key'], SECRET);
    const hash = JSON.parse(fs.readFileSync(path.join(gateway.folder, 'tenants/acme.yaml'), 'utf8')).users[0].password_hash;
    const secrets = ['hanako', 'jiro', 'looker', PASSWORD, hash, hash.split('$').at(-1), '$argon2id', browser.session, SECRET,
      fs.readFileSync(path.join(gateway.folder, 'root.key'))];
    const files = fs.readdirSync(store(), { recursive: true }).map((name) => store(name)).filter((name) => fs.statSync(name).isFile());
    assert.ok(files.some((name) => name.endsWith('operator.db')) && files.some((name) => name === tenantDb('acme')));
    for (const file of files) {
      assert.equal(fs.statSync(file).mode & 0o077, 0, `${file} is open to others`);
      const bytes = fs.readFileSync(file);
      for (const secret of secrets) {
        assert.equal(bytes.includes(secret), false, `${file} holds ${secret}`);
      }
    }
  });

  test('a row that was changed, moved to another name, or copied from another tenant lets nobody in', async () => {
    const rows = (name, table) => sql(tenantDb(name), `SELECT hex(${table === 'users' ? 'name_hash' : 'key'}) || ' ' || hex(sealed) FROM ${table}`)
      .split('\n').map((line) => line.split(' '));
    const pass = async (host, user) => (await gateway.request({ host, path: '/api/x', user })).status;
    assert.equal((await gateway.reload(() => {
      gateway.tenant(tenantFile('left', { users: [{ name: 'lena', roles: ['all'] }, { name: 'lars', roles: ['all'], password: 'quite another password' }] }));
      gateway.tenant(tenantFile('right', { users: [{ name: 'rita', roles: ['all'] }] }));
    })).id, 'SK1102');
    const browser = await loggedIn(gateway, 'left.test', 'lena');
    assert.equal(await pass('right.test', 'rita'), 200);
    const [lena] = rows('left', 'users');

    let before = rows('right', 'users')[0];
    await meanwhile(() => sql(tenantDb('right'), `UPDATE users SET sealed = x'${lena[1]}'`));
    assert.notEqual(await pass('right.test', 'rita'), 200, 'another tenant\'s row under this one\'s name');
    await meanwhile(() => sql(tenantDb('right'), `UPDATE users SET sealed = x'${before[1]}'; INSERT INTO users (name_hash, sealed, seen) VALUES (x'${lena[0]}', x'${lena[1]}', 1)`));
    assert.equal(await pass('right.test', 'rita'), 200, 'restored');
    assert.equal(await pass('right.test', 'lena'), 401, 'another tenant\'s row under its own hash');

    const flipped = `${before[1].slice(0, -2)}${(parseInt(before[1].slice(-2), 16) ^ 1).toString(16).padStart(2, '0')}`;
    const from = gateway.log.length;
    await meanwhile(() => sql(tenantDb('right'), `UPDATE users SET sealed = x'${flipped}' WHERE name_hash = x'${before[0]}'`));
    assert.notEqual(await pass('right.test', 'rita'), 200, 'a changed bit');
    await gateway.logged((line) => line.id === 'SK1501', { from });

    const sessions = rows('left', 'sessions');
    const session = sql(tenantDb('left'), `SELECT hex(key) || ',' || used || ',' || hex(sealed) FROM sessions`).split('\n').at(-1).split(',');
    await meanwhile(() => sql(tenantDb('right'), `INSERT INTO sessions (key, used, sealed) VALUES (x'${session[0]}', ${session[1]}, x'${session[2]}')`));
    assert.equal((await gateway.request({ host: 'right.test', path: '/', headers: cookie(browser) })).status, 303, 'a session row of another tenant');
    assert.equal((await gateway.request({ host: 'left.test', path: '/', headers: cookie(browser) })).status, 200);
    const second = await loggedIn(gateway, 'left.test', 'lena');
    const [, other] = rows('left', 'sessions').map(([, sealed]) => sealed).sort((a, b) => (a === sessions[0][1] ? -1 : b === sessions[0][1] ? 1 : 0));
    await meanwhile(() => sql(tenantDb('left'), `UPDATE sessions SET sealed = x'${other}' WHERE key = x'${session[0]}'`));
    assert.notEqual((await gateway.request({ host: 'left.test', path: '/', headers: cookie(browser) })).status, 200, 'a session row under another key');
    assert.equal((await gateway.request({ host: 'left.test', path: '/', headers: cookie(second) })).status, 200);

    const users = rows('left', 'users');
    const lenas = users.find(([hash]) => hash === lena[0]);
    await meanwhile(() => sql(tenantDb('left'), `UPDATE users SET sealed = x'${lenas[1]}'`));
    assert.notEqual(await pass('left.test', 'lars'), 200, 'another user\'s row under this one\'s name');
    const stolen = await gateway.request({ host: 'left.test', path: '/api/x', user: 'lars', password: PASSWORD });
    assert.notEqual(stolen.status, 200, 'lars logs in with lena\'s password');
  });

  test('a store of a newer schema is refused as such, and the gate stays shut', async () => {
    await halt(gateway);
    sql(store('operator.db'), 'PRAGMA user_version = 99');
    const start = await startShut(gateway, 'SK1502');
    assert.equal(start.line.id, 'SK1502', String(start.line));
    assert.equal(await gateway.ready(), false);
    assert.equal(gateway.log.slice(start.from).some(({ id }) => id === 'SK1006'), false);
    await start.abort();
    sql(store('operator.db'), 'PRAGMA user_version = 1');
    await gateway.run();
    assert.equal((await gateway.request({ path: '/api/x', user: 'hanako' })).status, 200);
  });

  test('one tenant\'s file of a newer schema is refused as such, and shuts out that tenant alone', async () => {
    const from = gateway.log.length;
    await meanwhile(() => sql(tenantDb('beta'), 'PRAGMA user_version = 99'));
    assert.notEqual((await gateway.request({ host: 'beta.test', path: '/api/x', user: 'hanako' })).status, 200);
    assert.equal((await gateway.request({ host: 'acme.test', path: '/api/x', user: 'hanako' })).status, 200);
    await gateway.logged((line) => line.id === 'SK1502', { from, ms: 3000 });
  });

  test('another root key opens nothing', async () => {
    const key = path.join(gateway.folder, 'root.key');
    const bytes = fs.readFileSync(key);
    await halt(gateway);
    fs.chmodSync(key, 0o600);
    fs.writeFileSync(key, Buffer.from(bytes.map((byte) => byte ^ 1)));
    const start = await startShut(gateway, 'SK1501');
    assert.equal(start.line.id, 'SK1501', String(start.line));
    const answer = await gateway.request({ path: '/api/x', user: 'hanako' }).catch(() => ({ status: 0 }));
    assert.notEqual(answer.status, 200);
    await start.abort();
    fs.writeFileSync(key, bytes);
    await gateway.run();
    assert.equal((await gateway.request({ path: '/api/x', user: 'hanako' })).status, 200);
  });
});

test('the journal of all that is intact', async () => {
  assert.equal(gateway.verify().status, 0);
  const kinds = new Set((await allRecords(gateway)).map(({ op }) => op));
  for (const op of ['login', 'logout', 'session-ended', 'stream', 'request', 'config-changed', 'gateway-stopped', 'gateway-started']) {
    assert.ok(kinds.has(op), op);
  }
});
