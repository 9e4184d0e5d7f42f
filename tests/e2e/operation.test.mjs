// Running it: checks of the configuration, reload, certificates, systemd, what can be observed, and the sandbox.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { deadline, freePorts, hashPassword, makeAuthority, openTenant, PASSWORD, ROOT, startGateway, until } from './lib/gateway.mjs';
import { endedAfter, gatewayFor, halt, loggedIn, openDownload, openWebSocket, SEKISHO, SEKISHOD, sekishoLive, sql, startLoad, startPanel, upstreamFor } from './lib/person.mjs';
import { startUpstream } from './lib/upstream.mjs';

// ---- what --check says

describe('a configuration that is wrong', () => {
  let folder, service, tenants;

  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sekisho-check-'));
    const authority = makeAuthority(folder);
    authority.issue('one', ['one.test']);
    authority.issue('two', ['two.test']);
    fs.mkdirSync(path.join(folder, 'tenants'));
    service = `listen: ["127.0.0.1:1"]
observe: 127.0.0.1:2
workers: 2
tenants: tenants
data: ${folder}/data
root_key_file: root.key
uid_base: 64100
timeouts:
  header: 10s
  idle: 60s
journal:
  file_size: 1M
services:
  - name: svc
    sessions: {inactivity: 15m}
    limits: {body: 16M}
`;
    const tenant = (name) => `tenant: ${name}
service: svc
open: true
hosts: [${name}.test]
certificates:
  - {cert_file: ../ca-${name}.crt, key_file: ../ca-${name}.key}
networks:
  - {name: here, cidrs: [127.0.0.0/8]}
from: [here]
apps:
  - name: api
    kind: api
    path: /api
    upstreams: ["http://127.0.0.1:8081"]
roles:
  - name: reader
    allow: ["api GET /api/**"]
  - name: writer
    inherits: [reader]
users:
  - name: hanako
    roles: [reader]
    password_hash: ${hashPassword(PASSWORD)}
`;
    tenants = { one: tenant('one'), two: tenant('two') };
  });
  after(() => fs.rmSync(folder, { recursive: true, force: true }));

  // Writes all files with one text replaced; runs a check.
  async function check(edits, { command = 'sekishod', root = Buffer.alloc(32, 1), mode = 0o400 } = {}) {
    const files = { 'sekisho.yaml': service, 'tenants/one.yaml': tenants.one, 'tenants/two.yaml': tenants.two };
    for (const [file, from, to] of edits) {
      assert.ok(files[file].includes(from), `${from} is in ${file}`);
      files[file] = files[file].replace(from, () => to);
    }
    for (const [file, text] of Object.entries(files)) {
      fs.writeFileSync(path.join(folder, file), text);
    }
    fs.rmSync(path.join(folder, 'root.key'), { force: true });
    fs.writeFileSync(path.join(folder, 'root.key'), root, { mode });
    const conf = path.join(folder, 'sekisho.yaml');
    return command === 'sekishod' ? sekishoLive(['--check', '--config', conf], { program: SEKISHOD }) : sekishoLive(['config', 'check', conf], { program: SEKISHO });
  }

  const lineOf = (text, part) => text.slice(0, text.indexOf(part)).split('\n').length;

  test('a good one is said to be good', async () => {
    for (const command of ['sekishod', 'sekisho']) {
      const { status, stdout, stderr } = await check([], { command });
      assert.equal(status, 0, stderr);
      assert.match(stdout, /good|2 tenants/);
    }
  });

  // name: [file, replaced, by, what the message must hold]; the line is that of what was put in.
  const MISTAKES = {
    'a typo in a key': ['sekisho.yaml', 'timeouts:', 'timeout:', /timeout/],
    'a typo in a key below': ['sekisho.yaml', 'header: 10s', 'haeder: 10s', /haeder/],
    'a typo in a tenant\'s key': ['tenants/one.yaml', 'open: true', 'opne: true', /opne/],
    'a typo in an app\'s key': ['tenants/one.yaml', 'kind: api', 'kindd: api', /kindd/],
    'a text where a number belongs': ['sekisho.yaml', 'workers: 2', 'workers: many', /workers|number|integer|uint/i],
    'a text where yes or no belongs': ['tenants/one.yaml', 'open: true', 'open: {a: b}', /open|bool/i],
    'a text where a list belongs': ['tenants/one.yaml', 'hosts: [one.test]', 'hosts: one.test', /hosts|sequence|list/i],
    'a kind that does not exist': ['tenants/one.yaml', 'kind: api', 'kind: apis', /apis|kind/],
    'a role nobody defined': ['tenants/one.yaml', 'roles: [reader]', 'roles: [raeder]', /no role is named 'raeder'/],
    'an inherited role nobody defined': ['tenants/one.yaml', 'inherits: [reader]', 'inherits: [raeder]', /raeder/],
    'a network nobody defined': ['tenants/one.yaml', 'from: [here]', 'from: [there]', /there/],
    'a prefix that is none': ['tenants/one.yaml', 'cidrs: [127.0.0.0/8]', 'cidrs: [127.0.0.0/33]', /127\.0\.0\.0\/33/],
    'an address that is none': ['tenants/one.yaml', 'cidrs: [127.0.0.0/8]', 'cidrs: [127.0.0.256]', /127\.0\.0\.256/],
    'an app nobody defined in a rule': ['tenants/one.yaml', '"api GET /api/**"', '"apy GET /api/**"', /apy/],
    'a rule that is none': ['tenants/one.yaml', '"api GET /api/**"', '"api /api/**"', /api \/api|rule|METHOD/],
    'a host with capitals': ['tenants/one.yaml', 'hosts: [one.test]', 'hosts: [One.test]', /One\.test/],
    'a host that another tenant has': ['tenants/two.yaml', 'hosts: [two.test]', 'hosts: [two.test, one.test]', /one\.test.*(one|two)\.yaml/],
    'a tenant that another file has': ['tenants/two.yaml', 'tenant: two', 'tenant: one', /'one'.*one\.yaml/],
    'a service nobody defined': ['tenants/one.yaml', 'service: svc', 'service: svcs', /svcs/],
    'a certificate with another key': ['tenants/one.yaml', 'key_file: ../ca-one.key', 'key_file: ../ca-two.key', /key/],
    'a certificate file that is none': ['tenants/one.yaml', 'cert_file: ../ca-one.crt', 'cert_file: ../root.key', /certificate|PEM/i],
    'a file that is missing': ['tenants/one.yaml', 'cert_file: ../ca-one.crt', 'cert_file: ../ca-none.crt', /ca-none\.crt.*No such file/],
    'a duration that is none': ['sekisho.yaml', 'idle: 60s', 'idle: 60 s', /'60 s' .*(30s|5m)/],
    'a session limit that is none': ['sekisho.yaml', 'inactivity: 15m', 'inactivity: 15 minutes', /15 minutes/],
    'a size that is none': ['sekisho.yaml', 'body: 16M', 'body: 16MB', /16MB/],
    'a journal file that is too small': ['sekisho.yaml', 'file_size: 1M', 'file_size: 64k', /1M/],
    'an upstream with a name': ['tenants/one.yaml', 'http://127.0.0.1:8081', 'http://localhost:8081', /localhost/],
    'an upstream over TLS without an authority': ['tenants/one.yaml', 'http://127.0.0.1:8081', 'https://up.test@127.0.0.1:8081', /ca_file/, '- name: api'],
    'a listen address without a port': ['sekisho.yaml', 'listen: ["127.0.0.1:1"]', 'listen: ["127.0.0.1"]', /127\.0\.0\.1/],
    'a password instead of its hash': ['tenants/one.yaml', /password_hash: .*/.source, null, /password_hash|hash/, '- name: hanako'],
    'a local user without a password': ['tenants/one.yaml', /\n {4}password_hash: .*/.source, null, /password_hash|hash/],
    'a user\'s name with a comma': ['tenants/one.yaml', 'name: hanako', 'name: "hana,ko"', /hana,ko|comma/],
    'a user who is there twice': ['tenants/one.yaml', 'users:\n', 'users:\n  - {name: jiro, roles: [reader], backend: pam}\n  - {name: jiro, roles: [reader], backend: pam}\n', /jiro/],
    'a tab': ['tenants/one.yaml', 'open: true', '\topen: true', /./],
    'a key that is there twice': ['tenants/one.yaml', 'open: true', 'open: false\nopen: true', /open/],
  };
  for (const [what, [file, from, to, message, start]] of Object.entries(MISTAKES)) {
    test(`${what}: file, line and what was expected`, async () => {
      let edit = [file, from, to];
      if (to === null) {
        const base = tenants.one;
        const found = new RegExp(from).exec(base)[0];
        edit = [file, found, found.startsWith('\n') ? '' : 'password_hash: not-a-hash-at-all'];
      }
      for (const command of ['sekishod', 'sekisho']) {
        const { status, stdout, stderr } = await check([edit], { command });
        assert.equal(status, 1, `${command}: ${stdout}${stderr}`);
        const text = fs.readFileSync(path.join(folder, file), 'utf8');
        const match = new RegExp(`${file.replace('/', '/').replace('.', '\\.')}:(\\d+): (.*)`).exec(stderr);
        assert.ok(match, `${command} says file and line: ${stderr}`);
        assert.match(match[2], message, command);
        // Where it stands, or where the thing begins that lacks something.
        const first = edit[2] ? lineOf(text, edit[2].trim().split('\n')[0]) : lineOf(text, 'name: hanako');
        const last = first + edit[2].trim().split('\n').length - 1;
        const from = lineOf(text, start ?? edit[2].trim().split('\n')[0] ?? '');
        assert.ok(Number(match[1]) >= Math.min(first, start ? from : first) && Number(match[1]) <= last, `${command}: line ${match[1]}, not ${first}: ${stderr}`);
      }
    });
  }

  test('every file\'s first mistake is said, not the first file\'s alone', async () => {
    const { status, stderr } = await check([['tenants/one.yaml', 'open: true', 'opne: true'], ['tenants/two.yaml', 'from: [here]', 'from: [there]']]);
    assert.equal(status, 1);
    assert.match(stderr, /tenants\/one\.yaml:\d+/);
    assert.match(stderr, /tenants\/two\.yaml:\d+/);
  });

  test('a root key that is too short, readable by others, or missing', async () => {
    for (const [options, message] of [[{ root: Buffer.alloc(31) }, /root\.key.*(31|32)/], [{ mode: 0o444 }, /root\.key.*chmod/]]) {
      const { status, stderr } = await check([], options);
      assert.equal(status, 1);
      assert.match(stderr, message);
    }
    const { status, stderr } = await check([['sekisho.yaml', 'root.key', 'none.key']]);
    assert.equal(status, 1);
    assert.match(stderr, /none\.key/);
  });

  test('a wrong option, and a file that is not there', async () => {
    assert.equal((await sekishoLive(['--chekc'], { program: SEKISHOD })).status, 2);
    const { status, stderr } = await sekishoLive(['--check', '--config', '/nonexistent/sekisho.yaml'], { program: SEKISHOD });
    assert.equal(status, 1);
    assert.match(stderr, /\/nonexistent\/sekisho\.yaml.*No such file/);
  });

  test('it does not start on a configuration that --check refuses', async () => {
    await check([['tenants/one.yaml', 'open: true', 'opne: true']]);
    const { status, stderr } = await sekishoLive(['--config', path.join(folder, 'sekisho.yaml')], { program: SEKISHOD });
    assert.equal(status, 1);
    assert.match(stderr, /"SK1101".*tenants\/one\.yaml:\d/);
    assert.equal(fs.existsSync(path.join(folder, 'data')), false);
  });

  test('what it cannot take, and has no words for, ends it with its error, not with a signal', async () => {
    const name = 'n'.repeat(300);
    await check([['tenants/one.yaml', 'upstreams: ["http://127', `ca_file: ../ca-one.crt\n    upstreams: ["https://${name}@127`]]);
    const { status, stderr } = await sekishoLive(['--config', path.join(folder, 'sekisho.yaml')], { program: SEKISHOD });
    assert.equal(status, 1, stderr);
    assert.match(stderr, /"SK1901".*Message too long/);
    assert.equal(fs.existsSync(path.join(folder, 'data')), false);
  });
});

// ---- reload

describe('reload', () => {
  let gateway, panel;
  const tenant = (name, own = {}) => openTenant(name, panel.url, {
    apps: [{ name: 'api', kind: 'api', path: '/api', upstreams: [panel.url] }, { name: 'stream', kind: 'api', path: '/stream', upstreams: [panel.url] },
      { name: 'panel', kind: 'panel', path: '/', upstreams: [panel.url] }],
    roles: [{ name: 'all', allow: ['api GET /api/**', 'stream * /**', 'panel * /**', 'panel * /'] }], ...own });
  const keep = (name) => ({ certificates: gateway.certificates[name] });

  before(async () => {
    panel = await startPanel({ after() {} });
    gateway = await startGateway({ tenants: [tenant('acme'), tenant('beta')], settings: { workers: 2 } });
  });
  after(async () => {
    await gateway?.stop();
    await panel?.close();
  });

  const post = (host = 'acme.test') => gateway.request({ host, path: '/api/x', method: 'POST', body: 'x', user: 'hanako' }).then(({ status }) => status);
  const wider = [{ name: 'all', allow: ['api * /api/**', 'stream * /**', 'panel * /**', 'panel * /'] }];

  test('a wrong file changes nothing, not even what is right in other files, and says where it is wrong', async () => {
    const agent = gateway.agent();
    assert.equal((await gateway.request({ agent, path: '/api/x', user: 'hanako' })).status, 200);
    const before = await gateway.metrics();
    const line = await gateway.reload(() => {
      gateway.tenant(tenant('acme', { ...keep('acme'), roles: wider }));
      gateway.file('tenants/beta.yaml', fs.readFileSync(path.join(gateway.folder, 'tenants/beta.yaml'), 'utf8').replace('"open"', '"opne"'));
      gateway.tenant(tenant('gamma'));
    });
    assert.equal(line.id, 'SK1101');
    assert.match(line.at, /tenants\/beta\.yaml:\d+$/);
    assert.match(line.what, /opne/);
    assert.equal(await post(), 403, 'acme is as it was');
    assert.equal((await gateway.request({ host: 'beta.test', path: '/api/x', user: 'hanako' })).status, 200, 'beta is as it was');
    await assert.rejects(gateway.tls('gamma.test'), 'gamma is not there');
    assert.equal((await gateway.request({ agent, path: '/api/x', user: 'hanako' })).status, 200, 'an open connection goes on');
    const metrics = await gateway.metrics();
    assert.equal(metrics.config_last_reload_success, 0);
    assert.equal(metrics.config_last_reload_success_timestamp_seconds, before.config_last_reload_success_timestamp_seconds);
    const good = await gateway.reload(() => gateway.tenant(tenant('beta', keep('beta'))));
    assert.equal(good.id, 'SK1102');
    assert.equal(await post(), 200);
    assert.equal((await gateway.request({ host: 'gamma.test', path: '/api/x', user: 'hanako' })).status, 200);
    assert.equal((await gateway.metrics()).config_last_reload_success, 1);
    agent.destroy();
  });

  test('what the store does not take is not called done: it is tried again until the store has it', async (t) => {
    const users = ['hanako', 'jiro'].map((name) => ({ name, roles: ['all'] }));
    const ask = (user) => gateway.request({ host: 'held.test', path: '/api/x', user }).then(({ status }) => status);
    assert.equal((await gateway.reload(() => gateway.tenant(tenant('held', { users })))).id, 'SK1102');
    assert.deepEqual([await ask('hanako'), await ask('jiro')], [200, 200]);
    const file = createHash('sha256').update('svc\nheld').digest('hex').slice(0, 32);
    const holder = spawn('sqlite3', [path.join(gateway.data, 'store/tenants', `${file}.db`)], { stdio: ['pipe', 'pipe', 'inherit'] });
    t.after(() => holder.kill('SIGKILL'));
    holder.stdin.write("BEGIN IMMEDIATE; SELECT 'held';\n");
    await once(holder.stdout, 'data');
    const from = gateway.log.length;
    gateway.tenant({ ...tenant('held', { users: users.slice(0, 1) }), certificates: gateway.certificates.held });
    gateway.child.kill('SIGHUP');
    await gateway.logged(({ id, operation, tenant: name }) => id === 'SK1501' && operation === 'sync' && name === 'held', { from });
    await gateway.logged(({ id }) => id === 'SK1006', { from });
    assert.equal((await gateway.metrics()).config_last_reload_success, 0);
    assert.equal(gateway.log.slice(from).some(({ id }) => id === 'SK1102'), false);
    holder.stdin.end('ROLLBACK;\n');
    await gateway.logged(({ id }) => id === 'SK1102', { from });
    assert.equal((await gateway.metrics()).config_last_reload_success, 1);
    await until(async () => await ask('jiro') === 401, 'the user who is no more is refused', 1000);
    assert.equal(await ask('hanako'), 200);
  });

  test('a reload that follows while the store is away counts, and so does what the first one brought', async () => {
    const users = ['hanako', 'jiro', 'saburo'].map((name) => ({ name, roles: ['all'] }));
    const ask = (user) => gateway.request({ host: 'twice.test', path: '/api/x', user }).then(({ status }) => status);
    assert.equal((await gateway.reload(() => gateway.tenant(tenant('twice', { users })))).id, 'SK1102');
    assert.equal(await ask('saburo'), 200);
    gateway.kill('store', 'SIGSTOP');
    const from = gateway.log.length;
    const change = (count) => gateway.tenant({ ...tenant('twice', { users: users.slice(0, count) }), certificates: gateway.certificates.twice });
    change(2);
    gateway.child.kill('SIGHUP');
    gateway.tenant({ ...tenant('acme', keep('acme')), certificates: gateway.certificates.acme });
    gateway.child.kill('SIGHUP');
    change(1);
    gateway.child.kill('SIGHUP');
    gateway.kill('store', 'SIGCONT');
    await until(async () => (await gateway.metrics()).config_last_reload_success === 1 && gateway.log.slice(from).some(({ id }) => id === 'SK1102'), 'all is loaded');
    await until(async () => await ask('jiro') === 401 && await ask('saburo') === 401, 'both are gone', 3000);
    assert.equal(await ask('hanako'), 200);
  });

  test('a good one is in force within a second, without dropping what is open', async () => {
    assert.equal((await gateway.reload(() => gateway.tenant(tenant('acme', keep('acme'))))).id, 'SK1102');
    const agents = Array.from({ length: 6 }, () => gateway.agent());
    const sockets = new Set();
    const all = async () => Promise.all(agents.map(async (agent) => (await gateway.request({ agent, path: '/api/x', method: 'POST', body: 'x', user: 'hanako',
      onResponse({ socket }) { sockets.add(socket.localPort); } })).status));
    assert.deepEqual(new Set(await all()), new Set([403]));
    const browser = await loggedIn(gateway, 'acme.test', 'hanako');
    const open = [await openWebSocket(gateway, 'acme.test', '/ws', { headers: { cookie: `__Host-sekisho=${browser.session}` } }),
      await openDownload(gateway, 'acme.test', { authorization: gateway.basic('hanako') })];
    gateway.tenant(tenant('acme', { ...keep('acme'), roles: wider }));
    const from = gateway.log.length;
    const start = performance.now();
    gateway.child.kill('SIGHUP');
    await until(async () => (await all()).every((status) => status === 200), '200 on all connections', 5000, 2);
    assert.ok(performance.now() - start < 1000, `${performance.now() - start} ms`);
    await gateway.logged(({ id }) => id === 'SK1006', { from });
    assert.equal(sockets.size, agents.length, 'every connection went on');
    for (const wire of open) {
      const had = wire.bytes.length;
      wire.write(Buffer.from([0x81, 0x80, 0, 0, 0, 0]));
      await wire.wait(() => wire.bytes.length > had, 'more of what is open');
      assert.equal(wire.end, null);
      wire.destroy();
    }
    assert.equal((await gateway.metrics()).streams_cut_total, 0);
    agents.forEach((agent) => agent.destroy());
  });

  test('a new certificate is given to new connections, and open ones go on', async () => {
    const agent = gateway.agent();
    const seen = [];
    const ask = () => gateway.request({ agent, path: '/api/x', user: 'hanako', onResponse({ socket }) { seen.push([socket.localPort, socket.getPeerCertificate().fingerprint256]); } });
    assert.equal((await ask()).status, 200);
    const { cert, key } = gateway.authority.issue('renewed', ['acme.test']);
    const line = await gateway.reload(() => gateway.tenant(tenant('acme', { certificates: [{ cert_file: cert, key_file: key }] })));
    assert.equal(line.id, 'SK1102');
    const next = await Promise.all(Array.from({ length: 8 }, () => gateway.tls('acme.test')));
    for (const socket of next) {
      assert.notEqual(socket.getPeerCertificate().fingerprint256, seen[0][1]);
      socket.destroy();
    }
    assert.equal((await ask()).status, 200);
    assert.deepEqual(seen[1], seen[0]);
    agent.destroy();
  });

  test('a certificate file that was replaced under its name is noticed', async () => {
    const [{ cert_file: certFile, key_file: keyFile }] = gateway.certificates.beta;
    const socket = await gateway.tls('beta.test');
    const old = socket.getPeerCertificate().fingerprint256;
    socket.destroy();
    const { cert, key } = gateway.authority.issue('replaced', ['beta.test']);
    fs.renameSync(cert, certFile);
    fs.renameSync(key, keyFile);
    assert.equal((await gateway.reload()).id, 'SK1102');
    const now = await gateway.tls('beta.test');
    assert.notEqual(now.getPeerCertificate().fingerprint256, old);
    now.destroy();
  });

  test('tenants come, go, and hand hosts over', async () => {
    assert.equal((await gateway.reload(() => gateway.tenant(tenant('delta', { hosts: ['delta.test', 'wandering.test'] })))).id, 'SK1102');
    const ask = (host) => gateway.request({ host, path: '/api/x', user: 'hanako' }).then(({ status }) => status);
    assert.equal(await ask('wandering.test'), 200);
    assert.equal((await gateway.reload(() => {
      gateway.tenant(tenant('delta', { hosts: ['delta.test'] }));
      gateway.tenant(tenant('epsilon', { hosts: ['epsilon.test', 'wandering.test'], users: [{ name: 'eri', roles: ['all'] }] }));
    })).id, 'SK1102');
    for (let i = 0; i < 3; i++) {
      assert.equal(await ask('wandering.test'), 401, 'its users are the new tenant\'s');
      assert.equal(await ask('delta.test'), 200);
    }
    assert.equal((await gateway.request({ host: 'wandering.test', path: '/api/x', user: 'eri' })).status, 200);
    assert.equal((await gateway.reload(() => fs.rmSync(path.join(gateway.folder, 'tenants/epsilon.yaml')))).id, 'SK1102');
    for (let i = 0; i < 6; i++) {
      await assert.rejects(gateway.tls('wandering.test'));
    }
    assert.equal((await gateway.metrics()).tenants, fs.readdirSync(path.join(gateway.folder, 'tenants')).filter((name) => name.endsWith('.yaml')).length);
  });

  test('an injected value that changed is injected', async () => {
    const with_ = (value) => tenant('keyed', { ...(gateway.certificates.keyed ? keep('keyed') : {}),
      apps: [{ name: 'api', kind: 'api', path: '/', upstreams: [panel.url], inject: [{ header: 'X-API-Key', value }] }], roles: [{ name: 'all', allow: ['api * /**'] }] });
    for (const value of ['first', 'second', 'third']) {
      assert.equal((await gateway.reload(() => gateway.tenant(with_(value)))).id, 'SK1102');
      for (let i = 0; i < 4; i++) {
        assert.equal((await gateway.request({ host: 'keyed.test', user: 'hanako' })).json().headers['x-api-key'], value);
      }
    }
    const file = path.join(gateway.folder, 'secrets/keyed-api-X-API-Key');
    assert.equal((await gateway.reload(() => fs.writeFileSync(file, 'in place\n'))).id, 'SK1102');
    for (let i = 0; i < 4; i++) {
      assert.equal((await gateway.request({ host: 'keyed.test', user: 'hanako' })).json().headers['x-api-key'], 'in place');
    }
  });

  test('once a reload is in force no request gets a value that was injected before, however busy its app', async (t) => {
    const upstream = await upstreamFor(t, (request, response) => response.end(request.headers['x-api-key'] ?? 'none'));
    const names = ['aaa', 'zzz', ...Array.from({ length: 12 }, (_, i) => `t${i}`)];
    const keyed = (name, value) => openTenant(name, upstream.url, { apps: [{ name: 'api', kind: 'api', path: '/', upstreams: [upstream.url], inject: [{ header: 'X-API-Key', value }] }],
      users: Array.from({ length: 20 }, (_, i) => ({ name: i ? `user${i}` : 'hanako', roles: ['all'] })) });
    const own = await gatewayFor(t, { settings: { workers: 1 }, tenants: names.map((name) => keyed(name, 'key-0')) });
    const seen = [];
    startLoad(t, own, 2, (_, client) => ({ host: `${names[client]}.test`, user: 'hanako' }), ({ status, response }) => seen.push([status, response?.text]));
    for (let turn = 1; turn <= 4; turn++) {
      const value = `key-${turn}`;
      assert.equal((await own.reload(() => names.forEach((name) => own.tenant({ ...keyed(name, value), certificates: own.certificates[name] })))).id, 'SK1102');
      const got = await Promise.all(names.map((name) => own.request({ host: `${name}.test`, user: 'hanako' }).then(({ text }) => text)));
      assert.deepEqual(got, names.map(() => value));
    }
    assert.deepEqual(seen.filter(([status, text]) => status !== 200 || !/^key-\d$/.test(text)), [], 'and meanwhile each has one of both');
  });

  test('a request whose injected value the store does not have is 503: it is not sent without', async (t) => {
    const upstream = await upstreamFor(t);
    const inject = ['X-API-Key', 'X-Other-Key'].map((header) => ({ header, value: `the ${header}` }));
    const own = await gatewayFor(t, { settings: { workers: 1 }, tenants: [openTenant('acme', upstream.url, { apps: [{ name: 'api', kind: 'api', path: '/', upstreams: [upstream.url], inject }] })] });
    const folder = path.join(own.data, 'store');
    const files = fs.readdirSync(folder, { recursive: true }).map((name) => path.join(folder, name)).filter((name) => /tenants.*\.db$/.test(name));
    assert.equal(files.length, 1);
    sql(files[0], 'DELETE FROM secrets WHERE header_hash = (SELECT min(header_hash) FROM secrets)');
    for (let i = 0; i < 2; i++) {
      const answer = await own.request({ user: 'hanako' });
      assert.deepEqual([answer.status, answer.json().reason], [503, 'secrets-unavailable']);
    }
    assert.deepEqual(upstream.requests, []);
  });

  const settings = (change) => gateway.file('sekisho.yaml', { ...gateway.settings, ...change });

  test('a service\'s new defaults reach tenants whose own files did not change', async (t) => {
    t.after(() => gateway.reload(() => settings({})));
    const body = 'x'.repeat(4096);
    const ask = () => gateway.request({ host: 'gamma.test', path: '/stream-not', method: 'POST', body, user: 'hanako' }).then(({ status }) => status);
    assert.notEqual(await ask(), 413);
    assert.equal((await gateway.reload(() => settings({ services: [{ name: 'svc', limits: { body: '1k' } }] }))).id, 'SK1102');
    for (let i = 0; i < 4; i++) {
      assert.equal(await ask(), 413);
    }
    assert.equal((await gateway.reload(() => settings({}))).id, 'SK1102');
    assert.notEqual(await ask(), 413);
  });

  test('a service that tenants belong to cannot be taken away', async (t) => {
    t.after(() => gateway.reload(() => settings({})));
    const line = await gateway.reload(() => settings({ services: [{ name: 'other' }] }));
    assert.equal(line.id, 'SK1101');
  });

  test('a host that two tenants claim is refused, and the gateway goes on', async (t) => {
    t.after(async () => {
      fs.rmSync(path.join(gateway.folder, 'tenants/thief.yaml'), { force: true });
      await (gateway.exited ? gateway.run() : gateway.reload());
    });
    gateway.tenant(tenant('thief', { hosts: ['thief.test', 'acme.test'] }));
    const from = gateway.log.length;
    gateway.child.kill('SIGHUP');
    const line = await Promise.race([gateway.logged(({ id }) => id === 'SK1101' || id === 'SK1102', { from }), gateway.ended.then((how) => { throw new Error(`the gateway ended: ${JSON.stringify(how)}`); })]);
    assert.equal(line.id, 'SK1101');
    assert.match(line.at, /thief\.yaml:\d+$/);
    assert.match(line.what, /acme\.test/);
    assert.equal((await gateway.request({ path: '/api/x', user: 'hanako' })).status, 200);
  });

  test('a setting that needs a restart is refused, and one that is taken is in force', async (t) => {
    t.after(async () => {
      settings({});
      await (gateway.exited ? gateway.run() : gateway.reload());
    });
    for (const [change, message] of [[{ listen: ['127.0.0.1:1'] }, /restart/], [{ data: '/tmp/elsewhere' }, /restart/], [{ observe: '127.0.0.1:1' }, /restart/]]) {
      const line = await Promise.race([gateway.reload(() => settings(change)), gateway.ended.then((how) => { throw new Error(`the gateway ended: ${JSON.stringify(how)}`); })]);
      assert.equal(line.id, 'SK1101');
      assert.match(line.what, message);
    }
    const line = await gateway.reload(() => settings({ balancers: ['127.0.0.0/8'] }));
    if (line.id === 'SK1102') {
      for (let i = 0; i < 4; i++) {
        await assert.rejects(gateway.tls('acme.test'), 'a balancer that says no PROXY header is let in');
      }
    }
    assert.equal((await gateway.reload(() => settings({}))).id, 'SK1102');
    assert.equal((await gateway.reload(() => settings({ timeouts: { header: '1s' } }))).id, 'SK1102');
    const heads = await Promise.all(Array.from({ length: 4 }, () => gateway.rawTls('acme.test')));
    heads.forEach((wire) => wire.write('GET / HTTP/1.1\r\n'));
    await Promise.all(heads.map((wire) => wire.closed(5000)));
    const workers = await gateway.reload(() => settings({ workers: 3 }));
    assert.ok(workers.id === 'SK1101' || gateway.pids('worker').length === 3, 'workers: 3 was taken and is not in force');
    assert.equal((await gateway.reload(() => settings({}))).id, 'SK1102');
  });

  test('reloads that follow each other closely all count', async () => {
    let from = gateway.log.length;
    for (let i = 0; i < 10; i++) {
      gateway.tenant(tenant('acme', { ...keep('acme'), roles: i % 2 ? wider : [{ name: 'all', allow: ['api GET /api/**'] }] }));
      gateway.child.kill('SIGHUP');
      await gateway.logged(({ id }) => id === 'SK1102', { from });
      from = gateway.log.length;
    }
    await gateway.reload();
    for (let i = 0; i < 4; i++) {
      assert.equal(await post(), 200);
    }
  });
});

// ---- start and stop

describe('an ordinary start and stop', () => {
  test('log no warning and no error', async (t) => {
    const panel = await upstreamFor(t);
    const gateway = await gatewayFor(t, { tenants: [openTenant('acme', panel.url, { users: [{ name: 'hanako', roles: ['all'] }, { name: 'taro', roles: ['all'], backend: 'pam' }] })], settings: { workers: 2 } });
    for (let i = 0; i < 5; i++) {
      assert.equal((await gateway.request({ user: 'hanako' })).status, 200);
      await halt(gateway);
      await gateway.run();
    }
    // SK1201 is about the kernel.
    assert.deepEqual(gateway.log.filter(({ id, level }) => level !== 'INFO' && id !== 'SK1201'), []);
    assert.equal(gateway.log.filter(({ id }) => id === 'SK1003').length, 5);
  });

  test('need no right to signal other accounts\' processes (CAP_KILL)', async (t) => {
    const panel = await startPanel(t);
    const gateway = await gatewayFor(t, { tenants: [openTenant('acme', panel.url)], settings: { workers: 2, timeouts: { drain: '30s' } }, through: ['setpriv', '--bounding-set', '-kill'] });
    const capabilities = () => BigInt(`0x${/^CapEff:\s+(\w+)$/m.exec(fs.readFileSync(`/proc/${gateway.child.pid}/status`, 'utf8'))[1]}`);
    let stopped = null;
    const end = async (signals, code) => {
      assert.equal(capabilities() >> 5n & 1n, 0n);
      const children = gateway.pids();
      assert.ok(children.length >= 6);
      for (let i = 0; i < signals; i++) {
        const from = gateway.log.length;
        gateway.child.kill('SIGTERM');
        await (i === 0 && gateway.logged(({ id }) => id === 'SK1002', { from }));
        // Two signals at once would count as one: the second has done its work when all are gone who can go.
        await (i === 1 && signals > 2 && gone(children.filter((pid) => pid !== stopped)));
      }
      assert.deepEqual(await deadline(gateway.ended, 'the end', 5000), { code, signal: null });
      return children;
    };
    const gone = (children) => until(() => children.every((pid) => !fs.existsSync(`/proc/${pid}`)), 'the end of all processes', 5000);
    assert.equal((await gateway.request({ user: 'hanako' })).status, 200);
    await gone(await end(1, 0));

    await gateway.run();
    const open = await openDownload(gateway, 'acme.test', { authorization: gateway.basic('hanako') });
    await gone(await end(2, 0)); // the second signal: no time to finish what is open
    await open.closed();

    await gateway.run();
    [stopped] = gateway.kill('worker', 'SIGSTOP', 0);
    t.after(() => process.kill(stopped, 'SIGKILL'));
    const children = await end(3, 1); // the third: not even for who cannot be ended
    await gone(children.filter((pid) => pid !== stopped));
    assert.ok(fs.existsSync(`/proc/${stopped}`));
    assert.equal(gateway.verify().status, 0);
  });
});

// ---- systemd

// Datagrams to a unix socket, which node has none of: {path, messages}.
async function notifySocket(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sekisho-notify-'));
  const file = path.join(folder, 'socket');
  const child = spawn('perl', ['-MSocket', '-e', `$| = 1; socket(S, AF_UNIX, SOCK_DGRAM, 0); bind(S, sockaddr_un($ARGV[0])) or die; print "bound\\n";
    while (defined recv(S, $m, 4096, 0)) { $m =~ s/\\n/ /g; print "$m\\n" }`, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const messages = [];
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    messages.push(...lines);
  });
  t.after(() => { child.kill(); fs.rmSync(folder, { recursive: true, force: true }); });
  await until(() => messages.length, 'the notify socket');
  return { file, messages };
}

describe('systemd', () => {
  test('is told when the gate is open, at a reload, and at the stop', async (t) => {
    const notify = await notifySocket(t);
    const panel = await upstreamFor(t);
    let stopped = false;
    const gateway = await startGateway({ tenants: [openTenant('acme', panel.url)], environment: { NOTIFY_SOCKET: notify.file } });
    t.after(() => stopped || gateway.stop());
    await until(() => notify.messages.some((m) => m.includes('READY=1')), 'READY=1', 2000);
    assert.equal((await gateway.request({ user: 'hanako' })).status, 200);
    let had = notify.messages.length;
    assert.equal((await gateway.reload()).id, 'SK1102');
    await until(() => notify.messages.slice(had).some((m) => m.includes('READY=1')), 'READY=1 after a reload', 2000);
    assert.match(notify.messages[had], /RELOADING=1/);
    had = notify.messages.length;
    assert.equal((await gateway.reload(() => gateway.file('tenants/wrong.yaml', 'tenant: x\n'))).id, 'SK1101');
    await until(() => notify.messages.slice(had).some((m) => m.includes('READY=1')), 'READY=1 after a refused reload', 2000);
    stopped = true;
    await gateway.stop();
    await until(() => notify.messages.some((m) => m.includes('STOPPING=1')), 'STOPPING=1', 2000);
  });

  test('READY=1 is not said before every worker serves', async (t) => {
    const notify = await notifySocket(t);
    const panel = await upstreamFor(t);
    const gateway = await gatewayFor(t, { tenants: [openTenant('acme', panel.url)], settings: { workers: 4 } });
    await halt(gateway);
    gateway.environment = { NOTIFY_SOCKET: notify.file };
    const starting = gateway.run();
    await until(() => notify.messages.some((m) => m.includes('READY=1')), 'READY=1', 10000, 1);
    const all = await Promise.all(Array.from({ length: 16 }, () => gateway.request({ user: 'hanako' }).then(({ status }) => status)));
    assert.deepEqual(new Set(all), new Set([200]));
    await starting;
  });

  test('gives it, by its unit, the capabilities that it needs, and knows when it is ready', async (t) => {
    const unit = fs.readFileSync(path.join(ROOT, 'deploy/systemd/sekisho.service'), 'utf8');
    const [, list] = /^CapabilityBoundingSet=(.*)$/m.exec(unit);
    const capabilities = list.split(' ').map((name) => name.replace(/^CAP_/, '+').toLowerCase());
    assert.match(unit, /^Type=notify$/m);
    assert.match(unit, /^ExecReload=\/bin\/kill -HUP \$MAINPID$/m);
    assert.match(unit, /^NoNewPrivileges=yes$/m);
    const panel = await upstreamFor(t);
    const gateway = await gatewayFor(t, { tenants: [openTenant('acme', panel.url, { users: [{ name: 'hanako', roles: ['all'] }, { name: 'nobody-here', roles: ['all'], backend: 'pam' }] })],
      settings: { workers: 2, pam_helpers: 1 }, through: ['setpriv', '--no-new-privs', '--bounding-set', ['-all', ...capabilities].join()] });
    const effective = (pid) => /^CapEff:\t(.*)$/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1];
    assert.notEqual(effective(gateway.child.pid), effective(process.pid), 'setpriv took nothing');
    const status = (user) => gateway.request({ user, method: 'POST', body: 'x' }).then((response) => response.status);
    assert.equal(await status('hanako'), 200);
    assert.ok([401, 503].includes(await status('nobody-here')));
    for (const kind of ['auth', 'store', 'audit', 'worker']) {
      const from = gateway.log.length;
      gateway.kill(kind);
      await gateway.logged(({ id }) => id === 'SK1006', { from });
    }
    assert.equal((await gateway.reload(() => gateway.tenant({ ...openTenant('acme', panel.url), certificates: gateway.certificates.acme }))).id, 'SK1102');
    assert.equal(await status('hanako'), 200);
    await halt(gateway);
    await gateway.run();
    assert.equal(await status('hanako'), 200, 'on what an earlier start left');
  });

  // Runs `act` with a gateway that was handed a socket bound to perl's `address`, as systemd does.
  async function handedOver(t, family, address, act) {
    const panel = await upstreamFor(t);
    const gateway = await gatewayFor(t, { tenants: [openTenant('acme', panel.url)], settings: { workers: 2 } });
    await halt(gateway);
    const [port] = await freePorts(1);
    const child = spawn('perl', ['-MSocket', '-MPOSIX=dup2', '-e', `my $port = shift; socket(S, ${family}, SOCK_STREAM, 0) or die; setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);
      bind(S, ${address}) or die; listen(S, 100) or die; dup2(fileno(S), 20) or die; close(S); dup2(20, 3) or die; POSIX::close(20);
      $ENV{LISTEN_PID} = $$; $ENV{LISTEN_FDS} = 1; exec @ARGV`, String(port), SEKISHOD, '--config', path.join(gateway.folder, 'sekisho.yaml')],
    { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text) => { said += text; });
    const ended = new Promise((resolve) => { child.on('exit', (code) => resolve(code)); });
    try {
      await until(() => said.includes('"SK1006"'), () => `the gate to open: ${said}`, 15000);
      const own = gateway.port;
      gateway.port = port;
      await act(gateway, own);
    } finally {
      gateway.closeClients();
      child.kill('SIGTERM');
      assert.equal(await deadline(ended, 'its end', 20000), 0);
    }
  }

  test('may hand over the listening socket', (t) => handedOver(t, 'AF_INET', 'sockaddr_in($port, inet_aton("127.0.0.1"))', async (gateway, configured) => {
    const all = await Promise.all(Array.from({ length: 24 }, () => gateway.request({ user: 'hanako' }).then(({ status }) => status)));
    assert.deepEqual(new Set(all), new Set([200]));
    gateway.port = configured;
    await assert.rejects(gateway.tls('acme.test'), /ECONNREFUSED/, 'the configured address is not opened besides');
  }));

  test('may hand over one socket for IPv6 and IPv4: an IPv4 client is one, not a mapped address', (t) => handedOver(t, 'AF_INET6', 'sockaddr_in6($port, Socket::inet_pton(AF_INET6, "::"))', async (gateway) => {
    for (const [host, address, forwarded] of [['127.0.0.1', '127.0.0.1', '127.0.0.1'], ['::1', '::1', '"[::1]"']]) {
      const response = await gateway.request({ path: `/from/${address}`, user: 'hanako', tls: { host } });
      assert.equal(response.status, 200, `${host}: ${response.text}`); // the tenant's networks are 127.0.0.0/8 and ::1
      assert.equal(response.json().headers['x-forwarded-for'], address);
      assert.match(response.json().headers.forwarded, new RegExp(`^for=${forwarded.replace(/[[\]]/g, '\\$&')};`));
      const [record] = await gateway.recorded({ op: 'request', path: `/from/${address}` });
      assert.equal(record.address, address);
    }
  }));
});

// ---- what can be observed

describe('observe', () => {
  let gateway, panel;
  before(async () => {
    panel = await startUpstream();
    gateway = await startGateway({ tenants: [openTenant('acme', panel.url, { apps: [{ name: 'api', kind: 'api', path: '/', upstreams: [panel.url] }],
      roles: [{ name: 'all', allow: ['api GET /**'] }], users: [{ name: 'hanako', roles: ['all'] }, { name: 'taro', roles: ['all'], backend: 'pam' }] })], settings: { workers: 2 } });
  });
  after(async () => {
    await gateway?.stop();
    await panel?.close();
  });

  test('healthz and readyz answer, anything else is not there', async () => {
    assert.deepEqual(await gateway.observed('/healthz'), { status: 200, body: 'ok\n' });
    assert.deepEqual(await gateway.observed('/readyz'), { status: 200, body: 'ready\n' });
    assert.equal((await gateway.observed('/')).status, 404);
    assert.equal((await gateway.observed('/metrics/x')).status, 404);
    assert.equal((await gateway.observed('/../etc/passwd')).status, 400);
  });

  test('metrics are Prometheus\' text: named sekisho_, counters end in _total, each with help and type', async () => {
    const { body } = await gateway.observed('/metrics');
    const types = new Map([...body.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]));
    const names = [...body.matchAll(/^([a-z_]+) (\S+)$/gm)].map(([, name, value]) => { assert.ok(Number.isFinite(Number(value)), name); return name; });
    assert.ok(names.length > 15);
    assert.equal(new Set(names).size, names.length);
    for (const name of names) {
      assert.match(name, /^sekisho_/);
      assert.match(body, new RegExp(`^# HELP ${name} \\S`, 'm'));
      assert.equal(types.get(name), name.endsWith('_total') ? 'counter' : 'gauge', name);
    }
    assert.ok(body.endsWith('\n'));
  });

  test('they count what happens, over all workers', async () => {
    const before = await gateway.metrics();
    for (let i = 0; i < 10; i++) {
      assert.equal((await gateway.request({ path: `/${i}`, user: 'hanako' })).status, 200);
      assert.equal((await gateway.request({ path: `/${i}`, user: 'hanako', method: 'POST', body: 'xx' })).status, 403);
      assert.equal((await gateway.request({ path: `/${i}` })).status, 401);
      assert.equal((await gateway.request({ path: '/', user: 'hanako', headers: { 'x-forwarded-for': '1.2.3.4', 'x-remote-user': 'root' } })).status >= 200, true);
    }
    await assert.rejects(gateway.tls('nobody.test'));
    const grown = Object.fromEntries(Object.entries(await gateway.metrics()).map(([name, value]) => [name, value - before[name]]));
    assert.ok(grown.requests_total >= 40);
    assert.ok(grown.allowed_total >= 10);
    assert.ok(grown.denied_total >= 10);
    assert.ok(grown.challenged_total >= 10);
    assert.equal(grown.requests_total, grown.allowed_total + grown.denied_total + grown.challenged_total, 'what asks for metrics counts as a request too, and as allowed');
    assert.ok(grown.connections_total >= 40);
    assert.equal(grown.handshake_failures_total, 1);
    assert.ok(grown.records_total >= 40);
    assert.ok(grown.bytes_in_total >= 20);
    assert.equal((await gateway.metrics()).open, 1);
    assert.equal((await gateway.metrics()).tenants, 1);
  });

  test('they are not to be had through a tenant\'s host', async () => {
    const response = await gateway.request({ path: '/metrics', user: 'hanako' });
    assert.doesNotMatch(response.text, /sekisho_requests_total/);
    assert.equal((await gateway.request({ path: '/readyz' })).status, 401);
  });

  test('readyz says shut when what the gate needs is away, and healthz still answers', async () => {
    const stopped = gateway.kill('auth', 'SIGKILL');
    assert.equal(stopped.length, 1);
    await until(async () => (await gateway.observed('/readyz').catch(() => ({}))).status === 503 || gateway.log.some(({ id }) => id === 'SK1004'), 'shut', 3000, 1);
    assert.equal((await gateway.observed('/healthz')).status, 200);
    await until(() => gateway.ready(), 'open again');
  });

  test('the log says when the gate is shut and when it is open again', async () => {
    const from = gateway.log.length;
    const killed = gateway.kill('store');
    const shut = await gateway.logged(({ id }) => id === 'SK1007', { from, ms: 2000 });
    await gateway.logged(({ id }) => id === 'SK1006', { from: gateway.log.indexOf(shut) });
    await until(async () => gateway.pids('store').length === 1 && !gateway.pids('store').includes(killed[0]) && await gateway.ready(), 'another store');
  });

  test('every log line is one JSON object with its id first', async () => {
    assert.deepEqual(gateway.unparsed, []);
    for (const line of gateway.log) {
      assert.equal(Object.keys(line)[0], 'id');
      assert.match(line.id, /^SK\d{4}$/);
      assert.ok(['INFO', 'WARN', 'ERROR'].includes(line.level));
      assert.ok(Number.isFinite(Date.parse(line.time)));
    }
  });

  test('every process runs as its own user, without privileges and filtered', () => {
    const users = new Map();
    for (const kind of ['worker', 'auth', 'factor', 'store', 'audit', 'signer', 'reader', 'pam']) {
      const pids = gateway.pids(kind);
      assert.ok(pids.length >= 1, kind);
      for (const pid of pids) {
        const status = Object.fromEntries(fs.readFileSync(`/proc/${pid}/status`, 'utf8').split('\n').map((line) => line.split(/:\s+/)));
        assert.equal(status.NoNewPrivs, '1', kind);
        assert.equal(status.Seccomp, '2', kind);
        const [uid] = new Set(status.Uid.split('\t'));
        assert.equal(new Set(status.Uid.split('\t')).size, 1, kind);
        if (kind === 'pam') {
          assert.equal(uid, '0');
          continue;
        }
        assert.notEqual(uid, '0', kind);
        assert.notEqual(status.Gid.split('\t')[0], '0', kind);
        assert.equal((status.Groups ?? '').trim(), '', kind);
        for (const set of ['CapEff', 'CapPrm', 'CapInh', 'CapAmb']) {
          assert.match(status[set], /^0+$/, `${kind} ${set}`);
        }
        assert.ok(!users.has(uid) || users.get(uid) === kind, `${kind} and ${users.get(uid)} share a user`);
        users.set(uid, kind);
      }
    }
  });

  test('no process but store, audit, signer and reader has a file open, none inherits the environment', () => {
    for (const kind of ['worker', 'auth', 'factor', 'store', 'audit', 'signer', 'reader', 'pam']) {
      for (const pid of gateway.pids(kind)) {
        const files = fs.readdirSync(`/proc/${pid}/fd`).map((fd) => { try { return fs.readlinkSync(`/proc/${pid}/fd/${fd}`); } catch { return ''; } })
          .filter((name) => name.startsWith('/') && name !== '/dev/null' && !name.startsWith('/memfd:'));
        const own = { store: ['/store'], audit: ['/journal'], signer: ['/signer'], reader: ['/index', '/journal/keys'] }[kind] ?? [];
        for (const name of files) {
          assert.ok(own.some((place) => name.startsWith(gateway.data + place)), `${kind} has ${name} open`);
        }
        const environment = fs.readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean);
        assert.ok(environment.every((line) => /^(LANG|PATH|GLIBC_TUNABLES)=/.test(line)), `${kind}: ${environment}`);
      }
    }
  });
});
