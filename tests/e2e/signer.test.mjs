// What was recorded is signed, by a process of its own, so that it stays what it was: against whoever writes in the journal, and for whoever kept a
// checkpoint against everybody.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createCipheriv, createDecipheriv, createHash, createHmac, createPublicKey, verify } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { BUILD, openTenant, startGateway, until } from './lib/gateway.mjs';
import { elapse, gatewayFor, halt, journalFiles, startLoad, startShut, upstreamFor, VERIFY } from './lib/person.mjs';
import { startUpstream } from './lib/upstream.mjs';

const SEKISHO = path.join(BUILD, 'gateway/tools/sekisho');
const SMALL = { journal: { file_size: '1M' } };

let upstream, gateway;

before(async () => {
  upstream = await startUpstream();
  gateway = await startGateway({ tenants: [openTenant('acme', upstream.url), openTenant('beta', upstream.url)], settings: SMALL });
});
after(async () => {
  await gateway?.stop();
  await upstream?.close();
});

function proved(own, ...options) {
  const { status, stdout, stderr } = spawnSync(VERIFY, ['--json', '--key', own.key(), ...options, path.join(own.data, 'journal')], { encoding: 'utf8' });
  return { status, ...JSON.parse(stdout || '{}'), stderr };
}

const signedAll = (own) => until(() => {
  const result = proved(own, '--checkpoint', own.checkpoints);
  return result.unsigned === 0 && result;
}, 'all to be signed', 5000, 100);

// A checkpoint's note: its lines, and whose signatures it has.
function parseNote(text) {
  const end = text.indexOf('\n\n') + 1;
  const [origin, size, root, time, clock] = text.slice(0, end).split('\n');
  const signatures = text.slice(end + 1).trim().split('\n').map((line) => {
    const [, name, value] = /^— (\S+) (\S+)$/.exec(line);
    const bytes = Buffer.from(value, 'base64');
    return { name, id: bytes.subarray(0, 4), signature: bytes.subarray(4) };
  });
  return { text: text.slice(0, end), origin, size: Number(size), root, time, clock, signatures };
}

// The root of leaves' hashes, by RFC 9162's definition.
function rootOf(leaves) {
  if (leaves.length <= 1) {
    return leaves[0] ?? createHash('sha256').digest();
  }
  let half = 1;
  while (half * 2 < leaves.length) {
    half *= 2;
  }
  return createHash('sha256').update(Buffer.from([1])).update(rootOf(leaves.slice(0, half))).update(rootOf(leaves.slice(half))).digest();
}

const hmac = (key, ...parts) => parts.reduce((mac, part) => mac.update(part), createHmac('sha256', key)).digest();
const derive = (key, label, ...context) => hmac(key, label, Buffer.from([0]), ...context, Buffer.from([1]));

const encipherBlock = (key, block) => createCipheriv('aes-256-ecb', key, null).setAutoPadding(false).update(block);

function decipher(key, nonce, place, sealed) {
  const opener = createDecipheriv('aes-256-gcm', key, nonce).setAAD(place).setAuthTag(sealed.subarray(-16));
  return Buffer.concat([opener.update(sealed.subarray(0, -16)), opener.final()]);
}

// (tenant, day, run) → what its records are sealed and their leaves salted with, from the root key and the file of keys.
function keysOf(own) {
  const secret = derive(fs.readFileSync(own.settings.root_key_file), 'audit');
  const file = fs.readFileSync(path.join(own.data, 'journal', 'keys'));
  const slots = Array.from({ length: file.length / 4096 }, (_, i) => file.subarray(i * 4096, (i + 1) * 4096)).map((slot) => ({ kind: slot.readUInt32LE(8), day: slot.readUInt32LE(12),
    id: slot.subarray(16, 32).toString('hex'), service: slot.subarray(32, 48).toString('hex'), key: decipher(secret, slot.subarray(48, 60), slot.subarray(0, 48), slot.subarray(60, 108)) }));
  const idOf = (service) => createHash('sha256').update(service).digest('hex').slice(0, 32);
  for (const { kind, id, service } of slots) {
    const operators = id === '0'.repeat(32);
    assert.equal(kind === 1 ? service : id, operators ? '0'.repeat(32) : idOf('svc'), 'each key is its own service\'s');
  }
  return (tenant, day, run) => {
    const of = slots.find(({ kind, id }) => kind === 1 && id === tenant);
    const on = slots.find((slot) => slot.kind === 2 && slot.id === of.service && slot.day === day);
    const ofDay = derive(Buffer.concat([on.key, of.key]), 'day');
    return { record: derive(ofDay, 'record', run), salt: derive(ofDay, 'salt') };
  };
}

// Each tenant's leaves, of the records opened from the files as FORMAT.md has them: none of this is the gateway's code.
function leavesOf(own) {
  const all = new Map(), keys = keysOf(own);
  for (const file of journalFiles(own)) {
    const bytes = fs.readFileSync(file);
    for (let at = 4096; bytes.subarray(at, at + 8).toString() === 'SKJGRP01';) {
      const body = bytes.readUInt32LE(at + 24), count = bytes.readUInt32LE(at + 28), kind = bytes.readUInt32LE(at + 48);
      const day = bytes.readUInt32LE(at + 52), run = bytes.subarray(at + 56, at + 72);
      for (let i = 0, record = at + 136; kind === 1 && i < count; i++) {
        const length = bytes.readUInt32LE(record), tenant = bytes.subarray(record + 8, record + 24).toString('hex');
        const { record: key, salt } = keys(tenant, day, run), seq = bytes.subarray(record + 24, record + 32);
        const cbor = decipher(key, bytes.subarray(record + 32, record + 44), bytes.subarray(record, record + 32), bytes.subarray(record + 64, record + 32 + length));
        const leaf = createHash('sha256').update(Buffer.from([0])).update(encipherBlock(salt, Buffer.concat([seq, Buffer.alloc(8)]))).update(cbor).digest();
        assert.deepEqual(leaf, bytes.subarray(record + 32, record + 64), 'the leaf that stands before it');
        all.set(tenant, [...all.get(tenant) ?? [], leaf]);
        record += 32 + length;
      }
      at += Math.ceil((136 + body) / 4096) * 4096;
    }
  }
  return all;
}

describe('what was recorded', () => {
  test('is signed within two seconds', async () => {
    for (let i = 0; i < 3; i++) {
      assert.equal((await gateway.request({ user: 'hanako', path: `/signed/${i}`, method: 'POST', body: 'x' })).status, 200);
      const answered = Date.now();
      const result = await signedAll(gateway);
      assert.ok(Date.now() - answered < 2000, `${Date.now() - answered} ms`);
      assert.deepEqual([result.status, result.checkpoints, result.checkpoints_met, result.signatures], [0, 2, 2, true]);
    }
  });

  test('is what is signed: the roots are the definition\'s, the signatures the key\'s, by another program', async () => {
    await Promise.all(Array.from({ length: 40 }, (_, i) => gateway.request({ user: 'hanako', host: i % 3 ? 'acme.test' : 'beta.test', path: `/${i}` })));
    await signedAll(gateway);
    const notes = execFileSync(SEKISHO, ['journal', 'checkpoints', gateway.checkpoints], { encoding: 'utf8' }).split(/(?<=^— .*\n)\n/m).map(parseNote);
    const leaves = leavesOf(gateway);
    const [, vname, vkey] = /^([^+]+)\+[0-9a-f]{8}\+(.+)$/.exec(gateway.key()); // base64 has '+' too
    const raw = Buffer.from(vkey, 'base64').subarray(1);
    const key = createPublicKey({ key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]), format: 'der', type: 'spki' });
    assert.equal(notes.length, 3, 'two tenants and the operator');
    for (const note of notes) {
      const [, node, epoch, tenant] = note.origin.split('/');
      assert.equal(`sekisho/${node}`, vname);
      assert.equal(epoch, fs.readFileSync(journalFiles(gateway)[0]).subarray(72, 88).toString('hex'));
      assert.equal(note.root, rootOf(leaves.get(tenant).slice(0, note.size)).toString('base64'), note.origin);
      assert.equal(note.size, leaves.get(tenant).length);
      const [{ name, id, signature }] = note.signatures;
      assert.equal(name, note.origin);
      assert.deepEqual(id, createHash('sha256').update(`${name}\n\x01`, 'latin1').update(raw).digest().subarray(0, 4));
      assert.ok(verify(null, Buffer.from(note.text), key, signature), `the signature of ${note.origin}`);
      assert.ok(Math.abs(Date.now() - Date.parse(note.time.slice(5))) < 10000, note.time);
      assert.match(note.clock, /^clock (set|free) \d+ us$/);
    }
  });

  test('one tenant\'s checkpoint is found by its name, and holds the journal to it alone', () => {
    const one = path.join(gateway.folder, 'one');
    fs.writeFileSync(one, execFileSync(SEKISHO, ['journal', 'checkpoints', gateway.checkpoints, '--tenant', 'beta@svc']));
    const result = proved(gateway, '--checkpoint', one);
    assert.deepEqual([result.status, result.checkpoints, result.checkpoints_met], [0, 1, 1]);
  });

  test('is signed to the last record by a stop', async () => {
    const load = startLoad({ after() {} }, gateway, 4, (i) => ({ user: 'hanako', path: `/last/${i}` }), () => {});
    await elapse(300);
    await load.stop();
    await halt(gateway);
    assert.equal(proved(gateway, '--checkpoint', gateway.checkpoints).unsigned, 0);
    await gateway.run();
  });
});

// Whoever may write in the journal's folder, or brings folders of another day back.
describe('nobody can have another past', () => {
  async function stopped(t) {
    const own = await gatewayFor(t, { tenants: [openTenant('acme', (await upstreamFor(t)).url)], settings: SMALL });
    const ask = async (n) => {
      for (let i = 0; i < n; i++) {
        assert.equal((await own.request({ user: 'hanako', path: `/${i}` })).status, 200);
      }
    };
    await ask(5);
    await halt(own);
    const copy = path.join(own.folder, 'earlier');
    execFileSync('cp', ['-a', own.data, copy]);
    await own.run();
    await ask(5);
    await halt(own);
    fs.cpSync(own.checkpoints, path.join(own.folder, 'kept'));
    return { own, copy, kept: path.join(own.folder, 'kept'), ask };
  }

  const restore = (own, from, folder) => {
    fs.rmSync(path.join(own.data, folder), { recursive: true });
    execFileSync('cp', ['-a', path.join(from, folder), own.data]);
  };

  async function staysShut(own, id, what) {
    const start = await startShut(own, id);
    try {
      assert.equal(start.line.id, id, String(start.line));
      if (what) {
        assert.match(start.line.what, what);
      }
      await elapse(1500);
      assert.equal(await own.ready(), false);
      assert.equal((await own.request({ user: 'hanako', ms: 5000 }).catch(() => ({ status: 503 }))).status, 503);
    } finally {
      await start.abort();
    }
  }

  test('an earlier journal, whole in itself, is refused at the start, and by whoever verifies', async (t) => {
    const { own, copy, kept } = await stopped(t);
    restore(own, copy, 'journal');
    const result = proved(own, '--checkpoint', kept);
    assert.equal(result.intact, false);
    assert.match(result.what, /records of tenant [0-9a-f]{32} are signed, and the journal has \d+$/);
    await staysShut(own, 'SK1403', /ends too early: tenant [0-9a-f]{32} has \d+ records, and \d+ are signed/);
  });

  test('a journal whose checkpoints are gone is not signed anew; when they are brought back the gate opens', async (t) => {
    const { own } = await stopped(t);
    fs.renameSync(own.checkpoints, `${own.checkpoints}.away`);
    const start = await startShut(own, 'SK1410');
    assert.equal(start.line.id, 'SK1410', String(start.line));
    await elapse(1500);
    assert.equal(await own.ready(), false);
    assert.equal(fs.existsSync(own.checkpoints), false);
    fs.renameSync(`${own.checkpoints}.away`, own.checkpoints);
    await until(() => own.ready(), 'the gate to open', 10000);
    assert.equal((await own.request({ user: 'hanako' })).status, 200);
  });

  test('checkpoints that are taken away under the gateway shut it, and without them it stays shut', async (t) => {
    const { own } = await stopped(t);
    await own.run();
    own.killing = true;
    const from = own.log.length;
    fs.renameSync(own.checkpoints, `${own.checkpoints}.away`);
    await own.logged(({ id }) => id === 'SK1408', { from });
    await own.logged(({ id }) => id === 'SK1410', { from });
    assert.equal((await own.request({ user: 'hanako', ms: 5000 }).catch(() => ({ status: 503 }))).status, 503);
    fs.renameSync(`${own.checkpoints}.away`, own.checkpoints);
    await until(() => own.ready(), 'the gate to open', 10000);
    assert.equal(own.verify().status, 0, own.verify().text);
  });

  test('another journal, whole and sealed with the same keys, is not gone on with', async (t) => {
    const { own, copy, ask } = await stopped(t);
    const signer = path.join(own.folder, 'signer-of-ten');
    fs.renameSync(path.join(own.data, 'signer'), signer);
    restore(own, copy, 'journal');
    execFileSync('cp', ['-a', path.join(copy, 'signer'), own.data]);
    await own.run();
    await ask(20);
    await halt(own);
    fs.rmSync(path.join(own.data, 'signer'), { recursive: true });
    fs.renameSync(signer, path.join(own.data, 'signer'));
    await staysShut(own, 'SK1403', /^the first \d+ records of tenant [0-9a-f]{32} are not those that are signed$/);
  });

  test('both moved away, a new journal begins, and what was kept of the old one is said to be another\'s', async (t) => {
    const { own, kept, ask } = await stopped(t);
    for (const name of ['journal', 'signer']) {
      fs.renameSync(path.join(own.data, name), path.join(own.folder, `old-${name}`));
    }
    await own.run();
    await ask(3);
    assert.equal((await signedAll(own)).status, 0);
    assert.match(proved(own, '--checkpoint', kept).what, /^a checkpoint of another gateway, or of another journal of it$/);
  });

  test('files taken away from the front are missed by whoever has a checkpoint', async (t) => {
    const own = await gatewayFor(t, { tenants: [openTenant('acme', (await upstreamFor(t)).url)], settings: SMALL });
    const load = startLoad(t, own, 4, (i) => ({ path: `/${'long/'.repeat(300)}${i}`, method: 'POST', user: 'hanako' }), () => {});
    await until(() => journalFiles(own).length >= 2, 'two files', 60000, 50).finally(() => load.stop());
    await signedAll(own);
    const kept = path.join(own.folder, 'kept');
    fs.cpSync(own.checkpoints, kept);
    const more = startLoad(t, own, 4, (i) => ({ path: `/${'more/'.repeat(300)}${i}`, method: 'POST', user: 'hanako' }), () => {});
    const count = journalFiles(own).length;
    await until(() => journalFiles(own).length >= count + 2, 'two more files', 60000, 50).finally(() => more.stop());
    await halt(own);
    const last = journalFiles(own).at(-1);
    for (const file of journalFiles(own).slice(0, -1)) {
      fs.rmSync(file);
    }
    const result = proved(own, '--checkpoint', kept);
    assert.deepEqual([result.status, result.intact], [1, false], last);
    assert.match(result.what, /begins behind the \d+ signed records/);
    assert.equal(proved(own, '--checkpoint', own.checkpoints).status, 0, 'the newest one is met');
  });

  test('both brought back to an earlier day are one whole; only a checkpoint that was kept elsewhere tells', async (t) => {
    const { own, copy, kept, ask } = await stopped(t);
    restore(own, copy, 'journal');
    restore(own, copy, 'signer');
    await own.run();
    await ask(20);
    await signedAll(own);
    assert.equal(proved(own, '--checkpoint', own.checkpoints).status, 0);
    const result = proved(own, '--checkpoint', own.checkpoints, '--checkpoint', kept);
    assert.deepEqual([result.intact, path.basename(result.file)], [false, 'kept']);
    assert.match(result.what, /^the first \d+ records of tenant [0-9a-f]{32} are not those that were signed$/);
  });

  test('checkpoints older than the journal are gone on from, and meet the newer ones', async (t) => {
    const { own, copy, kept, ask } = await stopped(t);
    restore(own, copy, 'signer');
    await own.run();
    await ask(3);
    const result = await signedAll(own);
    assert.equal(result.status, 0);
    assert.equal(proved(own, '--checkpoint', kept).checkpoints_met, 2);
  });

  test('checkpoints that were changed, or are another gateway\'s, are refused', async (t) => {
    const { own } = await stopped(t);
    const bytes = fs.readFileSync(own.checkpoints);
    const changed = Buffer.from(bytes);
    for (const half of [4096, 8192]) {
      changed[half + 100] ^= 1;
    }
    fs.writeFileSync(own.checkpoints, changed);
    await staysShut(own, 'SK1409', /block 1 is damaged/);
    fs.writeFileSync(own.checkpoints, fs.readFileSync(gateway.checkpoints));
    await staysShut(own, 'SK1409', /another gateway's/);
    fs.writeFileSync(own.checkpoints, bytes);
    await own.run();
    assert.equal(own.verify().status, 0);
  });
});
