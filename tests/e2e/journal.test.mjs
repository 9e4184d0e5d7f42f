// No record, no passage: what is in the journal, when, and what happens when it cannot be written or was changed.
// Runs as root in a mount namespace of its own, for the disk that is full. Needs the Debian package strace, for the disk
// that fails.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { PASSWORD, openTenant, startGateway, until } from './lib/gateway.mjs';
import { privately, mountSmall } from './lib/mounts.mjs';
import { Browser, VERIFY, allRecords, elapse, formToken, gatewayFor, halt, journalFiles, loggedIn, openWebSocket, startLoad, startPanel, startShut, upstreamFor } from './lib/person.mjs';

privately(import.meta.url);

const BLOCK = 4096;
const SMALL = { journal: { file_size: '1M', flush_deadline: '2s' } };

function byTenant(records) {
  const all = new Map();
  for (const record of records) {
    all.set(record.tenant_id, [...all.get(record.tenant_id) ?? [], record]);
  }
  return all;
}

function assertContiguous(records) {
  for (const [tenant, list] of byTenant(records)) {
    assert.deepEqual(list.map(({ seq }) => seq), list.map((_, i) => i), `sequence of ${tenant}`);
  }
}

function verify(...files) {
  const { status, stdout, stderr } = spawnSync(VERIFY, ['--json', ...files], { encoding: 'utf8' });
  return { status, ...(stdout ? JSON.parse(stdout) : {}), stderr };
}

describe('what is recorded', () => {
  let gateway, panel, other;

  before(async () => {
    panel = await startPanel({ after() {} });
    const tenant = (name) => openTenant(name, panel.url, {
      apps: [{ name: 'api', kind: 'api', path: '/api', upstreams: [panel.url] }, { name: 'panel', kind: 'panel', path: '/', upstreams: [panel.url] }],
      roles: [{ name: 'all', allow: ['api * /**', 'panel * /**'], deny: ['api * /api/no/**'] }] });
    gateway = await startGateway({ tenants: [tenant('acme'), tenant('beta')], settings: SMALL });
    other = await loggedIn(gateway, 'beta.test', 'hanako');
  });
  after(async () => {
    await gateway?.stop();
    await panel?.close();
  });

  const KINDS = [
    ['an allowed GET', { path: '/api/1', user: 'hanako' }, 200],
    ['an allowed HEAD', { path: '/api/2', method: 'HEAD', user: 'hanako' }, 200],
    ['an allowed GET over h2', { path: '/api/3', user: 'hanako', version: 2 }, 200],
    ['an allowed POST', { path: '/api/4', method: 'POST', body: 'x', user: 'hanako' }, 200],
    ['a denied GET', { path: '/api/no/5', user: 'hanako' }, 403],
    ['a denied POST', { path: '/api/no/6', method: 'POST', body: 'x', user: 'hanako' }, 403],
    ['an unknown person\'s GET', { path: '/api/7' }, 401],
    ['a wrong password', { path: '/api/8', user: 'hanako', password: 'this is not it' }, 401],
    ['a redirect to the login page', { path: '/9' }, 303],
    ['the login page', { path: '/.sekisho/login' }, 200],
    ['a page that is not there', { path: '/.sekisho/nothing' }, 404],
    ['a forged identity header', { path: '/api/10', user: 'hanako', headers: { 'x-forwarded-user': 'root' } }, 400],
    ['a wrong host', { path: '/api/11', servername: 'acme.test', host: 'beta.test' }, 421],
    ['the keys', { path: '/.well-known/sekisho/jwks.json' }, 200],
    ['the sessions API', { path: '/.sekisho/api/v1/sessions', user: 'hanako' }, 403],
  ];

  test('when the first byte of any answer arrives, its record is in the journal', async () => {
    for (const [what, options, status] of KINDS) {
      const count = (records) => records.filter((r) => ['request', 'message-refused'].includes(r.op) && r.path === options.path && r.status === status).length;
      const earlier = count(await allRecords(gateway));
      let seen = -1;
      const response = await gateway.request({ ...options, onResponse() { seen = count(gateway.records()); } });
      assert.equal(response.status, status, what);
      assert.equal(seen, earlier + 1, `${what}: on record when the head arrived`);
    }
  });

  test('when the answer to a login, a refused login or a logout arrives, what was decided is in the journal', async () => {
    const browser = new Browser(gateway, 'acme.test');
    const since = async (act) => {
      const earlier = (await allRecords(gateway)).length;
      let seen;
      browser.options.onResponse = () => { seen = gateway.records(); };
      const { status } = await act();
      delete browser.options.onResponse;
      return [status, ...seen.slice(earlier).filter((r) => r.method === 'POST' || r.op !== 'request').map((r) => `${r.op} ${r.decision} ${r.status ?? ''}`.trim()).sort()];
    };
    const form = async (target) => formToken((await browser.get(target)).text);
    let fields = { form: await form('/.sekisho/login'), return: '/', user: 'hanako', password: 'this is not the password' };
    assert.deepEqual(await since(() => browser.post('/.sekisho/login', fields)), [403, 'login deny', 'request challenge 403']);
    fields = { ...fields, password: PASSWORD };
    assert.deepEqual(await since(() => browser.post('/.sekisho/login', fields)), [303, 'login allow', 'request allow 303']);
    fields = { form: await form('/.sekisho/logout') };
    assert.deepEqual(await since(() => browser.post('/.sekisho/logout', fields)), [200, 'logout allow', 'request allow 200']);
  });

  test('when the upstream sees a POST, its intent is in the journal; its outcome is when the client is answered', async (t) => {
    let seen;
    const upstream = await upstreamFor(t, (request, response) => {
      seen = gateway.records().filter((r) => r.path === '/pair' && r.method === 'POST');
      response.end('ok');
    });
    assert.equal((await gateway.reload(() => gateway.tenant(openTenant('pairs', upstream.url)))).id, 'SK1102');
    let answered;
    const response = await gateway.request({ host: 'pairs.test', path: '/pair', method: 'POST', body: 'x', user: 'hanako',
      onResponse() { answered = gateway.records().filter((r) => r.path === '/pair'); } });
    assert.equal(response.status, 200);
    assert.deepEqual(seen.map(({ stage }) => stage), ['intent']);
    assert.equal(seen[0].status ?? 0, 0);
    assert.deepEqual(answered.map(({ stage, request }) => [stage, request === seen[0].request]), [['intent', true], ['outcome', true]]);
    assert.equal(answered[1].status, 200);
  });

  test('100 Continue is an answer: it is not said before a record is in the journal, to a GET with a body neither', async (t) => {
    const upstream = await upstreamFor(t);
    const own = await gatewayFor(t, { tenants: [openTenant('acme', upstream.url)], settings: { workers: 1, journal: { flush_deadline: '30s' } } });
    assert.equal((await own.request({ user: 'hanako' })).status, 200);
    for (const method of ['GET', 'POST']) {
      const wire = await own.rawTls('acme.test');
      const [audit] = own.kill('audit', 'SIGSTOP');
      try {
        const { records_total: before } = await own.metrics();
        wire.write(`${method} /asks HTTP/1.1\r\nHost: acme.test\r\nAuthorization: ${own.basic('hanako')}\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n`);
        await until(async () => (await own.metrics()).records_total > before || wire.text, 'a record on its way');
        assert.equal(wire.text, '', method);
      } finally {
        process.kill(audit, 'SIGCONT');
      }
      assert.equal((await wire.response()).status, 100);
      const records = (await allRecords(own)).filter((r) => r.path === '/asks' && r.method === method);
      assert.deepEqual(records.map(({ stage }) => stage), ['intent'], method);
      wire.write('body');
      assert.equal((await wire.response()).status, 200);
      wire.destroy();
    }
  });

  test('each method that can change something has a pair, each that cannot one record', async () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE']) {
      assert.equal((await gateway.request({ path: `/api/m/${method}`, method, user: 'hanako' })).status, 200, method);
      const records = await gateway.recorded({ path: `/api/m/${method}` });
      assert.deepEqual(records.map(({ stage }) => stage), ['GET', 'HEAD', 'OPTIONS'].includes(method) ? ['single'] : ['intent', 'outcome'], method);
      assert.equal(new Set(records.map(({ request }) => request)).size, 1);
    }
  });

  test('a WebSocket has a record at its start, before the 101, and one at its end', async () => {
    const browser = await loggedIn(gateway, 'acme.test', 'hanako');
    const wire = await openWebSocket(gateway, 'acme.test', '/ws/1', { headers: { cookie: `__Host-sekisho=${browser.session}` } });
    const stages = () => gateway.records().filter(({ path: p }) => p === '/ws/1').map(({ stage, op }) => `${op} ${stage}`);
    assert.deepEqual(stages(), ['stream start']);
    wire.write(Buffer.from([0x81, 0x80, 0, 0, 0, 0]));
    await wire.wait(() => wire.bytes.length > 0, 'the echo');
    wire.destroy();
    const records = await gateway.recorded((r) => r.path === '/ws/1' && r.stage === 'end');
    assert.equal(records.length, 1);
    assert.deepEqual(stages(), ['stream start', 'stream end']);
    assert.ok(records[0].bytes_in > 0 && records[0].bytes_out > 0);
    assert.equal(records[0].subject, 'hanako');
  });

  test('records that wait for the disk together are written together', async () => {
    const session = await gateway.h2('acme.test');
    const ask = (i) => gateway.request({ session, version: 2, path: `/api/group/${i}`, user: 'hanako' });
    assert.equal((await ask(0)).status, 200);
    const folder = path.join(gateway.data, 'journal');
    const before = verify(folder), { records_total: handed } = await gateway.metrics();
    const [audit] = gateway.kill('audit', 'SIGSTOP');
    const asked = Array.from({ length: 60 }, (_, i) => ask(i + 1));
    try {
      await until(async () => (await gateway.metrics()).records_total >= handed + asked.length, 'all records handed to audit', 1500, 5);
    } finally {
      process.kill(audit, 'SIGCONT');
    }
    assert.deepEqual(new Set((await Promise.all(asked)).map(({ status }) => status)), new Set([200]));
    const now = verify(folder);
    assert.ok(now.records >= before.records + asked.length);
    assert.ok(now.groups <= before.groups + 10, `${now.groups - before.groups} groups for ${now.records - before.records} records`);
    session.close();
  });

  test('what is written is never written again: files only grow at their end', async (t) => {
    const used = (file) => {
      const bytes = fs.readFileSync(file);
      return bytes.subarray(0, bytes.findLastIndex((byte) => byte !== 0) + 1);
    };
    const before = new Map(journalFiles(gateway).map((file) => [file, used(file)]));
    const inodes = new Map([...before.keys()].map((file) => [file, fs.statSync(file).ino]));
    let answered = 0;
    const load = startLoad(t, gateway, 4, (i) => ({ path: `/api/append/${i}`, method: i % 2 ? 'GET' : 'DELETE', user: 'hanako' }), () => { answered++; });
    await until(() => answered >= 200, '200 answers', 20000);
    await load.stop();
    for (const [file, bytes] of before) {
      assert.equal(fs.statSync(file).ino, inodes.get(file), `${file} is another file`);
      assert.ok(fs.readFileSync(file).subarray(0, bytes.length).equals(bytes), `${file} was changed`);
    }
    assert.ok(journalFiles(gateway).reduce((sum, file) => sum + used(file).length, 0) > [...before.values()].reduce((sum, bytes) => sum + bytes.length, 0));
  });

  test('a connection that is refused before it says anything is on record', async () => {
    await assert.rejects(gateway.tls('unknown.test'));
    const [record] = await gateway.recorded((r) => r.op === 'connection-refused' && r.host === 'unknown.test');
    assert.equal(record.decision, 'deny');
    assert.match(record.tenant_id, /^0+$/);
  });

  test('under mixed load there are as many records as answers, in whole sequences, each tenant\'s its own', async (t) => {
    const answers = new Map();
    const load = startLoad(t, gateway, 8, (i) => ({ host: i % 2 ? 'acme.test' : 'beta.test', path: `/api/load/${i}`, method: i % 3 ? 'GET' : 'POST',
      body: i % 3 ? undefined : 'x', user: i % 5 ? 'hanako' : undefined, version: i % 7 ? 1 : 2, agent: undefined }),
    ({ asked, status, error }) => answers.set(asked.path, { asked, status, error }));
    await until(() => answers.size >= 600, '600 answers', 30000);
    await load.stop();
    const records = await allRecords(gateway);
    assertContiguous(records);
    assert.ok(byTenant(records).size >= 3, 'two tenants and the operator');
    const found = new Map();
    for (const record of records) {
      if (record.path?.startsWith('/api/load/') && record.op === 'request') {
        found.set(record.path, [...found.get(record.path) ?? [], record]);
      }
    }
    assert.equal(found.size, answers.size);
    for (const [target, { asked, status, error }] of answers) {
      assert.equal(error, undefined, target);
      const list = found.get(target);
      assert.deepEqual(list.map(({ stage }) => stage), asked.method === 'POST' && status === 200 ? ['intent', 'outcome'] : ['single'], target);
      assert.equal(list.at(-1).status, status, target);
      assert.equal(list[0].host, asked.host);
    }
    assert.equal(new Set(records.map(({ id }) => id)).size, records.length, 'every record\'s id is its own');
    assert.equal(gateway.verify().status, 0);
    assert.ok(other.session);
  });
});

// A journal of several files, made once and copied for each experiment.
describe('what cannot be changed unseen', () => {
  let folder, files, gateway;

  before(async () => {
    const panel = await startPanel({ after() {} });
    gateway = await startGateway({ tenants: [openTenant('acme', panel.url), openTenant('beta', panel.url)], settings: SMALL });
    const load = startLoad({ after() {} }, gateway, 8, (i) => ({ host: i % 2 ? 'acme.test' : 'beta.test', path: `/${'long/'.repeat(300)}${i}`, method: i % 2 ? 'GET' : 'POST', user: 'hanako' }), () => {});
    await until(() => journalFiles(gateway).length >= 4, 'four files', 60000, 100).finally(() => load.stop());
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sekisho-journal-'));
    await halt(gateway);
    files = journalFiles(gateway).map((file) => {
      const copy = path.join(folder, path.basename(file));
      fs.copyFileSync(file, copy);
      return copy;
    });
    fs.copyFileSync(path.join(gateway.data, 'journal', 'head'), path.join(folder, 'head'));
    await gateway.run();
    await panel.close();
  });
  after(async () => {
    await gateway?.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  // Groups of a file as {at, size}: each begins at a multiple of 4 KiB, after the file's header.
  function groups(bytes) {
    const all = [];
    for (let at = BLOCK; at < bytes.length && bytes.subarray(at, at + 8).some((byte) => byte);) {
      // The body's length is the first 32-bit number for which the bytes behind are the next group or zeros.
      const size = [16, 20, 24, 28, 32, 36].map((offset) => bytes.readUInt32LE(at + offset)).map((body) => Math.ceil((136 + body) / BLOCK) * BLOCK)
        .find((length) => length <= 4 << 20 && at + length <= bytes.length && (bytes.subarray(at + length, at + length + 4).equals(bytes.subarray(at, at + 4))
          || bytes.subarray(at + length, at + length + BLOCK).every((byte) => byte === 0)));
      if (!size) {
        break;
      }
      all.push({ at, size });
      at += size;
    }
    return all;
  }

  // Changes files, verifies, and puts them back.
  function changed(edit) {
    const saved = new Map([...files, path.join(folder, 'head')].map((file) => [file, fs.readFileSync(file)]));
    edit();
    const result = verify(folder);
    for (const name of fs.readdirSync(folder)) {
      fs.rmSync(path.join(folder, name));
    }
    for (const [file, bytes] of saved) {
      fs.writeFileSync(file, bytes);
    }
    return result;
  }

  test('as it was written it is intact', () => {
    const result = verify(folder);
    assert.deepEqual([result.status, result.intact, result.complete, result.files, result.torn, result.head], [0, true, true, files.length, 0, true]);
    assert.ok(result.records > 500 && result.tenants === 3);
    assert.equal(verify(...[...files].reverse()).intact, true, 'in any order of the arguments');
  });

  test('any byte that is flipped is named, with its file', () => {
    let checked = 0;
    files.forEach((file) => {
      const bytes = fs.readFileSync(file);
      const list = groups(bytes);
      assert.ok(list.length > (file === files.at(-1) ? 0 : 2), `groups of ${file}`); // the newest may just have been begun
      const picks = [0, 5, 8, 16, 20, 40, 60];
      for (let i = 0; i < 45; i++) {
        const { at, size } = list[Math.floor(list.length * i / 45)];
        const used = bytes.subarray(at, at + size).findLastIndex((byte) => byte !== 0) + 1;
        picks.push(at + (i * 7919) % used);
      }
      const fd = fs.openSync(file, 'r+');
      for (const at of picks) {
        fs.writeSync(fd, Buffer.from([bytes[at] ^ (1 << (at % 8))]), 0, 1, at);
        const result = verify(folder);
        fs.writeSync(fd, bytes, at, 1, at);
        assert.equal(result.status, 1, `byte ${at} of ${path.basename(file)}: ${JSON.stringify(result)}`);
        assert.equal(result.intact, false);
        assert.equal(path.basename(result.file), path.basename(file), `byte ${at}: ${JSON.stringify(result)}`);
        assert.ok(result.what.length > 5);
        checked++;
      }
      fs.closeSync(fd);
    });
    assert.ok(checked >= 200);
    assert.equal(verify(folder).intact, true, 'put back');
  });

  test('a flipped byte in the very last group is damage: it was acknowledged', () => {
    const file = files.at(-1);
    const bytes = fs.readFileSync(file);
    const { at, size } = groups(bytes).at(-1);
    for (const offset of [at, at + 9, at + 100, at + 136 + 70, at + size - BLOCK]) {
      const result = changed(() => {
        const copy = Buffer.from(bytes);
        copy[offset] ^= 1;
        fs.writeFileSync(file, copy);
      });
      assert.deepEqual([result.status, result.intact], [1, false], `byte ${offset}: ${JSON.stringify(result)}`);
    }
  });

  test('a file that is missing, cut, swapped, doubled or from another place is detected', () => {
    const [first, second, third] = files;
    const cases = {
      'a file in the middle removed': [() => fs.rmSync(second), 1],
      'the newest file removed': [() => fs.rmSync(files.at(-1)), 1],
      'the newest two files removed': [() => files.slice(-2).forEach((file) => fs.rmSync(file)), 1],
      'a file cut in the middle of a group': [() => fs.truncateSync(second, groups(fs.readFileSync(second))[1].at + 200), 1],
      'a file cut at the end of a group': [() => fs.truncateSync(second, groups(fs.readFileSync(second))[2].at), 1],
      'groups at the end of a file zeroed': [() => {
        const bytes = fs.readFileSync(second);
        fs.writeFileSync(second, bytes.fill(0, groups(bytes).at(-1).at));
      }, 1],
      'a file emptied': [() => fs.truncateSync(second, 0), 1],
      'two files that changed names': [() => { fs.renameSync(second, `${second}.x`); fs.renameSync(third, second); fs.renameSync(`${second}.x`, third); }, 1],
      'a file twice': [() => fs.copyFileSync(first, second), 1],
      'two groups that changed places': [() => {
        const bytes = fs.readFileSync(second);
        const list = groups(bytes);
        const i = list.findIndex((group, n) => n > 0 && n + 1 < list.length && list[n + 1].size === group.size);
        const [a, b] = [list[i], list[i + 1]];
        const copy = Buffer.from(bytes);
        bytes.copy(copy, a.at, b.at, b.at + b.size);
        bytes.copy(copy, b.at, a.at, a.at + a.size);
        fs.writeFileSync(second, copy);
      }, 1],
      'a group left out': [() => {
        const bytes = fs.readFileSync(second);
        const [, a, b] = groups(bytes);
        fs.writeFileSync(second, Buffer.concat([bytes.subarray(0, a.at), bytes.subarray(b.at), Buffer.alloc(a.size)]));
      }, 1],
      'a group said twice': [() => {
        const bytes = fs.readFileSync(second);
        const [, a] = groups(bytes);
        fs.writeFileSync(second, Buffer.concat([bytes.subarray(0, a.at + a.size), bytes.subarray(a.at)]));
      }, 1],
    };
    for (const [what, [edit, status]] of Object.entries(cases)) {
      const result = changed(edit);
      assert.equal(result.status, status, `${what}: ${JSON.stringify(result)}`);
      assert.equal(result.intact, false, what);
    }
    assert.equal(changed(() => fs.rmSync(path.join(folder, 'head'))).head, false, 'without head the newest may be missing, and it says so');
    const cut = changed(() => fs.rmSync(first));
    assert.equal(cut.complete, false, 'without its first file it is not complete, and says so');
  });

  test('a journal that rotated under load and was stopped and started is one sequence', async () => {
    const records = await allRecords(gateway);
    assertContiguous(records);
    const result = verify(path.join(gateway.data, 'journal'));
    assert.equal(result.intact, true);
    assert.equal(result.complete, true);
    assert.ok(result.files >= 4);
  });

  test('a journal that is damaged at the start keeps the gate shut, and says where', async () => {
    await halt(gateway);
    const file = journalFiles(gateway).at(-1);
    const bytes = fs.readFileSync(file);
    const { at } = groups(bytes)[0];
    const copy = Buffer.from(bytes);
    copy[at + 150] ^= 1;
    fs.writeFileSync(file, copy);
    const start = await startShut(gateway, 'SK1403');
    let opened = 0;
    const answers = new Set();
    try {
      assert.equal(start.line.id, 'SK1403', String(start.line));
      assert.equal(start.line.file, path.basename(file));
      assert.ok(start.line.offset >= BLOCK && start.line.what.length > 5);
      for (const end = Date.now() + 2500; Date.now() < end; await elapse(5)) {
        opened += await gateway.ready() ? 1 : 0;
        answers.add((await gateway.request({ path: '/', user: 'hanako', ms: 5000 }).catch(() => ({ status: 503 }))).status);
      }
    } finally {
      await start.abort();
      fs.writeFileSync(file, bytes);
      await gateway.run();
    }
    assert.deepEqual([...answers], [503]);
    assert.equal(opened, 0, 'readyz said ready');
    const said = gateway.log.slice(start.from, gateway.log.findLastIndex(({ id }) => id === 'SK1003'));
    assert.equal(said.some(({ id }) => id === 'SK1006'), false, 'the log said that the gate is open');
    assert.deepEqual(said.filter(({ id, signal }) => id === 'SK1004' && signal), [], 'no process ended by a signal');
    assert.equal(verify(path.join(gateway.data, 'journal')).intact, true);
  });

  test('an unfinished group at the end is dropped, said, and no part of what follows', async () => {
    await halt(gateway);
    const file = journalFiles(gateway).at(-1);
    const bytes = fs.readFileSync(file);
    const last = groups(bytes).at(-1);
    const fd = fs.openSync(file, 'r+');
    fs.writeSync(fd, Buffer.concat([bytes.subarray(last.at, last.at + 100), Buffer.alloc(300, 7)]), 0, 400, last.at + last.size);
    fs.closeSync(fd);
    const from = gateway.log.length;
    await gateway.run();
    await gateway.logged((line) => line.id === 'SK1402', { from });
    const result = verify(path.join(gateway.data, 'journal'));
    assert.equal(result.intact, true, JSON.stringify(result));
    assertContiguous(await allRecords(gateway));
  });
});

test('a disk that is full shuts the gate; with space it opens again, and nothing acknowledged is lost', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sekisho-full-'));
  const disk = mountSmall(folder, '6m');
  t.after(() => { disk.unmount(); fs.rmSync(folder, { recursive: true, force: true }); });
  const panel = await upstreamFor(t);
  const gateway = await gatewayFor(t, { tenants: [openTenant('acme', panel.url)], settings: { ...SMALL, data: folder, workers: 2 } });
  fs.symlinkSync(folder, path.join(gateway.folder, 'data'));
  const agent = gateway.agent();
  const answered = new Map(); // path → status
  const ask = async (method, target) => {
    const { status } = await gateway.request({ agent, method, path: target, user: 'hanako' });
    answered.set(target, status);
    return status;
  };
  assert.equal(await ask('POST', '/before'), 200);
  const audit = gateway.pids('audit');

  disk.fill();
  let n = 0;
  while (await ask('GET', `/filling/${n++}`) === 200) {
    assert.ok(n < 3000, 'the disk never ran full');
  }
  await until(async () => !await gateway.ready(), 'readyz to say that the gate is shut', 3000);
  assert.equal((await gateway.metrics()).open, 0);
  const seen = panel.requests.length;
  for (let i = 0; i < 20; i++) {
    const start = performance.now();
    assert.equal(await ask('POST', `/full/${i}`), 503);
    assert.equal(await ask('GET', `/full/get/${i}`), 503);
    assert.ok(performance.now() - start < 5000);
  }
  assert.equal(panel.requests.slice(seen).filter(({ method }) => method === 'POST').length, 0, 'no POST reached the upstream');
  await gateway.logged((line) => line.id === 'SK1404');
  assert.equal(fs.existsSync(`${folder}/ballast`), true);

  disk.free();
  await until(() => gateway.ready(), 'the gate to open again', 5000);
  await gateway.logged((line) => line.id === 'SK1405');
  assert.equal(await ask('POST', '/after'), 200);
  assert.equal(await ask('GET', '/after/get'), 200);
  assert.deepEqual(gateway.pids('audit'), audit, 'without a restart');
  agent.destroy();

  const records = await allRecords(gateway);
  assertContiguous(records);
  for (const [target, status] of answered) {
    const list = records.filter((r) => r.path === target);
    if (status === 200) {
      assert.equal(list.at(-1)?.status, 200, `${target} was answered ${status} and is recorded as ${JSON.stringify(list)}`);
    }
  }
  for (const { url, method } of panel.requests.filter((r) => r.method === 'POST')) {
    assert.ok(records.some((r) => r.path === url && r.stage === 'intent'), `${method} ${url} reached the upstream without an intent`);
  }
  assert.equal(gateway.verify().status, 0, gateway.verify().text);
});

// Makes a system call of a process fail, as a disk that breaks does; until release().
async function breakCalls(pid, call, error) {
  const child = spawn('strace', ['-f', '-qq', '-o', '/dev/null', '-e', `trace=${call}`, '-e', `inject=${call}:error=${error}`, '-p', String(pid)], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => { said += text; });
  const ended = new Promise((resolve) => child.on('close', resolve));
  const traced = () => fs.readdirSync(`/proc/${pid}/task`).every((task) => /^TracerPid:\t[1-9]/m.test(fs.readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8')));
  await until(() => child.exitCode !== null || traced(), 'the tracer');
  assert.equal(child.exitCode, null, said);
  return { async release() {
    child.kill('SIGINT');
    await ended;
  } };
}

for (const [call, error] of [['pwritev2', 'EIO'], ['pwritev2', 'ENOSPC']]) {
  test(`a disk that fails (${call}: ${error}) shuts the gate; when it is well again the gate opens, and nothing acknowledged is lost`, async (t) => {
    const panel = await upstreamFor(t);
    const gateway = await gatewayFor(t, { tenants: [openTenant('acme', panel.url)], settings: { ...SMALL, workers: 2 } });
    const status = (method, target) => gateway.request({ method, path: target, user: 'hanako' }).then((response) => response.status);
    assert.equal(await status('POST', '/before'), 200);
    const from = gateway.log.length;
    const broken = await breakCalls(gateway.pids('audit')[0], call, error);
    try {
      for (let i = 0; i < 5; i++) {
        assert.equal(await status('POST', `/broken/${i}`), 503);
        assert.equal(await status('GET', `/broken/get/${i}`), 503);
      }
      await gateway.logged((line) => line.id === 'SK1404', { from });
      assert.equal(await gateway.ready(), false);
      assert.equal(panel.requests.filter(({ url, method }) => method === 'POST' && url !== '/before').length, 0, 'a POST reached the upstream');
    } finally {
      await broken.release();
    }
    await until(() => gateway.ready(), 'the gate to open again', 10000);
    assert.equal(await status('POST', '/after'), 200);
    const records = await allRecords(gateway);
    assertContiguous(records);
    for (const target of ['/before', '/after']) {
      assert.deepEqual(records.filter((r) => r.path === target).map((r) => [r.stage, r.status ?? 0]), [['intent', 0], ['outcome', 200]]);
    }
    assert.ok(!records.some((r) => r.path?.startsWith('/broken') && r.status === 200 && !records.some((other) => other.request === r.request && other.status === 503)));
    assert.equal(gateway.verify().status, 0, gateway.verify().text);
  });
}

test('a disk that is full while it starts keeps the gate shut until there is space', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sekisho-full-'));
  const disk = mountSmall(folder, '4m');
  t.after(() => { disk.unmount(); fs.rmSync(folder, { recursive: true, force: true }); });
  const panel = await upstreamFor(t);
  const gateway = await gatewayFor(t, { tenants: [openTenant('acme', panel.url)], settings: { ...SMALL, data: folder } });
  fs.symlinkSync(folder, path.join(gateway.folder, 'data'));
  await halt(gateway);
  for (const file of fs.readdirSync(path.join(folder, 'journal'))) {
    fs.rmSync(path.join(folder, 'journal', file)); // a new journal has to be begun
  }
  fs.rmSync(gateway.checkpoints);
  disk.fill();
  const start = await startShut(gateway, 'SK1408'); // the signer begins first
  assert.equal(start.line.id, 'SK1408', String(start.line));
  assert.equal(await gateway.ready(), false);
  disk.free();
  await until(() => gateway.ready(), 'the gate to open', 10000);
  assert.equal((await gateway.request({ user: 'hanako' })).status, 200);
});

describe('a journal file that is removed under the gateway', () => {
  for (const [what, keep] of [['the only file', 1], ['the newest of several', 3]]) {
    test(`${what}: the gate shuts within two seconds, and no record is missing without a word`, async (t) => {
      const panel = await upstreamFor(t);
      const gateway = await gatewayFor(t, { tenants: [openTenant('acme', panel.url)], settings: SMALL });
      if (keep > 1) {
        const load = startLoad(t, gateway, 4, (i) => ({ path: `/${'long/'.repeat(300)}${i}`, method: 'POST', user: 'hanako' }), () => {});
        await until(() => journalFiles(gateway).length >= keep, 'more files', 60000, 50);
        await load.stop();
      }
      assert.equal((await gateway.request({ path: '/precious', method: 'DELETE', user: 'hanako' })).status, 200);
      const from = gateway.log.length;
      const [audit] = gateway.pids('audit');
      const start = performance.now();
      gateway.killing = true; // audit is to end of itself
      fs.rmSync(journalFiles(gateway).at(-1));
      await gateway.logged((line) => line.id === 'SK1404', { from, ms: 3000 });
      assert.ok(performance.now() - start < 2000);
      await until(() => !gateway.pids('audit').includes(audit), 'the end of that audit');
      await elapse(1500); // what it does next
      const reopened = await gateway.ready();
      if (reopened) {
        const records = await allRecords(gateway);
        const result = verify(path.join(gateway.data, 'journal'));
        assert.ok(records.some((r) => r.path === '/precious') || !result.intact || !result.complete || gateway.log.slice(from).some(({ id }) => id === 'SK1403'),
          'the gate is open again, an acknowledged record is gone, and the journal counts as intact and complete');
      }
    });
  }
});
