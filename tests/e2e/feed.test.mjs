// Records to a SIEM: a file, and a real rsyslog over TLS (RFC 5425). Each record at least once, in order, whatever the receiver does meanwhile.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
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
async function startRsyslog(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sekisho-rsyslog-'));
  const authority = makeAuthority(folder, 'siem-ca');
  const { cert, key } = authority.issue('siem', ['localhost']);
  const [port] = await freePorts(1);
  const out = path.join(folder, 'out.log'), conf = path.join(folder, 'rsyslog.conf');
  fs.writeFileSync(conf, `
global(workDirectory="${folder}" maxMessageSize="64k" defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="${authority.cert}"
  defaultNetstreamDriverCertFile="${cert}" defaultNetstreamDriverKeyFile="${key}")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
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
  await start();
  t.after(async () => {
    await stop('SIGKILL').catch(() => {});
    fs.rmSync(folder, { recursive: true, force: true });
  });
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
});
