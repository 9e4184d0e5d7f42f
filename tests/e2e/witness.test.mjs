// The witness as a log sees it (C2SP tlog-witness): it cosigns what goes on from what it cosigned before, and nothing else, also after it was killed.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { BUILD, freePorts, until } from './lib/gateway.mjs';

const WITNESS = path.join(BUILD, 'gateway/witness/sekisho-witness');
const NAME = 'witness.example.test/1';
let folder, port, child, vkey;

// ---- a log ----

const sha256 = (...parts) => crypto.createHash('sha256').update(Buffer.concat(parts)).digest();
const leafOf = (i, salt = '') => sha256(Buffer.of(0), Buffer.from(`leaf ${i}${salt}`));
const split = (n) => 2 ** Math.floor(Math.log2(n - 1));
const rootOf = (leaves) => (leaves.length === 0 ? sha256() : leaves.length === 1 ? leaves[0]
  : sha256(Buffer.of(1), rootOf(leaves.slice(0, split(leaves.length))), rootOf(leaves.slice(split(leaves.length)))));
// RFC 6962 section 2.1.2.
function proofOf(old, leaves, whole = true) {
  const n = leaves.length;
  if (old === n) {
    return whole ? [] : [rootOf(leaves)];
  }
  const k = split(n);
  return old <= k ? [...proofOf(old, leaves.slice(0, k), whole), rootOf(leaves.slice(k))]
    : [...proofOf(old - k, leaves.slice(k), false), rootOf(leaves.slice(0, k))];
}
const consistency = (old, leaves) => (old === 0 ? [] : proofOf(old, leaves));

class Log {
  constructor(name) {
    const { publicKey, privateKey } = crypto.generateKeyPairSync('ed25519');
    this.name = name;
    this.secret = privateKey;
    this.bytes = Buffer.concat([Buffer.of(1), publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)]);
    this.leaves = [];
  }

  idOf(name) { return sha256(Buffer.from(`${name}\n`), this.bytes).subarray(0, 4); }

  get vkey() { return `${this.name}+${this.idOf(this.name).toString('hex')}+${this.bytes.toString('base64')}`; }

  grow(count, salt = '') {
    for (let i = 0; i < count; i++) {
      this.leaves.push(leafOf(this.leaves.length, salt));
    }
    return this;
  }

  note(origin = this.name, { size = this.leaves.length, root = rootOf(this.leaves), extension = '' } = {}) {
    const text = `${origin}\n${size}\n${root.toString('base64')}\n${extension}`;
    const signature = Buffer.concat([this.idOf(origin), crypto.sign(null, Buffer.from(text), this.secret)]).toString('base64');
    return { text, note: `${text}\n— ${origin} ${signature}\n` };
  }

  request(old, origin, options) {
    return `old ${old}\n${consistency(old, this.leaves).map((hash) => `${hash.toString('base64')}\n`).join('')}\n${this.note(origin, options).note}`;
  }
}

// ---- the witness ----

const logs = { one: new Log('log.example.test/one'), other: new Log('log.example.test/other'), node: new Log('sekisho/00112233445566778899aabbccddeeff'), unknown: new Log('nobody.test') };

async function start() {
  child = spawn(WITNESS, ['--key', path.join(folder, 'key'), '--name', NAME, '--folder', path.join(folder, 'state'), '--listen', `127.0.0.1:${port}`,
    ...[logs.one, logs.other, logs.node].flatMap((log) => ['--log', log.vkey])], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.said = '';
  child.stderr.on('data', (data) => { child.said += data; });
  await until(() => child.said.includes('SK1701'), () => `the witness; it said: ${child.said}`);
}

async function stop(signal) {
  const ended = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
  child.kill(signal);
  return ended;
}

before(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sekisho-witness-'));
  fs.mkdirSync(path.join(folder, 'state'));
  [port] = await freePorts(1);
  const made = spawnSync(WITNESS, ['--make-key', '--key', path.join(folder, 'key'), '--name', NAME], { encoding: 'utf8' });
  assert.equal(made.status, 0, made.stderr);
  vkey = made.stdout.trim();
  await start();
});
after(async () => {
  await stop('SIGTERM');
  fs.rmSync(folder, { recursive: true, force: true });
});

function post(body, { method = 'POST', path: at = '/add-checkpoint', agent } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, method, path: at, agent, timeout: 10000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (data) => { text += data; }).on('end', () => resolve({ status: response.statusCode, text, type: response.headers['content-type'] }));
    });
    request.on('error', reject).end(body);
  });
}

// The line is this witness's, for this text; its time.
function cosigned(line, text) {
  const [, name, base64] = /^— (\S+) (\S+)\n$/.exec(line);
  assert.equal(name, NAME);
  const [, hash, public64] = /^[^+]+\+([0-9a-f]{8})\+(.+)$/.exec(vkey), id = Buffer.from(hash, 'hex'), key = Buffer.from(public64, 'base64');
  assert.equal(key[0], 4, 'a cosigner\'s key');
  assert.deepEqual(sha256(Buffer.from(`${NAME}\n`), key).subarray(0, 4), id);
  const bytes = Buffer.from(base64, 'base64');
  assert.deepEqual(bytes.subarray(0, 4), id);
  const time = Number(bytes.readBigUInt64BE(4));
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key.subarray(1)]);
  assert.ok(crypto.verify(null, Buffer.from(`cosignature/v1\ntime ${time}\n${text}`), crypto.createPublicKey({ key: spki, format: 'der', type: 'spki' }), bytes.subarray(12)));
  return time;
}

const size = async (log, old = 10 ** 6) => (await post(`old ${old}\n\n${log.note(log.name, { size: 10 ** 7, root: sha256() }).note}`)).text;

describe('a witness', () => {
  const { one, other, node, unknown } = logs;

  test('cosigns a log\'s first checkpoint, and each that goes on from the last', async () => {
    let old = 0;
    for (const grown of [1, 1, 5, 0, 1, 120, 3]) {
      one.grow(grown);
      const { status, text } = await post(one.request(old, undefined, { extension: 'and more\n' }));
      assert.equal(status, 200, `from ${old} to ${one.leaves.length}: ${text}`);
      const time = cosigned(text, one.note(one.name, { extension: 'and more\n' }).text);
      assert.ok(Math.abs(time - Date.now() / 1000) < 5);
      old = one.leaves.length;
    }
  });

  test('says what it has to one that does not go on from that', async () => {
    const have = one.leaves.length;
    for (const old of [0, 1, have - 1]) {
      assert.deepEqual(await post(one.request(old)), { status: 409, text: `${have}\n`, type: 'text/x.tlog.size' });
    }
    assert.equal((await post(other.grow(3).request(0))).status, 200, 'each log stands alone');
  });

  test('does not cosign another past, nor another root of the same size', async () => {
    const have = one.leaves.length, fork = Object.assign(new Log(one.name), { secret: one.secret, bytes: one.bytes });
    fork.grow(have + 4, ' forged');
    const forged = await post(fork.request(have));
    assert.equal(forged.status, 422, forged.text);
    fork.leaves.length = have;
    assert.deepEqual(await post(fork.request(have)), { status: 409, text: `${have}\n`, type: 'text/x.tlog.size' });
    one.grow(2);
    const body = one.request(have), lines = body.split('\n');
    assert.equal((await post([lines[0], ...lines.slice(2)].join('\n'))).status, 422, 'a proof that lacks a hash');
    assert.equal((await post([lines[0], lines[1], ...lines.slice(1)].join('\n'))).status, 422, 'one too many');
    assert.equal((await post(body)).status, 200, 'the right one, after all these');
  });

  test('knows no other log, and no other signature', async () => {
    assert.equal((await post(unknown.grow(1).request(0))).status, 404);
    const have = one.leaves.length, forged = Object.assign(new Log(one.name), { leaves: one.leaves });
    assert.equal((await post(forged.request(have))).status, 403);
    assert.equal((await post(one.request(have).replace(/— .*\n$/, ''))).status, 403, 'of nobody');
    assert.equal((await post(one.grow(1).request(have, `${one.name}x`))).status, 404, 'a name that begins alike');
  });

  test('cosigns a gateway\'s logs, of which each begins with its name', async () => {
    node.grow(4);
    const origin = `${node.name}/aabbccddeeff00112233445566778899`;
    assert.equal((await post(node.request(0, origin))).status, 200);
    assert.equal((await post(node.request(0, `${node.name}/00000000000000000000000000000000`))).status, 200, 'of another epoch');
    assert.equal((await post(node.request(0, origin))).status, 409);
  });

  test('refuses what is no request', async () => {
    const good = one.request(one.leaves.length);
    for (const [what, body] of Object.entries({ nothing: '', 'no old size': good.slice(good.indexOf('\n') + 1), 'an old size with a zero before it': good.replace('old ', 'old 0'),
      'a larger old size': good.replace(/^old \d+/, 'old 999999'), 'no hash': good.replace('\n', '\nnot a hash\n'), 'a short hash': good.replace('\n', '\nAAAA\n'),
      'no note': 'old 0\n\nhello\n', '64 hashes': good.replace('\n', `\n${`${sha256().toString('base64')}\n`.repeat(64)}`) })) {
      const { status, text } = await post(body);
      assert.equal(status, 400, `${what}: ${text}`);
    }
    assert.equal((await post('x'.repeat(200000))).status, 413);
    assert.equal((await post(good, { path: '/' })).status, 404);
    assert.equal((await post(undefined, { method: 'GET' })).status, 405);
  });

  test('has what it cosigned when it is killed and started again; what it had that is damaged is not taken for nothing', async () => {
    const have = one.leaves.length - 1;
    assert.equal(await size(one), `${have}\n`);
    await stop('SIGKILL');
    await start();
    assert.equal(await size(one), `${have}\n`);
    const file = path.join(folder, 'state', sha256(Buffer.from(one.name)).toString('hex')), bytes = fs.readFileSync(file);
    fs.writeFileSync(file, bytes.subarray(0, 20));
    assert.equal((await post(one.request(0))).status, 500);
    await until(() => child.said.includes('SK1702'), 'the word of it');
    fs.writeFileSync(file, bytes);
    assert.equal((await post(one.request(have))).status, 200);
  });

  test('serves others while many say nothing, and keeps one connection for many requests', async () => {
    const silent = await Promise.all(Array.from({ length: 40 }, () => new Promise((resolve) => { const socket = net.connect(port, '127.0.0.1', () => resolve(socket)); })));
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (let i = 0; i < 20; i++) {
      const old = other.leaves.length;
      assert.equal((await post(other.grow(7).request(old), { agent })).status, 200);
    }
    agent.destroy();
    silent.forEach((socket) => socket.destroy());
  });
});

describe('its command line', () => {
  const run = (...args) => spawnSync(WITNESS, args, { encoding: 'utf8' });

  test('says what is wrong, and begins with nothing that others may read', () => {
    assert.equal(run().status, 2);
    assert.equal(run('--help').status, 0);
    assert.match(run('--make-key', '--key', path.join(folder, 'key'), '--name', NAME).stderr, /exists/);
    assert.match(run('--make-key', '--key', path.join(folder, 'k2'), '--name', 'two words').stderr, /a name has no spaces/);
    fs.mkdirSync(path.join(folder, 'other'));
    const inFolder = (name) => ['--name', NAME, '--folder', path.join(folder, name), '--listen'], rest = inFolder('other');
    assert.match(run('--key', path.join(folder, 'key'), ...inFolder('state'), '127.0.0.1:1', '--log', logs.one.vkey).stderr, /another witness uses it/);
    assert.match(run('--key', path.join(folder, 'key'), ...rest, 'nowhere', '--log', logs.one.vkey).stderr, /an address and its port/);
    assert.match(run('--key', path.join(folder, 'key'), ...rest, '127.0.0.1:1', '--log', 'nothing').stderr, /not the public key of a log/);
    fs.writeFileSync(path.join(folder, 'open'), Buffer.alloc(32), { mode: 0o644 });
    const open = run('--key', path.join(folder, 'open'), ...rest, '127.0.0.1:1', '--log', logs.one.vkey);
    assert.equal(open.status, 1);
    assert.match(open.stderr, /chmod 400/);
  });
});
