// Records to a SIEM: a file, a real rsyslog over TLS (RFC 5425), a real ClickHouse over HTTPS, and what Elasticsearch and Splunk may answer. Each record at least
// once, in order, whatever the receiver does meanwhile.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { freePorts, makeAuthority, openTenant, startGateway, until } from './lib/gateway.mjs';
import { startUpstream } from './lib/upstream.mjs';

// A gateway with these feeds; everything ends with the test.
async function startFed(t, feeds) {
  const upstream = await startUpstream();
  const gateway = await startGateway({ tenants: [openTenant('acme', upstream.url), openTenant('beta', upstream.url)], settings: { feeds, journal: { file_size: '1M' } } });
  t.after(async () => {
    await gateway.stop();
    await upstream.close();
  });
  const agent = gateway.agent({ keepAlive: true });
  let sent = 0;
  return { gateway, async send(count, host = 'acme.test') {
    for (let i = 0; i < count; i += 10) {
      await Promise.all(Array.from({ length: Math.min(10, count - i) }, () => gateway.request({ host, agent, path: `/${sent++}/${'z'.repeat(700)}`, headers: { authorization: gateway.basic('hanako') } })));
    }
  } };
}

// rsyslog, with a certificate of its own, writing each message as a line of a file.
async function startRsyslog(t, auth = 'anon') {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sekisho-rsyslog-'));
  const authority = makeAuthority(folder, 'siem-ca');
  const { cert, key } = authority.issue('siem', ['localhost']);
  const [port] = await freePorts(1);
  const out = path.join(folder, 'out.log'), conf = path.join(folder, 'rsyslog.conf');
  fs.writeFileSync(conf, `
global(workDirectory="${folder}" maxMessageSize="64k" defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="${authority.cert}"
  defaultNetstreamDriverCertFile="${cert}" defaultNetstreamDriverKeyFile="${key}")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="${auth}")
template(name="raw" type="string" string="%rawmsg%\\n")
input(type="imtcp" port="${port}" address="127.0.0.1")
action(type="omfile" file="${out}" template="raw" asyncWriting="off" flushOnTXEnd="on")
`);
  let child;
  const start = async () => {
    child = spawn('rsyslogd', ['-n', '-f', conf, '-i', path.join(folder, 'pid')], { stdio: 'ignore' });
    await until(() => spawnSync('bash', ['-c', `exec 3<>/dev/tcp/127.0.0.1/${port}`]).status === 0, 'rsyslog to listen');
  };
  const stop = async (signal = 'SIGTERM') => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  };
  t.after(async () => {
    await stop('SIGKILL').catch(() => {});
    fs.rmSync(folder, { recursive: true, force: true });
  });
  await start();
  return { port, authority, start, stop, lines: () => (fs.existsSync(out) ? fs.readFileSync(out, 'utf8').split('\n').filter(Boolean) : []) };
}

const seqOf = (line) => ({ tenant: / tenant_id="([0-9a-f]{32})"/.exec(line)?.[1], seq: Number(/\[sekisho@\d+ seq="(\d+)"/.exec(line)?.[1]) });

// Of each tenant every record that the journal has, without a gap.
function assertAll(gateway, got, wanted = gateway.records()) {
  const have = new Set(got.map(({ tenant, seq }) => `${tenant}-${seq}`));
  const missing = wanted.filter(({ tenant_id: id, seq }) => !have.has(`${id}-${seq}`));
  assert.deepEqual(missing.map(({ tenant_id: id, seq }) => `${id}-${seq}`), []);
}

describe('a file', () => {
  test('gets each record as a line in its form, goes on after a restart, and into a new file when it is moved away', async (t) => {
    const { gateway, send } = await startFed(t, [{ name: 'ocsf', form: 'ocsf', to: 'file' }, { name: 'ecs', form: 'ecs', to: 'file' }]);
    const file = path.join(gateway.data, 'feed', 'ocsf.log');
    const lines = (name = file) => (fs.existsSync(name) ? fs.readFileSync(name, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line)) : []);
    const places = (all) => all.map(({ metadata }) => ({ tenant: metadata.tenant_uid, seq: metadata.sequence }));
    await send(40);
    await send(5, 'beta.test');
    let wanted = gateway.records();
    await until(() => lines().length >= wanted.length, 'all of it');
    assertAll(gateway, places(lines()), wanted);
    assert.ok(lines().every(({ metadata, class_uid: uid }) => metadata.version === '1.8.0' && uid));
    assert.ok(lines().some(({ unmapped }) => unmapped?.tenant?.startsWith('acme@')), 'by name, too');
    await until(() => lines(path.join(gateway.data, 'feed', 'ecs.log')).length >= wanted.length, 'the other form');

    fs.renameSync(file, `${file}.1`);
    gateway.kill('feed');
    await send(1200);
    wanted = gateway.records();
    await until(() => lines(`${file}.1`).length + lines().length >= wanted.length && lines().length > 1000, 'what came behind', 20000);
    assertAll(gateway, [...places(lines(`${file}.1`)), ...places(lines())], wanted);
    gateway.kill('reader');
    await send(5);
    wanted = gateway.records();
    await until(() => { assertAll(gateway, [...places(lines(`${file}.1`)), ...places(lines())], wanted); return true; }, 'the rest').catch(() => {});
    await until(() => lines(`${file}.1`).length + lines().length >= wanted.length, 'the rest, after the reader was away');
    assertAll(gateway, [...places(lines(`${file}.1`)), ...places(lines())], wanted);
  });
});

describe('rsyslog over TLS', () => {
  test('gets every record though it is killed in the midst; the gate does not wait for it, and who it is is verified', async (t) => {
    const siem = await startRsyslog(t);
    const ca = path.join(os.tmpdir(), `sekisho-siem-${process.pid}.crt`);
    fs.writeFileSync(ca, siem.authority.pem);
    t.after(() => fs.rmSync(ca));
    const { gateway, send } = await startFed(t, [{ name: 'siem', form: 'syslog', to: `syslog+tls://localhost:${siem.port}`, ca_file: ca }]);
    await send(60);
    let wanted = gateway.records();
    await until(() => siem.lines().length >= wanted.length, 'rsyslog to have all');
    assertAll(gateway, siem.lines().map(seqOf), wanted);
    assert.match(siem.lines().at(-1), /^<8\d>1 \d{4}-\d\d-\d\dT[\d:.]+Z \S+ sekisho - \S+ \[sekisho@/);

    const busy = send(300);
    await siem.stop('SIGKILL');
    await busy;
    await gateway.logged(({ id }) => id === 'SK1306');
    await send(20);
    await siem.start();
    await gateway.logged(({ id }) => id === 'SK1307', { ms: 40000 });
    wanted = gateway.records();
    const all = () => new Set(siem.lines().map(seqOf).map(({ tenant, seq }) => `${tenant}-${seq}`)).size;
    await until(() => all() >= wanted.length, 'what was recorded meanwhile', 30000, 200);
    assertAll(gateway, siem.lines().map(seqOf), wanted);
  });

  test('of another name or authority gets nothing, and that is said', async (t) => {
    const siem = await startRsyslog(t);
    const { gateway, send } = await startFed(t, [{ name: 'siem', form: 'cef', to: `syslog+tls://localhost:${siem.port}` }]);
    await send(5);
    const { error } = await gateway.logged(({ id }) => id === 'SK1306');
    assert.match(error, /certificate/i);
    assert.deepEqual(siem.lines(), []);
  });

  test('that wants a certificate of its own authority gets one', async (t) => {
    const siem = await startRsyslog(t, 'x509/certvalid');
    const { cert, key } = siem.authority.issue('gateway', ['gateway.test']);
    const feed = { form: 'syslog', to: `syslog+tls://localhost:${siem.port}`, ca_file: siem.authority.cert };
    const { gateway, send } = await startFed(t, [{ ...feed, name: 'with', cert_file: cert, key_file: key }]);
    await send(20);
    const wanted = gateway.records();
    await until(() => siem.lines().length >= wanted.length, 'rsyslog to have all');
    assertAll(gateway, siem.lines().map(seqOf), wanted);
  });
});

// ClickHouse with one table of lines. It answers an INSERT when it has the rows.
async function startClickHouse(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sekisho-clickhouse-'));
  const authority = makeAuthority(folder, 'lake-ca');
  const { cert, key } = authority.issue('lake', ['localhost'], 'rsa');
  const [port] = await freePorts(1);
  fs.writeFileSync(path.join(folder, 'users.xml'), `<yandex><profiles><default></default></profiles>
<users><sekisho><password>hirame</password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></sekisho></users>
<quotas><default><interval><duration>3600</duration><queries>0</queries><errors>0</errors><result_rows>0</result_rows><read_rows>0</read_rows><execution_time>0</execution_time></interval></default></quotas></yandex>`);
  fs.writeFileSync(path.join(folder, 'config.xml'), `<yandex><logger><level>error</level><console>1</console></logger><listen_host>127.0.0.1</listen_host><https_port>${port}</https_port>
<openSSL><server><certificateFile>${cert}</certificateFile><privateKeyFile>${key}</privateKeyFile><verificationMode>none</verificationMode><loadDefaultCAFile>false</loadDefaultCAFile></server></openSSL>
<path>${folder}/data/</path><tmp_path>${folder}/tmp/</tmp_path><users_config>users.xml</users_config><default_profile>default</default_profile><default_database>default</default_database>
<mark_cache_size>5368709</mark_cache_size></yandex>`);
  const agent = new https.Agent({ ca: authority.pem });
  const query = (sql) => new Promise((resolve, reject) => {
    https.request({ host: '127.0.0.1', servername: 'localhost', port, path: '/', method: 'POST', agent, headers: { authorization: `Basic ${Buffer.from('sekisho:hirame').toString('base64')}` } }, (response) => {
      let text = '';
      response.on('data', (chunk) => { text += chunk; }).on('end', () => (response.statusCode === 200 ? resolve(text) : reject(new Error(text))));
    }).on('error', reject).end(sql);
  });
  let child;
  const start = async () => {
    child = spawn('clickhouse-server', [`--config-file=${folder}/config.xml`], { stdio: 'ignore' });
    await until(() => query('SELECT 1').then(() => true, () => false), 'ClickHouse to answer', 20000);
  };
  const kill = async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  };
  t.after(async () => {
    await kill();
    fs.rmSync(folder, { recursive: true, force: true });
  });
  await start();
  await query('CREATE TABLE audit (line String) ENGINE = MergeTree ORDER BY line');
  const authorization = path.join(folder, 'authorization');
  fs.writeFileSync(authorization, `Basic ${Buffer.from('sekisho:hirame').toString('base64')}\n`);
  return { start, kill, feed: { to: `https://localhost:${port}/?query=INSERT%20INTO%20audit%20FORMAT%20CSV&format_csv_delimiter=%01`, ca_file: authority.cert, authorization_file: authorization },
    lines: async () => (await query('SELECT line FROM audit FORMAT TSVRaw')).split('\n').filter(Boolean).map((line) => JSON.parse(line)) };
}

const placeOf = ({ organization, event }) => ({ tenant: organization?.id, seq: event.sequence ?? 0 });

describe('ClickHouse over HTTPS', () => {
  test('gets every record though it is killed in the midst', async (t) => {
    const lake = await startClickHouse(t);
    const { gateway, send } = await startFed(t, [{ name: 'lake', form: 'ecs', ...lake.feed }]);
    await send(60);
    await send(5, 'beta.test');
    let wanted = gateway.records();
    await until(async () => (await lake.lines()).length >= wanted.length, 'ClickHouse to have all', 15000);
    assertAll(gateway, (await lake.lines()).map(placeOf), wanted);
    const busy = send(200);
    await lake.kill();
    await busy;
    await gateway.logged(({ id }) => id === 'SK1306');
    await send(20);
    await lake.start();
    await gateway.logged(({ id }) => id === 'SK1307', { ms: 40000 });
    wanted = gateway.records();
    const count = async () => new Set((await lake.lines()).map(placeOf).map(({ tenant, seq }) => `${tenant}-${seq}`)).size;
    await until(async () => await count() >= wanted.length, 'what was recorded meanwhile', 30000, 200);
    assertAll(gateway, (await lake.lines()).map(placeOf), wanted);
  });

  test('that does not know who asks gets nothing, and that is said', async (t) => {
    const lake = await startClickHouse(t);
    fs.writeFileSync(lake.feed.authorization_file, 'Basic c2VraXNobzp0YWk=');
    const { gateway, send } = await startFed(t, [{ name: 'lake', form: 'ecs', ...lake.feed }]);
    await send(5);
    const { error } = await gateway.logged(({ id }) => id === 'SK1306');
    assert.match(error, /^HTTP (401|403|500): .*(password|user)/i);
    assert.deepEqual(await lake.lines(), []);
  });
});

// The far end of a collector's protocol: what it gets, and what it is to answer, one after the other.
async function startCollector(t, answers) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sekisho-collector-'));
  const authority = makeAuthority(folder, 'collector-ca');
  const { cert, key } = authority.issue('collector', ['localhost']);
  const got = [];
  const server = https.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }, (request, response) => {
    let body = '';
    request.on('data', (chunk) => { body += chunk; }).on('end', () => {
      const one = { url: request.url, type: request.headers['content-type'], authorization: request.headers.authorization, body };
      got.push(one);
      const { status = 200, text } = answers(one, got.length);
      response.writeHead(status, { 'content-type': 'application/json' }).end(text);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
    fs.rmSync(folder, { recursive: true, force: true });
  });
  const file = path.join(folder, 'authorization');
  fs.writeFileSync(file, 'Splunk 0123-4567\n');
  return { got, port: server.address().port, ca: authority.cert, authorization: file };
}

describe('a bulk API', () => {
  const actions = (body) => body.trim().split('\n').filter((_, i) => i % 2 === 0).map((line) => JSON.parse(line).create._id);

  test('gets each record under an id of its own, again what it could not take, and what it takes in no case is passed over and said', async (t) => {
    const taken = new Set();
    const collector = await startCollector(t, ({ body }, number) => {
      const ids = actions(body);
      const statusOf = (id, i) => (number === 1 && i > 2 ? 429 : taken.has(id) ? 409 : id.endsWith('-3') ? 400 : number < 4 && i > 5 ? 403 : 201);
      const items = ids.map((id, i) => ({ create: { status: statusOf(id, i), ...statusOf(id, i) >= 400 && { error: { reason: `status ${statusOf(id, i)}` } } } }));
      ids.filter((_, i) => items[i].create.status === 201).forEach((id) => taken.add(id));
      return { text: JSON.stringify({ errors: items.some(({ create }) => create.status >= 400), items }) };
    });
    const { gateway, send } = await startFed(t, [{ name: 'bulk', form: 'ecs', to: `elastic+https://localhost:${collector.port}/sekisho`, ca_file: collector.ca }]);
    await send(30);
    const ids = () => gateway.records().map(({ tenant_id: id = '0'.repeat(32), seq }) => `${id}-${seq}`);
    await until(() => ids().filter((id) => !id.endsWith('-3')).every((id) => taken.has(id)), 'all that can be', 20000);
    assert.ok(collector.got.every(({ url, type }) => url === '/sekisho/_bulk?filter_path=errors,items.*.status,items.*.error.reason' && type === 'application/x-ndjson'));
    const { error } = await gateway.logged(({ id }) => id === 'SK1306');
    assert.match(error, /^some records are to come again: (429|403) /);
    const refused = await gateway.logged(({ id }) => id === 'SK1309');
    assert.match(refused.error, /^400 status 400$/);
    const [first, doc] = collector.got[0].body.split('\n');
    assert.equal(JSON.parse(first).create._id, `${JSON.parse(doc).organization?.id ?? '0'.repeat(32)}-${JSON.parse(doc).event.sequence ?? 0}`);
  });

  test('that answers as none is not believed', async (t) => {
    const collector = await startCollector(t, () => ({ text: '<html>' }));
    const { gateway, send } = await startFed(t, [{ name: 'bulk', form: 'ecs', to: `elastic+https://localhost:${collector.port}/sekisho`, ca_file: collector.ca }]);
    await send(5);
    assert.equal((await gateway.logged(({ id }) => id === 'SK1306')).error, 'the answer is none of a bulk API');
  });
});

describe('Splunk\'s event collector', () => {
  test('gets events with their times, and the token', async (t) => {
    const collector = await startCollector(t, () => ({ text: '{"text":"Success","code":0}' }));
    const { gateway, send } = await startFed(t, [{ name: 'hec', form: 'ocsf', to: `splunk+https://localhost:${collector.port}`, ca_file: collector.ca, authorization_file: collector.authorization }]);
    await send(20);
    const events = () => collector.got.flatMap(({ body }) => body.trim().split('\n').map((line) => JSON.parse(line)));
    const wanted = gateway.records();
    await until(() => events().length >= wanted.length, 'all of it');
    assertAll(gateway, events().map(({ event: { metadata } }) => ({ tenant: metadata.tenant_uid, seq: metadata.sequence })), wanted);
    assert.ok(collector.got.every(({ url, type, authorization }) => url === '/services/collector/event' && type === 'application/json' && authorization === 'Splunk 0123-4567'));
    assert.ok(events().every(({ time, source, event }) => source === 'sekisho' && Math.abs(time * 1000 - event.time) < 1.5), JSON.stringify(events()[0]));
  });
});

describe('a feed of some tenants', () => {
  test('gets theirs alone', async (t) => {
    const { gateway, send } = await startFed(t, [{ name: 'acme', form: 'ecs', to: 'file', tenants: ['acme@svc'] }, { name: 'all', form: 'ecs', to: 'file' }]);
    const lines = (name) => {
      const file = path.join(gateway.data, 'feed', `${name}.log`);
      return fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line)) : [];
    };
    await send(20);
    await send(10, 'beta.test');
    const wanted = gateway.records();
    await until(() => lines('all').length >= wanted.length, 'all of it');
    const [{ tenant_id: acme }] = wanted.filter(({ host }) => host === 'acme.test');
    await until(() => lines('acme').length >= wanted.filter(({ tenant_id: id }) => id === acme).length, 'its own');
    assert.ok(lines('acme').every(({ organization }) => organization.id === acme));
    assertAll(gateway, lines('acme').map(placeOf), wanted.filter(({ tenant_id: id }) => id === acme));
  });
});
